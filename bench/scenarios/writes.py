"""Durable creates: an answer means that the row and its log row are on the disk (WAL, synchronous=FULL)."""

import itertools

import msgspec

from bench.load import Load
from bench.rounds import Side, costs, interleave, rate, ratio, times
from bench.scenarios.reads import Server, ours, peer
from bench.scene import WRITE_POOL, Figure, Scene

CLIENTS = 64
LEAST = 5.0

_runs = itertools.count()


def creating(server: Server) -> Side:
    """New people, each another; the answer must be a 201 with the username that was sent."""

    def load() -> Load:
        run = next(_runs)
        head = server.get("/v1/employees").replace(b"GET ", b"POST ", 1).removesuffix(b"\r\n")

        def request(number: int) -> bytes:
            body = msgspec.json.encode(person(run, number))
            return b"%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body)

        def check(number: int, status: int, body: bytes) -> bool:
            return status == 201 and b'"username":"new.%d.%d",' % (run, number) in body

        return Load(server.process.port, request, check, CLIENTS)

    return Side(server.name, server.process, load)


def person(run: int, number: int) -> dict[str, str | int]:
    return {
        "username": f"new.{run}.{number}",
        "email": f"new.{run}.{number}@roster.example",
        "given_name": "Nova",
        "family_name": f"Newcomer {number}",
        "display_name": f"Nova Newcomer {number}",
        "title": "Engineering Specialist",
        "department": "Engineering",
        "division": "Product",
        "manager_id": 1 + number % 40,
        "hired_on": "2026-11-01",
    }


def create(scene: Scene) -> list[Figure]:
    rows = scene.scale.medium
    with scene:
        mine, theirs = interleave([creating(ours(scene, rows)), creating(peer(scene, rows, WRITE_POOL))], scene.scale)
    found = ratio(mine, theirs, lambda result: result.rate)
    notes = [costs("ours", mine), costs("peer", theirs)]
    what = f"durable creates, {CLIENTS} clients, after {rows:,}"
    return [Figure("create", what, f"≥ {LEAST} ×", rate(mine), rate(theirs), times(found), found[0] >= LEAST, notes)]
