"""The command-line tools, without a server: what they write, and what they say when something is wrong."""

import csv
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import Unauthorized
from shared.identity import Caller, Minter, Trust, Verifier
from tools import import_directory, run, secrets, synthetic
from tools.client import Gateway, Refused
from tools.processes import Fault, listening, lock_folder
from tools.settings import Place, make_keys, make_services

ROOT = Path(__file__).resolve().parent.parent
FILES = ("employees.csv", "teams.csv", "memberships.csv")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def depth(parents: dict[str, str]) -> int:
    """Levels of a tree whose parents come before their children."""
    levels: dict[str, int] = {}
    for child, parent in parents.items():
        levels[child] = levels[parent] + 1 if parent else 1
    return max(levels.values())


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("invented")
    assert synthetic.main(["--people", "600", str(folder)]) == 0
    return folder


def test_an_invented_organisation_is_the_same_for_the_same_seed(invented: Path, tmp_path: Path) -> None:
    assert synthetic.main(["--people", "600", str(tmp_path / "again")]) == 0
    assert synthetic.main(["--people", "600", "--seed", "2", str(tmp_path / "other")]) == 0
    assert all((invented / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in FILES)
    assert (invented / "employees.csv").read_bytes() != (tmp_path / "other" / "employees.csv").read_bytes()


def test_an_invented_organisation_is_deep(invented: Path) -> None:
    assert depth({row["username"]: row["manager"] for row in rows(invented / "employees.csv")}) >= 12
    assert depth({row["slug"]: row["parent"] for row in rows(invented / "teams.csv")}) >= 6


@pytest.mark.parametrize("folder", ["invented", "sample"])
def test_an_organisation_is_consistent(folder: str, invented: Path) -> None:
    home = invented if folder == "invented" else run.SAMPLE
    people = {row["username"]: row for row in rows(home / "employees.csv")}
    teams = {row["slug"] for row in rows(home / "teams.csv")}
    members = [(row["team"], row["username"]) for row in rows(home / "memberships.csv")]
    assert len(people) == len(rows(home / "employees.csv")) == len({row["email"] for row in people.values()})
    assert all(row["manager"] in people for row in people.values() if row["manager"])
    assert all((row["status"] == "inactive") == bool(row["left_on"]) for row in people.values())
    managers = {row["manager"] for row in people.values()}
    assert [name for name, row in people.items() if row["status"] == "inactive" and name in managers] == []
    assert len(set(members)) == len(members)
    assert all(team in teams and people[person]["status"] == "active" for team, person in members)


def test_synthetic_says_what_it_can_not_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert synthetic.main(["--people", "5", str(tmp_path / "file")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_import_says_that_no_gateway_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str], free_port: int) -> None:
    (tmp_path / "admin-password").write_text("secret\n")
    assert import_directory.main(["--var", str(tmp_path), "--port-base", str(free_port), str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"no gateway answers at http://127.0.0.1:{free_port} (`make run` starts one)\n"


def test_import_says_that_there_is_no_password(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_directory.main(["--var", str(tmp_path), str(tmp_path)]) == 1
    assert "no password there" in capsys.readouterr().err


def test_import_wants_an_http_address() -> None:
    with pytest.raises(Refused, match="not an http"):
        Gateway("ftp://example.com")


def test_the_report_names_line_field_and_reason() -> None:
    refusal = {"line": 7, "field": "email", "message": "is taken"}
    report = {"created": 1200, "updated": 0, "unchanged": 3, "refused": 1, "refusals": [refusal]}
    assert list(import_directory.report_lines("employees.csv", report)) == [
        "employees.csv    1,200 created, 0 updated, 3 unchanged, 1 refused",
        "  line 7: email: is taken",
    ]


def test_a_run_holds_its_folder_against_another(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "var"), pytest.raises(Fault, match="another"), lock_folder(tmp_path / "var"):
        pass
    with lock_folder(tmp_path / "var"):
        assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700


def test_a_port_in_use_is_named(free_port: int) -> None:
    with listening({"gateway": free_port}) as sockets:
        assert sockets["gateway"].getsockname() == ("127.0.0.1", free_port)
        with pytest.raises(Fault, match=f"port {free_port} .for gateway. is in use"), listening({"gateway": free_port}):
            raise AssertionError("two listen on one port")
    with listening({"gateway": free_port}):
        pass


def test_keys_are_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    place = Place(tmp_path, 8000)
    make_keys(place)
    before = {path.name: path.read_text() for path in (tmp_path / "keys").iterdir()}
    make_keys(place)
    assert {path.name: path.read_text() for path in (tmp_path / "keys").iterdir()} == before
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert len(before) == 5


def test_no_service_gets_a_private_key_of_another(tmp_path: Path) -> None:
    for service in make_services(Place(tmp_path, 8000)):
        own = {name: value for name, value in service.environment.items() if name.startswith(f"{service.name.upper()}_")}
        assert [value for value in own.values() if value.endswith(".private.json") and service.name not in value] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Secrets, just made."""
    assert secrets.main([str(tmp_path / "secrets")]) == 0
    return tmp_path / "secrets"


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_secrets_are_made_once_in_a_folder_for_the_owner_alone(folder: Path) -> None:
    before = texts(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}
    (folder / "teams.database-url").unlink()
    assert secrets.main([str(folder), "--postgresql", "db.example:6543"]) == 0
    after = texts(folder)
    changed = after.pop("teams.database-url"), before.pop("teams.database-url")
    assert after == before
    assert changed[0].strip().endswith("@db.example:6543/teams")
    assert len({text.partition("@")[0] for name, text in texts(folder).items() if name.endswith("database-url")}) == 3


def test_secrets_that_can_not_be_written_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert secrets.main([str(tmp_path / "file" / "secrets")]) == 1
    assert secrets.main([str(tmp_path / "nowhere"), "--rotate", "gateway"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2] for line in said] == ["Not a directory", "No such file or directory"]


@pytest.mark.parametrize("name", ["gateway", "teams"])
def test_a_signing_key_is_rotated_so_that_each_step_is_understood_by_those_of_the_step_before(name: str, folder: Path) -> None:
    def verified(signing: dict[str, str], trusting: dict[str, str]) -> str:
        caller = Caller("account:1", "ada", "admin", name)
        token = Minter(name, signing[f"{name}.private.json"]).mint(caller, "employees")
        return Verifier("employees", [Trust(name, trusting[f"{name}.public.json"])]).verify(token).subject

    states = [texts(folder)]
    for _ in range(3):
        assert secrets.main([str(folder), "--rotate", name]) == 0
        states.append(texts(folder))
    for before, after in itertools.pairwise(states):
        assert verified(before, after) == verified(after, before) == verified(after, after) == "account:1"
    with pytest.raises(Unauthorized):
        verified(states[0], states[-1])
    assert states[-1].keys() == states[0].keys()


def test_session_keys_are_rotated_so_that_each_step_is_understood_by_those_of_the_step_before(folder: Path) -> None:
    def keys() -> list[str]:
        return (folder / "gateway.session-keys").read_text().split()

    states = [keys()]
    for _ in range(3):
        assert secrets.main([str(folder), "--rotate", "sessions"]) == 0
        states.append(keys())
    for before, after in itertools.pairwise(states):
        assert before[0] in after
        assert after[0] in before
    assert len(states[0]) == len(states[-1]) == 1
    assert states[0] != states[-1]
    assert not (folder / "gateway.upcoming-session-key").exists()


@pytest.mark.parametrize("tool", ["run", "import_directory", "secrets", "synthetic"])
def test_every_tool_explains_itself(tool: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"tools.{tool}", "--help"], cwd=ROOT, check=False, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0
    assert "usage:" in done.stdout
