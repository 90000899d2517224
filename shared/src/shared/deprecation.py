"""How an operation says that it will end: the headers of its answers (RFC 9745, RFC 8594)."""

from datetime import UTC, date, datetime, time
from email.utils import format_datetime


def notices(deprecated: date | None, sunset: date | None) -> dict[str, str]:
    """`Deprecation`, since when it should be used no more, and `Sunset`, from when on it may be gone; both at midnight, UTC.

    Empty for an operation that stays. ValueError for an end without a deprecation, or before it.
    """
    if deprecated is None:
        if sunset is not None:
            raise ValueError("an operation with a sunset is deprecated before it: say since when")
        return {}
    headers = {"Deprecation": f"@{_midnight(deprecated).timestamp():.0f}"}
    if sunset is not None:
        if sunset < deprecated:
            raise ValueError("an operation can't end before it is deprecated")
        headers["Sunset"] = format_datetime(_midnight(sunset), usegmt=True)
    return headers


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
