"""A whole organisation goes in through the gateway, and comes out the same; going in again changes nothing.

As `make run` starts it, and with two processes of each service on PostgreSQL.
"""

import csv
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import BARE, Door, make, replicated
from tools import synthetic
from tools.client import Gateway

ROOT = Path(__file__).resolve().parent.parent.parent
REAL = ROOT.parent / "shared" / "data" / "kubernetes-org"
KEYS = {"employees": ("username",), "teams": ("slug",), "memberships": ("team", "username")}
pytestmark = pytest.mark.timeout(300)

Rows = dict[tuple[str, ...], dict[str, str]]


def rows(path: Path, kind: str, columns: list[str] | None = None) -> Rows:
    """The rows of a file by their natural key, of all or of some columns."""
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file, strict=True))
    by_key = {tuple(row[column] for column in KEYS[kind]): {name: row[name] for name in columns or row} for row in found}
    assert len(by_key) == len(found)
    return by_key


def header(path: Path) -> list[str]:
    return path.read_text("utf-8").partition("\n")[0].strip().split(",")


def export(run: Door, folder: Path) -> Path:
    """All three files, by curl, as a user would."""
    folder.mkdir()
    run.shell('curl -sS -c var/cookies -u "admin:$(cat var/admin-password)" -X POST http://127.0.0.1:8000/v1/session')
    for kind in KEYS:
        run.shell(f"curl -sS -b var/cookies -o {folder}/{kind}.csv http://127.0.0.1:8000/v1/{kind}/export")
    return folder


def load(run: Door, folder: Path) -> str:
    """What `make import` prints; it must succeed."""
    command = make("import", f"DIR={folder}", f"ROSTER_VAR={run.var}", f"ROSTER_PORT_BASE={run.base}")
    done = subprocess.run(command, cwd=ROOT, env=BARE, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=["real", "synthetic"])
def organisation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "real":
        if not REAL.is_dir():
            pytest.skip(f"the real organisation is not there: {REAL}")
        return REAL
    folder = tmp_path_factory.mktemp("synthetic")
    assert synthetic.main(["--people", "1500", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module", params=["one of each", "two of each"])
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    """The gateway of an empty directory."""
    if request.param == "one of each":
        yield request.getfixturevalue("empty")
        return
    with replicated() as replicas:
        yield Door(replicas.folder, replicas.gateway.port)


@pytest.fixture(scope="module")
def gateway(door: Door) -> Iterator[Gateway]:
    client = door.log_in()
    yield client
    client.log_out()


def test_an_organisation_comes_out_as_it_went_in(organisation: Path, door: Door, tmp_path: Path) -> None:
    first = load(door, organisation)
    assert [line for line in first.splitlines() if not line.endswith(" 0 refused")] == []
    out = export(door, tmp_path / "out")
    for kind in KEYS:
        put_in, columns = organisation / f"{kind}.csv", header(organisation / f"{kind}.csv")
        went_in, came_out = rows(put_in, kind), rows(out / f"{kind}.csv", kind, columns)
        assert {key: came_out.get(key) for key in went_in} == went_in
        assert f"{len(went_in):,} created" in first

    again = load(door, organisation)
    assert "nothing changed" in again
    assert again.count("0 created, 0 updated") == 3
    own = load(door, out)  # what was exported is an import that changes nothing
    assert "nothing changed" in own


def test_what_is_refused_is_told_line_by_line(door: Door, gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "employees.csv").write_text(
        "username,email,manager\nfine.person,fine@roster.example,\nlost,lost@roster.example,nobody.at-all\nbad,no-address,\n"
    )
    command = make("import", f"DIR={tmp_path}", f"ROSTER_VAR={door.var}", f"ROSTER_PORT_BASE={door.base}")
    done = subprocess.run(command, cwd=ROOT, env=BARE, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "1 created, 0 updated, 0 unchanged, 2 refused" in done.stdout
    assert "  line 3: manager: " in done.stdout
    assert "  line 4: email: " in done.stdout
    assert len(gateway.get("/v1/employees?username=fine.person,lost,bad").require()["items"]) == 1


def test_a_folder_without_files_is_one_line(door: Door, tmp_path: Path) -> None:
    command = make("import", f"DIR={tmp_path}", f"ROSTER_VAR={door.var}", f"ROSTER_PORT_BASE={door.base}")
    done = subprocess.run(command, cwd=ROOT, env=BARE, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert f"{tmp_path}: no employees.csv, teams.csv or memberships.csv there" in done.stderr
