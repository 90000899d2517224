"""Answers: JSON, or YAML when the caller would rather have it."""

from collections.abc import AsyncIterable, Mapping
from typing import Any

import msgspec
import yaml
from quart import Response
from quart.wrappers.response import DataBody
from werkzeug.datastructures import Headers

from shared.etags import etag
from shared.idempotency import Answer
from shared.json import encode
from shared.media import JSON, YAML, wanted_form

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def respond(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None, *, version: int | None = None, media_type: str | None = None
) -> Response:
    """An answer with a document: a Struct, plain values, or bytes that are JSON already.

    With `version`, or an ETag among `headers`, it carries that when it is JSON (a YAML form is another representation and gets none).
    `media_type` names the JSON form more closely (an event batch).
    """
    form = wanted_form()
    data = encode_as(form, value)
    closer = media_type if media_type is not None and form == JSON else form
    known = [("Content-Type", closer), ("Content-Length", str(len(data))), ("Vary", "Accept")]
    if version is not None:
        known.append(("ETag", etag(version)))
    fields = Headers()
    fields._list = known  # ours, so nothing needs the checks that adding them one by one would bring
    if headers:
        fields.update(headers)
    if form != JSON:
        fields.remove("ETag")
    return Response(DataBody(data), status, fields)


def created(value: Any, location: str, *, version: int | None = None) -> Response:
    """201 with Location."""
    return respond(value, 201, {"Location": location}, version=version)


def answered(answer: Answer) -> Response:
    """A stored answer."""
    return respond(answer.document, answer.status, answer.headers)


def no_content() -> Response:
    """204."""
    response = Response(b"", 204)
    del response.headers["Content-Type"]
    response.headers.pop("Content-Length", None)
    return response


def stream(
    chunks: AsyncIterable[bytes], media_type: str, *, filename: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """A streamed answer, as long as it takes; `filename` (ASCII, ours) makes it a download."""
    response = Response(chunks, content_type=media_type, headers=dict(headers or {}))
    response.timeout = None
    if filename is not None:
        response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def encode_as(form: str, value: Any) -> bytes:
    """`value` in JSON or YAML."""
    if form == YAML:
        plain = msgspec.json.decode(value) if isinstance(value, bytes) else msgspec.to_builtins(value)
        return yaml.dump(plain, Dumper=_Dumper, allow_unicode=True, sort_keys=False, encoding="utf-8")
    return value if isinstance(value, bytes) else encode(value)
