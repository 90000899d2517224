"""The three services as real processes, and what such tests may ask of the machine."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testing.databases import postgresql_url  # noqa: F401 - a fixture, found by name
from shared.testing.processes import Roster
from shared.testing.redis import redis  # noqa: F401 - a fixture, found by name


@pytest.fixture
def roster(tmp_path: Path) -> Iterator[Roster]:
    """The services, not started; whatever runs at the end is killed."""
    with Roster(tmp_path) as roster:
        yield roster


@pytest.fixture(scope="session")
def strace() -> str:
    """The path of strace. Skips without it, unless everything is required."""
    found = shutil.which("strace")
    if found is None:
        if os.environ.get("ROSTER_REQUIRE_SERVICES") == "1":
            pytest.fail("strace is not installed, and ROSTER_REQUIRE_SERVICES=1 demands it")
        pytest.skip("strace is not installed")
    return found
