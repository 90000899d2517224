"""The OpenAPI documents of the services: today's, from the code, and the released ones, from `contracts/`."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from quart import Quart

import gateway
from gateway.config import Settings as GatewaySettings
from shared.testing.examples import operations, target
from tools.contracts.states import NOWHERE, employees_app, teams_app
from tools.contracts.story import story
from tools.contracts.worlds import GATEWAY

FOLDER: Final = Path(__file__).resolve().parents[2] / "contracts"
SERVICES: Final = ("employees", "teams", "gateway")
REQUESTS: Final = "x-requests"
"""Where a released document keeps the requests of its examples, in their order."""

Version = tuple[int, int, int]


def gateway_app(
    database_url: str, *, employees_url: str = NOWHERE, teams_url: str = NOWHERE, password_file: str = "", **more: Any
) -> Quart:
    """The gateway, in front of services at these places; `more` are settings of its."""
    settings = GatewaySettings(
        database_url=database_url,
        readers=1,
        log_level="error",
        access_log=False,
        signing_key=GATEWAY.private_key,
        session_keys="0123456789abcdef" * 4,
        employees_url=employees_url,
        teams_url=teams_url,
        admin_password_file=password_file,
        connect_timeout_ms=10_000,  # a busy machine must not be taken for a service that is not there
        **{"log_in_limit": 0, "log_in_limit_address": 0, **more},
    )
    return gateway.create_app(settings)


def today(service: str) -> dict[str, Any]:
    """The document of the code as it is, with the requests of its examples."""
    makers = {"employees": employees_app, "teams": teams_app, "gateway": gateway_app}
    document = json.loads(json.dumps(makers[service]("sqlite:///unused.db").extensions["openapi"]()))
    return {**document, REQUESTS: requests_of(service, document)}


def requests_of(service: str, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a service's examples send, in their order; logging in is left to whoever sends them, who has the password."""
    places: dict[str, tuple[str, str, Mapping[str, Any]]] = {}
    for path, method, one in operations(document):
        places |= dict.fromkeys((one["operationId"], *one.get("x-detour", {}).values()), (path, method, one))
    found = []
    for name, example in story(service).items():
        if name != "log_in":
            path, method, one = places[name]
            types = list(one.get("requestBody", {}).get("content", {}))
            sent = {key: value for key, value in asdict(example).items() if key in ("headers", "body", "status")}
            sent["media_type"] = example.media_type or (types[0] if types else None)
            found.append({"operation": name, "method": method.upper(), "target": target(path, example), **sent})
    return found


def version_of(text: str) -> Version:
    """A version as numbers. ValueError for what is none."""
    if not re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", text):
        raise ValueError(f"{text!r} is no version: three numbers with dots, as in 1.2.3")
    major, minor, patch = map(int, text.split("."))
    return major, minor, patch


def released(service: str, folder: Path = FOLDER) -> dict[str, Path]:
    """The released documents by version, the oldest first."""
    found = {path.stem: path for path in (folder / service).glob("*.json")}
    return {version: found[version] for version in sorted(found, key=version_of)}


def current(service: str, folder: Path = FOLDER) -> dict[str, Path]:
    """The released documents of the newest major version: what today's code must keep to."""
    every = released(service, folder)
    newest = version_of(list(every)[-1])[0] if every else 0
    return {version: path for version, path in every.items() if version_of(version)[0] == newest}


def load(path: Path) -> dict[str, Any]:
    """A released document."""
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document
