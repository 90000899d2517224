"""Services of different releases with each other: the last release's gateway with today's services, the reverse, and every other mixture.

`python -m tools.skew [REVISION]`: with the last release, or another revision of this repository, as the older one. Each service makes
its own database with its own code; a short run through the gateway shows that they understand each other.
"""

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from os import pathsep
from pathlib import Path
from typing import Any, Final

import httpx

from shared.testing.processes import SERVICES, Roster

ROOT: Final = Path(__file__).resolve().parent.parent
PATIENCE: Final = 20.0
HURRIES: Final = ("LAME_DUCK",)
"""Settings by which `Roster` makes services end at once; a release from before them refuses to start with one."""
VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class NoRelease(Exception):
    """There is nothing older to compare with; the message says why."""


@dataclass(frozen=True)
class Release:
    """A release and the commit of it."""

    version: str
    commit: str


def git(*arguments: str, root: Path = ROOT) -> str:
    """What git says. Raises CalledProcessError."""
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def last_release(root: Path = ROOT) -> Release:
    """The newest release that is not this very commit: by its tag, or where no tags came along by the commit that froze its contracts."""
    tags = [tag for tag in git("tag", "--list", "v*", root=root).split() if VERSION.fullmatch(tag[1:])]
    found = {tag[1:]: git("rev-list", "-n", "1", tag, root=root) for tag in tags}
    for path in (root / "contracts" / "gateway").glob("*.json"):
        added = git("log", "--diff-filter=A", "--format=%H", "-1", "--", path.relative_to(root).as_posix(), root=root)
        if added:
            found.setdefault(path.stem, added)
    here = git("rev-parse", "HEAD", root=root)
    older = [Release(version, commit) for version, commit in found.items() if commit != here]
    if not older:
        raise NoRelease("there is no release older than this commit: nothing to mix with")
    return max(older, key=lambda one: tuple(map(int, one.version.split("."))))


def unpack(commit: str, folder: Path, root: Path = ROOT) -> str:
    """Lay out a commit's sources; the PYTHONPATH with which they come first."""
    done = subprocess.run(["git", "archive", commit, "shared/src", "services"], cwd=root, check=True, capture_output=True)
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return pathsep.join(str(folder / part / "src") for part in ("shared", *(f"services/{name}" for name in SERVICES)))


def mixtures() -> Iterator[frozenset[str]]:
    """Which services are the older ones: each alone, and all but each."""
    for name in SERVICES:
        yield frozenset({name})
        yield frozenset(SERVICES) - {name}


class Visitor:
    """Someone at the gateway, logged in as its first account."""

    def __init__(self, url: str, password: str) -> None:
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE)
        answer = self._http.post("/v1/session", json={"username": "admin", "password": password})
        assert answer.status_code == 200, answer.text
        self._cookie = answer.headers["set-cookie"].partition(";")[0]
        self._http.cookies.clear()

    def __call__(self, method: str, path: str, *, status: int = 200, **sent: Any) -> Any:
        headers = {"Cookie": self._cookie, **sent.pop("headers", {})}
        answer = self._http.request(method, path, headers=headers, **sent)
        assert answer.status_code == status, f"{method} {path} answers {answer.status_code}: {answer.text[:500]}"
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.text

    def close(self) -> None:
        self._http.close()


def visit(call: Visitor) -> None:
    """Use what services need of each other. Raises AssertionError."""
    ada = call("POST", "/v1/employees", status=201, json={"username": "ada", "email": "ada@example.org"})
    bob = call("POST", "/v1/employees", status=201, json={"username": "bob", "email": "bob@example.org", "manager_id": ada["id"]})
    team = call("POST", "/v1/teams", status=201, json={"slug": "core", "name": "Core"})
    place = f"/v1/teams/{team['id']}/members"
    call("PUT", f"{place}/{ada['id']}", status=201, json={"role": "lead"})
    call("PUT", f"{place}/999", status=404, json={"role": "lead"})
    table = {"Content-Type": "text/csv"}
    report = call("POST", "/v1/memberships/import", content="team,username,role\ncore,bob,member\ncore,zoe,member\n", headers=table)
    assert (report["created"], report["refused"]) == (1, 1), report
    person = call("GET", f"/v1/employees/{bob['id']}?expand=manager,teams")
    assert (person["manager"]["username"], person["teams"]["items"][0]["team"]["slug"]) == ("ada", "core"), person
    members = call("GET", f"/v1/teams/{team['id']}?expand=members")["members"]["items"]
    assert sorted(one["employee"]["username"] for one in members) == ["ada", "bob"], members
    assert call("GET", "/v1/search?q=core")["teams"]["items"][0]["slug"] == "core"
    assert call("GET", f"/v1/org-chart?root={ada['id']}")["root"]["reports"][0]["username"] == "bob"
    assert "core,ada,lead" in call("GET", "/v1/memberships/export")
    call("PATCH", f"/v1/employees/{bob['id']}", status=412, json={"title": "CTO"}, headers={"If-Match": '"77"'})
    call("DELETE", f"/v1/employees/{bob['id']}", status=204)
    until(lambda: [one["employee_id"] for one in call("GET", f"{place}?include=inactive")["items"]] == [ada["id"]], "who was deleted stays")
    call("DELETE", "/v1/session", status=204)


def until(condition: Callable[[], bool], fault: str) -> None:
    """Wait until it holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, fault
        time.sleep(0.05)


def mix(older: frozenset[str], path: str, folder: Path) -> None:
    """A run with these services of the older release. Raises AssertionError, NotStarted."""
    with Roster(folder) as roster:
        for name in older:
            env = getattr(roster, name).env
            env["PYTHONPATH"] = path
            for setting in HURRIES:
                env.pop(f"{name.upper()}_{setting}", None)
        roster.start(*SERVICES)
        visitor = Visitor(roster.gateway.url, roster.admin_password())
        try:
            visit(visitor)
        finally:
            visitor.close()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.skew", description=__doc__)
    parser.add_argument("revision", nargs="?")
    given = parser.parse_args(arguments).revision
    try:
        release = Release(given, git("rev-parse", f"{given}^{{commit}}")) if given else last_release()
    except NoRelease as reason:
        print(reason)
        return 0
    with tempfile.TemporaryDirectory(prefix="roster-") as folder:
        path = unpack(release.commit, Path(folder, "older"))
        for older in mixtures():
            told = f"{', '.join(sorted(older))} of {release.version} with {', '.join(sorted({*SERVICES} - older))} of today"
            mix(older, path, Path(folder, "-".join(sorted(older))))
            print(f"understand each other: {told}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
