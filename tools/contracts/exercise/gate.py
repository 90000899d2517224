"""The gateway on the stage: every documented answer, asked for at the door.

With both services behind it: its story, the refusals and bounds, and what the services' own scenes ask for. Then with services that
refuse, break, are silent or are not there, too often, without its database, and with views that raise.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec

from gateway.store.tokens import MOST as TOKENS
from gateway.webhooks.store import MOST
from shared.cursors import write_cursor
from shared.openapi import Example
from shared.testing.answers import Seen
from shared.testing.provider import IdentityProvider
from shared.testing.serving import serving
from tools.contracts.exercise import bounds, refusals
from tools.contracts.exercise.asking import ELSEWHERE, Case, ask, body_of
from tools.contracts.exercise.documents import Operation, operations
from tools.contracts.exercise.door import Door
from tools.contracts.exercise.services import conflicts_of_employees, conflicts_of_teams, idempotency, unchanged
from tools.contracts.exercise.stage import OTHER_EPOCH, Answered, break_views, example_case
from tools.contracts.exercise.upstream import Misbehaving
from tools.contracts.story import ENDS, LEAVES, story

PASSWORD: Final = "mind the analytical engine"  # noqa: S105 - of accounts that last as long as a test
FEW: Final = 10
"""Operations that may fail before the gateway's breaker opens."""
SHORTLY: Final = {refusals.TIMEOUT: "200"}
FOREIGN: Final = {"sec-fetch-site": "cross-site"}
LAST: Final = (*ENDS, *LEAVES)
UNSAFE: Final = ("log_in", "log_out", "create_token", "revoke_token", "end_session", "end_sessions", "change_password")
"""What everybody may do, but no other site's page."""
WHOSE: Final = ("list_sessions", "list_tokens")
"""What everybody may ask for of their own account."""
NOWHERE: Final = 999
LOGIN: Final = ("begin_login", "finish_login")
"""What asks an OpenID provider, and no service."""


@dataclass
class Gate:
    """What is asked at a door, and what came."""

    door: Door
    record: list[Answered] = field(default_factory=list)
    examples: Mapping[str, Example] = field(default_factory=lambda: story("gateway"))
    _cookies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.app = self.door.app
        self.operations = {one.name: one for one in operations(self.app.extensions["openapi"]())}

    async def ask(self, case: Case) -> Seen:
        """Send a case, and take down what came."""
        seen = await ask(self.app, case, {} if case.role is None else {"cookie": self._cookies[case.role]})
        self.record.append(Answered(case, seen))
        return seen

    async def ask_all(self, cases: Iterable[Case]) -> None:
        """One after the other."""
        for case in cases:
            await self.ask(case)

    async def perform(self) -> list[Answered]:
        """Everything, in order."""
        known = self.operations
        async with self.app.test_app():
            await self._enter_as("admin", "admin", self._word())
            self._cookies.clear()  # the story is of someone who was there before
            await self._enter()
            await self._story(last=False)
            for one in known.values():
                await self.ask_all(self._refusals(one))
            for scene in (conflicts_of_employees, unchanged, idempotency, conflicts_of_teams):
                await scene(self)
            await self.ask_all(self._directed())
            for role in ("stranger", "leaver"):
                await self._enter_as(role, "admin", self._word())
            await self._story(last=True)
        await self._behind_trouble()
        await self._at_a_provider()
        await self._too_often()
        await self._without_database()
        return self.record

    async def _story(self, *, last: bool) -> None:
        detours = {name: one for one in self.operations.values() for name in one.described.get("x-detour", {}).values()}
        for name, example in self.examples.items():
            if name != "log_in" and (name in LAST) is last:
                case = example_case({**self.operations, **detours}[name], example)
                await self.ask(replace(case, role={"log_out": "leaver", "change_password": "viewer"}.get(name, "admin")))

    def _refusals(self, one: Operation) -> Iterator[Case]:
        for case in (*refusals.cases(one), *refusals.of_today(one), *bounds.cases(one)):
            if case.status in one.statuses:
                yield replace(case, query={}) if "If-None-Match" in case.about else case

    def _directed(self) -> Iterator[Case]:
        """What follows from no rule."""
        known = self.operations
        stale = write_cursor(OTHER_EPOCH, "id", "", ("", 1))
        places = {"list_changes": {"after": "elsewhere.1~-"}}
        yield from (
            one.case(410, "after a restore", query=places.get(name, {"cursor": stale}))
            for name, one in known.items()
            if 410 in one.statuses
        )
        yield from (known[name].case(403, "from another site", headers=FOREIGN) for name in UNSAFE)
        yield from (known[name].case(403, "an admin's", query={"account_id": 1}, role="viewer") for name in WHOSE)
        yield known["org_chart"].case(404, "nobody's", query={"root": NOWHERE})
        yield from (known[name].case(404, "nobody's", query={"account_id": NOWHERE}) for name in (*WHOSE, "end_sessions"))
        for start in (0, 501):
            lines = [f"p{number},p{number}@e.org,ada" for number in range(start, start + 501)]
            table = body_of("\n".join(["username,email,manager", *lines]))
            yield known["import_employees"].case(200, "a crowd", query={}, body=table)
        yield known["org_chart"].case(422, "a crowd's", query={"root": 1}, names="root")
        hook = body_of({"url": "https://hooks.example.org/other"})
        yield from (known["create_webhook"].case(201, "one more", body=hook) for _ in range(MOST - 2))
        yield known["create_webhook"].case(409, "too many", body=hook)
        yield known["scrape"].case(403, "from elsewhere", role=None, server=ELSEWHERE)
        crowd = body_of({"name": "one of many", "scope": "read"})
        yield from (known["create_token"].case(201, "one more", body=crowd, role="viewer") for _ in range(TOKENS))
        yield known["create_token"].case(409, "too many", body=crowd, role="viewer")
        yield known["log_in"].case(401, "a wrong password", role=None, body=body_of({"username": "admin", "password": PASSWORD}))
        yield known["create_token"].case(401, "nobody", role=None)
        yield known["patch_account"].case(
            409, "the last admin", path=known["patch_account"].path(account_id=1), body=body_of({"role": "viewer"}), names="role"
        )
        yield known["create_account"].case(
            409, "a username that is taken", body=body_of({"username": "admin", "password": PASSWORD, "role": "viewer"})
        )

    async def _behind_trouble(self) -> None:
        """Another gateway, before services that are of no use."""
        theirs = [one for one in self.operations.values() if 502 in one.statuses and one.name not in LOGIN]
        upstream = Misbehaving()
        async with upstream.serving():
            for upstream.mood in (403, 502, 500, 504):
                for start in range(0, len(theirs), FEW):
                    self.app = self.door.make(employees_url=upstream.url, teams_url=upstream.url)
                    async with self.app.test_app():
                        await self._in_the_mood(upstream.mood, theirs[start : start + FEW])
        self.app = self.door.make()
        async with self.app.test_app():
            await self.ask_all(one.case(503, "a service that is not there") for one in theirs)
            break_views(self.app)
            await self.ask_all(one.case(500, "broken within") for one in self.operations.values() if "x-upstream" not in one.described)

    async def _in_the_mood(self, mood: int, theirs: Sequence[Operation]) -> None:
        """A few operations of a gateway whose breaker is closed yet."""
        if mood == 504:
            await asyncio.gather(*(self.ask(one.case(504, "a silent service", headers=SHORTLY)) for one in theirs))
        elif mood == 500:
            await self.ask_all(one.case(500, "a service that is broken", query={}) for one in theirs if "x-upstream" in one.described)
        else:
            await self.ask_all(one.case(mood, "a service that refuses, or talks rubbish") for one in theirs)

    async def _at_a_provider(self) -> None:
        """Log-in by OpenID Connect, and what becomes of it when the provider is of no use."""
        begin, finish = (self.operations[name] for name in LOGIN)
        provider = IdentityProvider(person={"sub": "1", "preferred_username": "viewer"})
        async with serving(provider, lifespan=False) as provider.url, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            told = {"oidc_client_id": provider.client_id, "oidc_redirect_uri": f"http://localhost{finish.path()}"}
            self.app = self.door.make(oidc_issuer=provider.url, oidc_claim="preferred_username", **told)
            async with self.app.test_app():
                for path, one in (("/.well-known/openid-configuration", begin), ("/token", finish)):
                    for status, reply in ((502, (200, {}, b"rubbish")), (503, (500, {}, b"")), (504, None), (302, None)):
                        back = None if one is begin else await self._way_back(http)
                        provider.answers = {path: reply} if reply else {}
                        provider.silent = {path} if status == 504 else set()
                        headers = {**(back.headers if back else {}), **(SHORTLY if status == 504 else {})}
                        await self.ask(replace(back or one.case(status, "a provider", role=None), status=status, headers=headers))
                        provider.answers, provider.silent = {}, set()
                back = await self._way_back(http)
                await self.ask(replace(back, status=401, query={**back.query, "error": "access_denied"}))

    async def _way_back(self, http: httpx.AsyncClient) -> Case:
        """What a browser asks for that has been at the provider."""
        begun = await self.ask(self.operations["begin_login"].case(302, "to a provider", role=None))
        sent = await http.get(begun.headers["location"])
        query = dict(parse_qsl(urlsplit(sent.headers["location"]).query))
        cookie = {"cookie": begun.headers["set-cookie"].partition(";")[0]}
        return self.operations["finish_login"].case(302, "back from a provider", role=None, query=query, headers=cookie)

    async def _too_often(self) -> None:
        """One request a minute is allowed; the first of each two may be the first of another minute."""
        self.app = self.door.make(rate_limit=1, log_in_limit_address=1)
        async with self.app.test_app():
            for one in self.operations.values():
                if 429 in one.statuses:
                    await ask(self.app, one.case(429, "the first"), {"cookie": self._cookies["stranger"]})
                    await self.ask(one.case(429, "once more", role="stranger"))

    async def _without_database(self) -> None:
        """A session that nobody has asked for yet can't be checked."""
        self.app = self.door.make()
        async with self.app.test_app():
            await self.app.extensions["db"].close()
            await self.ask_all(
                one.case(503, "without a database", role="stranger")
                for one in self.operations.values()
                if 503 in one.statuses and one.name not in LOGIN
            )

    def _word(self) -> str:
        return self.door.password.read_text("utf-8").split()[-1]

    async def _enter(self) -> None:
        """Everybody logs in. The services' cases ask as an editor; some of them are for admins at the gateway, so that one is."""
        await self._enter_as("admin", "admin", self._word())
        self._cookies["editor"] = self._cookies["admin"]
        headers = {"content-type": "application/json"}
        create = self.operations["create_account"]
        for role, name in (("viewer", "viewer"), ("editor", "writer")):
            body = {"username": name, "password": PASSWORD, "role": role}
            await self.ask(create.case(201, f"a {role}", headers=headers, body=msgspec.json.encode(body), role="admin"))
            await self._enter_as(name, name, PASSWORD)

    async def _enter_as(self, role: str, username: str, password: str) -> None:
        body = msgspec.json.encode({"username": username, "password": password})
        seen = await self.ask(self.operations["log_in"].case(200, f"as {username}", role=None, body=body))
        self._cookies[role] = seen.headers["set-cookie"].partition(";")[0]
