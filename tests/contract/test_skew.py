"""Which release is mixed with today's services."""

import subprocess
from pathlib import Path

import pytest

from shared.testing.processes import SERVICES
from tools.skew import NoRelease, last_release, mixtures


class Repository:
    """A repository of the test's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        return subprocess.run(["git", *who, *arguments], cwd=self.root, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, *files: str) -> str:
        for file in files:
            (self.root / file).parent.mkdir(parents=True, exist_ok=True)
            (self.root / file).write_text("{}", "utf-8")
        self.git("add", ".")
        self.git("commit", "-q", "--allow-empty", "-m", "a change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_before_the_first_release_there_is_nothing_to_mix(repository: Repository) -> None:
    repository.commit()
    with pytest.raises(NoRelease):
        last_release(repository.root)


def test_a_release_is_not_mixed_with_itself(repository: Repository) -> None:
    repository.commit("contracts/gateway/0.1.0.json")
    repository.git("tag", "v0.1.0")
    with pytest.raises(NoRelease):
        last_release(repository.root)


def test_the_newest_tag_is_the_last_release(repository: Repository) -> None:
    for version in ("0.9.0", "0.10.0"):
        newest = repository.commit()
        repository.git("tag", f"v{version}")
    repository.git("tag", "vague")
    repository.commit()
    found = last_release(repository.root)
    assert (found.version, found.commit) == ("0.10.0", newest)


def test_without_tags_it_is_the_commit_that_froze_the_contracts(repository: Repository) -> None:
    frozen = repository.commit("contracts/gateway/0.1.0.json")
    repository.commit()
    assert last_release(repository.root).commit == frozen


def test_every_service_is_once_the_only_older_and_once_the_only_newer_one() -> None:
    found = list(mixtures())
    assert {one for one in found if len(one) == 1} == {frozenset({name}) for name in SERVICES}
    assert len(set(found)) == 2 * len(SERVICES)
