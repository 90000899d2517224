"""URL converters that take only what can be an id or a name, so that a path means one thing everywhere."""

from werkzeug.routing import BaseConverter, IntegerConverter, Map, ValidationError

MAX_ID = 2**63 - 1


def _up_to(highest: int) -> str:
    """A pattern of 0 … highest without leading zeros: a refusal by `to_python` would be a 405 where another method's rule is met first."""
    digits = str(highest)
    size = len(digits)
    longest = [f"{digits[:at]}[0-{int(digits[at]) - 1}][0-9]{{{size - at - 1}}}" for at in range(1, size) if digits[at] != "0"]
    first = [f"[1-{int(digits[0]) - 1}][0-9]{{{size - 1}}}"] if digits[0] > "1" else []
    return f"(?:0|[1-9][0-9]{{0,{size - 2}}}|{'|'.join([*first, *longest, digits])})"


class IdConverter(IntegerConverter):
    """A whole number 0 … 2^63-1 in ASCII digits, without leading zeros; anything else is a 404."""

    regex = _up_to(MAX_ID)

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
