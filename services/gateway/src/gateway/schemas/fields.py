"""Fields that many documents have."""

from typing import Annotated

from msgspec import Meta

Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Moment = Annotated[str, Meta(min_length=27, max_length=27, description="UTC, with microseconds", extra_json_schema={"format": "date-time"})]
Text = Annotated[str, Meta(max_length=2000)]
Cursor = Annotated[str, Meta(max_length=2000)]
Limit = Annotated[int, Meta(ge=1, le=200)]
Total = Annotated[int, Meta(ge=0, le=2**63 - 1)]
