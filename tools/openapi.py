"""`make openapi`: writes what the gateway's document takes from its services' (`gateway.union`), after one of them has changed."""

import sys
from pathlib import Path
from typing import Any, Final

import msgspec

import employees.config
import teams.config
from gateway.union import FROZEN, freeze

ROOT: Final = Path(__file__).resolve().parent.parent
TARGET: Final = ROOT / "services/gateway/src/gateway" / FROZEN


def documents() -> dict[str, dict[str, Any]]:
    """The documents of the services behind the gateway. Nothing is opened."""
    apps = {
        "employees": employees.create_app(employees.config.Settings(open=True, log_level="error")),
        "teams": teams.create_app(teams.config.Settings(open=True, log_level="error")),
    }
    return {name: app.extensions["openapi"]() for name, app in apps.items()}


def forwarded() -> bytes:
    """What the file is to hold."""
    return msgspec.json.format(msgspec.json.encode(freeze(documents())), indent=1) + b"\n"


def main() -> int:
    text = forwarded()
    changed = not TARGET.exists() or TARGET.read_bytes() != text
    TARGET.write_bytes(text)
    print(f"{TARGET.relative_to(ROOT)}: {'written' if changed else 'as it was'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
