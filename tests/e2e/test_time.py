"""Every command that docs/time.md shows is run here, as it stands there and in that order."""

import csv
import json
import re
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, Run
from tests.e2e.test_readme import commands

PAGE = ROOT / "docs/time.md"
pytestmark = pytest.mark.timeout(300)


def shown() -> Any:
    """The entry of a history that the page shows."""
    (block,) = re.findall(r"^```json\n(.*?)^```", PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return json.loads(block)


def lasting(entry: Any) -> Any:
    """An entry without what is another each time."""
    changes = [one | {"old": None} if one["field"] == "since" else one for one in entry["changes"]]
    return {name: value for name, value in entry.items() if name not in ("at", "request_id")} | {"changes": changes}


def test_the_page_on_time_says_what_happens(sample: Run) -> None:
    answers = {line: sample.shell(line) for line in commands(PAGE)}

    def answer(*parts: str) -> str:
        return next(text for line, text in answers.items() if all(part in line for part in parts))

    then = (sample.var / "then").read_text().strip()
    before = answer("-i ")
    assert "Chief Curiosity" not in before
    stated = {name.lower(): value for name, _, value in (line.partition(": ") for line in before.splitlines())}
    assert stated["x-as-of"] == then.replace("Z", ".000000Z")
    assert stated["x-as-of-stable"] > stated["x-as-of"]
    assert "Chief Curiosity" in answer("date -u", "fields=")
    assert json.loads(answer("department=Research&as_of"))["total"] == 0
    assert 9 in [one["employee_id"] for one in json.loads(answer("effective-members"))["items"]]
    expanded = json.loads(answer("expand=manager,teams"))
    assert 4 in [one["team"]["id"] for one in expanded["teams"]["items"]]
    assert expanded["manager"]["id"] == expanded["manager_id"]
    assert json.loads(answer("org-chart"))["root"]["id"] == 1
    with (sample.var / "employees-then.csv").open(newline="") as file:
        assert "Chief Curiosity Officer" not in {row["title"] for row in csv.DictReader(file)}
    assert json.loads(answer("as_of=2020-01-31")) == {"items": [], "next": None}
    changed = json.loads(answer("employees/9/history"))["items"][0]["changes"]
    assert {"title", "department"} >= {one["field"] for one in changed} >= {"title"}
    last = json.loads(answer("teams/4/history"))["items"][0]
    assert last.keys() == shown().keys()
    assert lasting(last) == lasting(shown())
