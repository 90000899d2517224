"""The gateway on the stage: the same refusals and bounds, asked at the door, with both services behind it.

What only a broken service makes (502, 500) and what takes time (408) is asked for in `services/gateway/tests` and `tests/faults`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from tools.contracts.exercise import bounds, refusals
from tools.contracts.exercise.asking import Case, ask
from tools.contracts.exercise.documents import Operation, operations
from tools.contracts.exercise.door import LEAVES, TABLE, TREE, Door
from tools.contracts.exercise.stage import Answered

PASSWORD: Final = "mind the analytical engine"  # noqa: S105 - of accounts that last as long as a test
CSV: Final = {"content-type": "text/csv"}


@dataclass
class Gate:
    """What is asked at a door, and what came."""

    door: Door
    record: list[Answered] = field(default_factory=list)
    _cookies: dict[str, str] = field(default_factory=dict)

    @property
    def operations(self) -> dict[str, Operation]:
        return {one.name: one for one in operations(self.door.app.extensions["openapi"]())}

    def _headers(self, role: str | None) -> Mapping[str, str]:
        return {} if role is None else {"cookie": self._cookies["viewer" if role == "viewer" else "admin"]}

    async def ask(self, case: Case) -> Any:
        """Send a case, and take down what came."""
        seen = await ask(self.door.app, case, self._headers(case.role))
        self.record.append(Answered(case, seen))
        return seen

    async def perform(self) -> list[Answered]:
        """Everything, in order."""
        known = self.operations
        async with self.door.app.test_app():
            await self._enter(known)
            await self.ask(known["import_employees"].case(200, "people", query={}, headers=CSV, body=TABLE.encode()))
            await self.ask(known["import_teams"].case(200, "teams", query={}, headers=CSV, body=TREE.encode()))
            member = b'{"role": "lead"}'
            await self.ask(known["put_member"].case(201, "a member", path=_first(known["put_member"]), body=member))
            for one in known.values():
                if one.method == "GET":
                    await self.ask(one.case(200, "as it stands", query=self._asked(one), path=_first(one)))
                await self._refusals(one)
            await self._without_database(known)
        return self.record

    async def _without_database(self, known: Mapping[str, Operation]) -> None:
        """A session that was seen a moment ago is believed for that moment: what only reads it does not notice."""
        await self.door.app.extensions["db"].close()
        for one in known.values():
            if 503 in one.statuses and 502 not in one.statuses and one.name != "get_session":
                await self.ask(one.case(503, "without a database"))

    async def _refusals(self, one: Operation) -> None:
        for case in (*refusals.cases(one), *bounds.cases(one)):
            if case.status in one.statuses and not case.endless and one.name not in LEAVES and not _is_large_table(case):
                plain: dict[str, Any] = {"path": _first(one), "query": {}} if "If-None-Match" in case.about else {}
                await self.ask(replace(case, **plain))

    def _asked(self, one: Operation) -> dict[str, Any]:
        return {name: described["example"] for name, described in one.parameters("query").items() if described.get("required")}

    async def _enter(self, known: Mapping[str, Operation]) -> None:
        word = self.door.password.read_text("utf-8").split()[-1]
        await self._log_in(known["log_in"], "admin", word)
        body = {"username": "viewer", "password": PASSWORD, "role": "viewer"}
        headers = {"content-type": "application/json"}
        create = known["create_account"].case(201, "a viewer", headers=headers, body=msgspec.json.encode(body))
        await self.ask(create)
        await self._log_in(known["log_in"], "viewer", PASSWORD)

    async def _log_in(self, one: Operation, username: str, password: str) -> None:
        body = msgspec.json.encode({"username": username, "password": password})
        seen = await self.ask(one.case(200, f"as {username}", role=None, body=body))
        self._cookies[username] = seen.headers["set-cookie"].partition(";")[0]


def _is_large_table(case: Case) -> bool:
    """One that is too large for the services of the exercise only; these have their usual bounds."""
    return case.status == 413 and "csv" in case.headers.get("content-type", "")


def _first(one: Operation) -> str:
    return one.path(**dict.fromkeys(one.parameters("path"), 1))
