"""Where a reader of the merged feed is: one place in the feed of each service.

Written `<employees>~<teams>`, each the id of the last event that was seen, or `-` for none. Clients hand it back and look into it no more
than into any other cursor.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.errors import BadRequest

NOTHING: Final = "-"
_PLACE: Final = r"(-|[0-9A-Za-z]{1,64}\.[0-9]{1,18})"
PATTERN: Final = f"^{_PLACE}~{_PLACE}$"
_VECTOR: Final = re.compile(f"{_PLACE}~{_PLACE}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Vector:
    """One cursor for each service by its name; None is before the first event."""

    employees: str | None = None
    teams: str | None = None

    @classmethod
    def parse(cls, text: str, field: str) -> "Vector":
        """What `str` wrote. Raises BadRequest naming the field that it came in."""
        found = _VECTOR.fullmatch(text)
        if found is None:
            raise BadRequest.of(field, "is no cursor of this feed: give what an event's `cursor` or a `Link` said")
        return cls(*(None if place == NOTHING else place for place in found.groups()))

    def __str__(self) -> str:
        return f"{self.employees or NOTHING}~{self.teams or NOTHING}"

    def of(self, service: str) -> str | None:
        """The place in a service's feed."""
        place: str | None = getattr(self, service)
        return place

    def at(self, service: str, place: str | None) -> "Vector":
        """The same with another place in one service's feed."""
        changed: dict[str, Any] = {service: place}
        return replace(self, **changed)
