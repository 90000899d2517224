"""What a client is told was on the disk before: the system calls of a service under load, in their order."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from shared.testing.processes import Roster

WAVES, CLIENTS = 6, 16
NAMES = re.compile(r"durable-\d+-\d+-")
CALL = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. )?(?P<name>\w+)(?P<resumed> resumed>)?(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True)
class Event:
    """A step that matters: ``wal`` and ``answer`` when they begin, ``sync`` of the WAL when it is done."""

    kind: str
    names: frozenset[str]


def events(trace: Path) -> Iterator[Event]:
    """The steps of a trace of strace -f -y, in order."""
    syncing: set[str] = set()
    for line in trace.read_text("latin-1").splitlines():
        call = CALL.match(line)
        if call is None:
            continue
        thread, rest, names = call["thread"], call["rest"], frozenset(NAMES.findall(call["rest"]))
        if call["name"] in ("fsync", "fdatasync"):
            if call["resumed"] is None and ".db-wal>" in rest:
                syncing.add(thread)
            if thread in syncing and rest.endswith("= 0"):
                syncing.discard(thread)
                yield Event("sync", frozenset())
        elif call["resumed"] is None and ".db-wal>" in rest:
            yield Event("wal", names)
        elif call["resumed"] is None and ("<socket:" in rest or "<TCP" in rest) and names:
            yield Event("answer", names)


def answered_too_early(steps: list[Event]) -> list[str]:
    """The names that were answered before a sync of the WAL which came after all that was written there of their group."""
    written: set[str] = set()
    durable: set[str] = set()
    early = []
    for step in steps:
        if step.kind == "wal":
            written |= step.names
        elif step.kind == "sync":
            durable |= written
            written.clear()
        else:
            early += sorted(step.names - durable)
    return early


async def create_in_waves(roster: Roster) -> None:
    """Sixteen at once, and again when all are answered."""
    headers = {"Authorization": roster.bearer("employees")}
    async with httpx.AsyncClient(base_url=roster.employees.url, headers=headers, timeout=30) as client:
        for wave in range(WAVES):
            bodies = [{"username": f"durable-{wave}-{n}-", "email": f"d{wave}.{n}@roster.example"} for n in range(CLIENTS)]
            answers = await asyncio.gather(*(client.post("/v1/employees", json=body) for body in bodies))
            assert [answer.status_code for answer in answers] == [201] * CLIENTS


async def test_every_answer_follows_the_sync_of_its_group(roster: Roster, strace: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = "trace=pwrite64,pwritev,fsync,fdatasync,write,writev,sendto,sendmsg"
    roster.employees.start(prefix=[strace, "-D", "-f", "-y", "-s", "8192", "-e", calls, "-o", str(trace)])
    roster.employees.wait_ready(60)
    await create_in_waves(roster)
    roster.employees.stop()
    steps = list(events(trace))
    answered = set().union(*(step.names for step in steps if step.kind == "answer"))
    assert len(answered) == WAVES * CLIENTS
    assert answered_too_early(steps) == []


def test_an_early_answer_would_be_seen() -> None:
    ada, bob = frozenset({"ada"}), frozenset({"bob"})
    good = [Event("wal", ada), Event("wal", bob), Event("sync", frozenset()), Event("answer", ada), Event("answer", bob)]
    assert answered_too_early(good) == []
    assert answered_too_early([*good[:2], Event("answer", bob), *good[2:]]) == ["bob"]
