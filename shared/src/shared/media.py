"""Media types: what a request says it carries, what it would like back."""

from functools import lru_cache
from typing import Any, Final, cast

from quart import request
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header

from shared.exchange import exchange_of

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROBLEM_TYPES: Final = {JSON: "application/problem+json", YAML: "application/problem+yaml"}
JSON_NAMES: Final = (JSON, "application/problem+json")
YAML_NAMES: Final = (YAML, "application/problem+yaml", "application/x-yaml", "text/yaml")
MAX_HEADER: Final = 1000


@lru_cache(maxsize=512)
def content_type(header: str) -> tuple[str, str]:
    """The media type in lower case and the charset (utf-8 when it says none) of a Content-Type header."""
    if len(header) > MAX_HEADER:
        return "", "utf-8"
    name, options = parse_options_header(header)
    return name.strip().lower(), options.get("charset", "utf-8").lower()


@lru_cache(maxsize=512)
def negotiate(accept: str) -> str:
    """JSON or YAML, by an Accept header. One that takes neither gets JSON rather than a refusal (RFC 9110, 12.5.1)."""
    if len(accept) > MAX_HEADER:
        return JSON
    best = parse_accept_header(accept, MIMEAccept).best_match((*JSON_NAMES, *YAML_NAMES), JSON)
    return YAML if best in YAML_NAMES else JSON


def wanted_form() -> str:
    """The media type for this request's answer: JSON or YAML."""
    accept = exchange_of(cast("Any", request.scope)).headers.get(b"accept")
    return JSON if accept is None or accept == b"*/*" else negotiate(accept.decode("latin-1"))
