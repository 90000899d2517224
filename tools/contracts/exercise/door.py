"""The gateway with real services behind it, each in a thread of its own, and someone who is logged in."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx

from shared.migrate import upgrade
from tools.contracts.documents import gateway_app
from tools.contracts.exercise.fuzz import living
from tools.contracts.exercise.refusals import UPLOAD
from tools.contracts.states import employees_app, teams_app

LEAVES: Final = ("log_out", "log_in", "end_session", "change_password", "patch_account")
"""What would end the session that everything else needs."""
TABLE: Final = "username,email,manager\nada,ada@example.org,\ngrace,grace@example.org,ada\nlinus,linus@example.org,grace\n"
TREE: Final = "slug,name,parent\nresearch,Research,\nengines,Engines,research\ncompilers,Compilers,research\n"


@dataclass
class Door:
    """The gateway's app; `headers` are those of an admin, once `open` was called with its URL.

    `make` makes another app on the same database, with the settings that it is given: `urls` are those of the services.
    """

    make: Callable[..., Any]
    urls: Mapping[str, str]
    password: Path
    cookie: str = ""

    def __post_init__(self) -> None:
        self.app = self.make(**self.urls)

    def open(self, url: str) -> None:
        """Log in, and put some people and teams there."""
        with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
            word = self.password.read_text("utf-8").split()[-1]
            answer = client.post("/v1/session", json={"username": "admin", "password": word})
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
            for path, table in (("/v1/employees/import", TABLE), ("/v1/teams/import", TREE)):
                client.post(path, content=table, headers={"Content-Type": "text/csv", **self.headers()}).raise_for_status()

    def headers(self) -> Mapping[str, str]:
        return {"Cookie": self.cookie}


@contextmanager
def door(folder: Path) -> Iterator[Door]:
    """A gateway that is about to be served, in front of services that are."""
    with ExitStack() as stack:
        urls = {
            f"{name}_url": stack.enter_context(living(make(f"sqlite:///{migrated(folder / f'{name}.db', name)}", max_upload=UPLOAD)))
            for name, make in (("employees", employees_app), ("teams", teams_app))
        }
        password = folder / "admin-password"
        yield Door(
            partial(gateway_app, f"sqlite:///{folder / 'gateway.db'}", password_file=str(password), max_upload=UPLOAD), urls, password
        )


def migrated(path: Path, service: str) -> Path:
    """A database with the tables of a service."""
    upgrade(f"sqlite:///{path}", service)
    return path
