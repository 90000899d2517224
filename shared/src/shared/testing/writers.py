"""Clients that write to a service until it dies, and a ledger of what they were told, for tests that kill services."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx

from shared.pool import Pool, PoolTransport
from shared.testing.processes import Process

Client = Callable[["Ledger", httpx.AsyncClient, int], Awaitable[None]]
"""Writes for ever as client number n; ends with the TransportError of a dead server."""


class Ledger:
    """What may be true by what clients were told: one state once a write was acknowledged, either one while it is under way."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.allowed: dict[str, list[Any]] = {}
        self._numbers = itertools.count()

    def name(self) -> str:
        """One that nobody had."""
        return f"written{next(self._numbers)}"

    async def write(self, key: str, state: Any, request: Awaitable[httpx.Response]) -> httpx.Response:
        """Send a request that brings what ``key`` names into a state (None: gone), and note that it did."""
        before = self.allowed.get(key, [None])
        self.allowed[key] = [*before, state]
        answer = await request
        assert answer.is_success, answer.text
        self.allowed[key] = [state]
        self.acknowledged += 1
        return answer

    def broken(self, found: Mapping[str, Any]) -> dict[str, tuple[Any, list[Any]]]:
        """Where what is found (keys not in it are gone) is not what was acknowledged."""
        return {key: (found.get(key), states) for key, states in self.allowed.items() if found.get(key) not in states}


async def write_until_killed(
    process: Process,
    ledger: Ledger,
    clients: Sequence[Client],
    headers: Mapping[str, str],
    least: int,
    enough: Callable[[], bool] = lambda: True,
) -> None:
    """Run all clients at once, and kill the process when it has acknowledged at least so many writes of theirs, and what else is wanted."""
    wanted = ledger.acknowledged + least
    pool = Pool(process.url, size=len(clients), wait_timeout=30)
    async with httpx.AsyncClient(transport=PoolTransport(pool), base_url=process.url, headers=headers, timeout=30) as session:
        tasks = [asyncio.ensure_future(client(ledger, session, number)) for number, client in enumerate(clients)]
        while not (ledger.acknowledged >= wanted and enough()) and not any(task.done() for task in tasks):  # noqa: ASYNC110 - it polls
            await asyncio.sleep(0.002)
        process.kill()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    await pool.aclose()
    for end in ends:
        if not isinstance(end, httpx.TransportError):
            raise AssertionError(f"a client ended before its server: {end!r}; {process.tail()}") from end
    assert ledger.acknowledged >= wanted, process.tail()


async def write_employees(ledger: Ledger, client: httpx.AsyncClient, number: int) -> None:
    """Somebody new, then another title, and every third one goes again. The state is the title."""
    for turn in itertools.count(number):
        name = ledger.name()
        body = {"username": name, "email": f"{name}@roster.example", "title": "first"}
        made = await ledger.write(name, "first", client.post("/v1/employees", json=body))
        path = f"/v1/employees/{made.json()['id']}"
        await ledger.write(name, "second", client.patch(path, json={"title": "second"}))
        if turn % 3 == 0:
            await ledger.write(name, None, client.delete(path))


async def write_teams(ledger: Ledger, client: httpx.AsyncClient, number: int) -> None:
    """A new team, a member, another name, and every third team goes again with its member. The state is the name, or the member's role."""
    for turn in itertools.count(number):
        name = ledger.name()
        made = await ledger.write(name, "first", client.post("/v1/teams", json={"slug": name, "name": "first"}))
        path = f"/v1/teams/{made.json()['id']}"
        member = f"{path}/members/{number + 1}"
        await ledger.write(f"{name}/{number + 1}", "lead", client.put(member, json={"role": "lead"}))
        await ledger.write(name, "second", client.patch(path, json={"name": "second"}))
        if turn % 3 == 0:
            await ledger.write(f"{name}/{number + 1}", None, client.delete(member))
            await ledger.write(name, None, client.delete(path))


async def write_accounts(ledger: Ledger, client: httpx.AsyncClient, number: int) -> None:
    """A new account, which logs in twice and out once. The state of an account is its role, that of a cookie whether it is good."""
    while True:
        name = ledger.name()
        body = {"username": name, "password": f"correct horse {name}", "role": "viewer"}
        await ledger.write(f"account {name}", "viewer", client.post("/v1/accounts", json=body))
        for stays in (True, False):
            cookie = await _log_in(client, name, body["password"])
            ledger.allowed[f"session {cookie}"] = ["good"]
            ledger.acknowledged += 1
            if not stays:
                await ledger.write(f"session {cookie}", None, client.delete("/v1/session", headers={"Cookie": cookie}))


async def _log_in(client: httpx.AsyncClient, username: str, password: str) -> str:
    """The cookie of a new session, as the value of a header."""
    request = client.build_request("POST", "/v1/session", json={"username": username, "password": password})
    del request.headers["Cookie"]  # the client's own session goes on
    answer = await client.send(request)
    assert answer.is_success, answer.text
    return answer.headers["set-cookie"].partition(";")[0]
