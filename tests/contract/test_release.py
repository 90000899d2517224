"""The freezing of a release, into a folder of the test's own."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tools.contracts.documents import SERVICES, current, load, released, today, version_of
from tools.contracts.release import PACKAGES, ROOT, Refused, freeze
from tools.contracts.report import report_all


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What a release reads of the tree: versions and the changelog."""
    for name in (*(f"{package}/pyproject.toml" for package in PACKAGES), "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_release_is_every_document_and_every_pact(tree: Path) -> None:
    written = freeze("0.1.0", tree / "contracts", tree)
    assert {path.relative_to(tree / "contracts").as_posix() for path in written} == {
        "employees/0.1.0.json",
        "teams/0.1.0.json",
        "gateway/0.1.0.json",
        "pacts/0.1.0/gateway-employees.json",
        "pacts/0.1.0/gateway-teams.json",
        "pacts/0.1.0/teams-employees.json",
    }
    assert load(written[0]) == today("employees")
    told = list(report_all({service: today(service) for service in SERVICES}, tree / "contracts"))
    assert told == [(f"{service}: nothing has changed since 0.1.0", False) for service in SERVICES]


def test_a_release_is_never_changed(tree: Path) -> None:
    freeze("0.1.0", tree / "contracts", tree)
    with pytest.raises(Refused, match=r"0\.1\.0 of employees is released already"):
        freeze("0.1.0", tree / "contracts", tree)


def test_a_release_has_the_version_of_the_tree(tree: Path) -> None:
    with pytest.raises(Refused) as told:
        freeze("0.2.0", tree / "contracts", tree)
    assert "shared/pyproject.toml says 0.1.0, not 0.2.0" in str(told.value)
    assert "CHANGELOG.md has nothing about 0.2.0" in str(told.value)
    assert "the document of teams says 0.1.0, not 0.2.0" in str(told.value)
    with pytest.raises(Refused, match="is no version"):
        freeze("1.0", tree / "contracts", tree)


def test_a_release_takes_nothing_back(tree: Path) -> None:
    freeze("0.1.0", tree / "contracts", tree)
    (older,) = (tree / "contracts" / "employees").iterdir()
    document = load(older)
    document["components"]["schemas"]["Employee"]["properties"]["nickname"] = {"type": "string"}
    older.rename(older.with_name("0.0.9.json")).write_text(json.dumps(document), "utf-8")
    with pytest.raises(Refused, match=r"employees takes back what 0\.0\.9 promised: .*nickname"):
        freeze("0.1.0", tree / "contracts", tree)
    lines = [line for line, breaks in report_all({service: today(service) for service in SERVICES}, tree / "contracts") if breaks]
    assert any(re.search("BREAKS +get_employee: nickname of the answer 200 is gone", line) for line in lines)


def test_versions_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "teams").mkdir()
    for version in ("1.10.0", "1.9.0", "0.1.0"):
        (tmp_path / "teams" / f"{version}.json").write_text("{}", "utf-8")
    assert list(released("teams", tmp_path)) == ["0.1.0", "1.9.0", "1.10.0"]
    assert list(current("teams", tmp_path)) == ["1.9.0", "1.10.0"]
    with pytest.raises(ValueError, match="no version"):
        version_of("1.2")
