"""`GET /`: what the service is and where its endpoints are. `GET /openapi.json`: the same for programs."""

import inspect
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from quart import Blueprint, Quart, Response, current_app

from shared.json import encode
from shared.openapi import make_document
from shared.operations import PUBLIC, operation, operation_of
from shared.responses import respond

PATH = re.compile(r"<(?:[^:>]*:)?([^>]+)>")


def home_blueprint(name: str, version: str, description: str, more: Sequence[Mapping[str, Any]] = ()) -> Blueprint:
    """Both routes; each document is made once, when it is first asked for. `more` endpoints are answered in front of Quart."""
    blueprint = Blueprint("service", __name__)

    @cache
    def home_document() -> bytes:
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # the proxy's own way to its object
        listed = sorted([*endpoints(app), *more], key=lambda endpoint: (endpoint["path"], endpoint["method"]))
        return encode({"service": name, "version": version, "description": description, "endpoints": listed})

    @cache
    def openapi_document() -> bytes:
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # as above
        return encode(make_document(app, name, version, description))

    @blueprint.get("/")
    @operation(allow=PUBLIC, hidden=True)
    async def home() -> Response:
        """The endpoints of this service."""
        return respond(home_document())

    @blueprint.get("/openapi.json")
    @operation(allow=PUBLIC, hidden=True)
    async def openapi() -> Response:
        """The OpenAPI document of this service."""
        return respond(openapi_document())

    return blueprint


def endpoints(app: Quart) -> list[dict[str, Any]]:
    """Every route, by path: method, path template, operation, summary, who may call."""
    listed = []
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        found = operation_of(view)
        if found is None:
            continue
        summary = (inspect.getdoc(view) or "").partition("\n")[0]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            path = PATH.sub(r"{\1}", rule.rule)
            listed.append({"method": method, "path": path, "operation": found.name, "summary": summary, "allow": found.allow.name})
    return listed
