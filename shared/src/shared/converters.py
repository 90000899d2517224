"""URL converters that take only what can be an id or a name, so that a path means one thing everywhere."""

from werkzeug.routing import BaseConverter, IntegerConverter, Map, ValidationError

MAX_ID = 2**63 - 1


class IdConverter(IntegerConverter):
    """A whole number 0 … 2^63-1 in ASCII digits, without leading zeros; anything else is a 404."""

    regex = r"(?:0|[1-9][0-9]{0,18})"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number > MAX_ID:
            raise ValidationError
        return number

    def to_url(self, value: int) -> str:
        if not 0 <= value <= MAX_ID:
            raise ValueError(f"{value} is no id")
        return str(value)


class NameConverter(BaseConverter):
    """Lower-case ASCII letters, digits and dashes, up to 64, beginning and ending with no dash."""

    regex = r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?"


def install(url_map: Map) -> None:
    """Put both in place of the defaults; no redirects for slashes: a path is right or it is not found."""
    url_map.converters["int"] = IdConverter
    url_map.converters["name"] = NameConverter
    url_map.merge_slashes = False
