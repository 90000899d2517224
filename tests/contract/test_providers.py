"""The services keep the pacts: each exchange is asked of a living service, in the state that it names, on both databases."""

from pathlib import Path

import pytest

from shared.testing.databases import database_url  # noqa: F401 - a fixture, found by name
from tools.contracts.asked import PAIRS
from tools.contracts.documents import current
from tools.contracts.pacts import FOLDER, path_of, text_of
from tools.contracts.states import world_of
from tools.contracts.verification import verify


@pytest.mark.parametrize(("consumer", "provider"), PAIRS)
def test_the_file_is_what_the_consumer_asks_today(consumer: str, provider: str) -> None:
    kept = path_of(consumer, provider)
    assert kept.read_text("utf-8") == text_of(consumer, provider, PAIRS[consumer, provider]), "make pacts writes it anew"


@pytest.mark.parametrize(("consumer", "provider"), PAIRS)
async def test_the_provider_keeps_the_pact(consumer: str, provider: str, database_url: str) -> None:  # noqa: F811 - the fixture
    async with world_of(consumer, provider, database_url).living() as world:
        await verify(consumer, world)


RELEASED = [(*pair, version) for pair in PAIRS for version in current(pair[1]) if (FOLDER / version).is_dir()]


@pytest.mark.parametrize(("consumer", "provider", "version"), RELEASED)
async def test_the_provider_keeps_the_pact_of_a_release(consumer: str, provider: str, version: str, tmp_path: Path) -> None:
    async with world_of(consumer, provider, f"sqlite:///{tmp_path / 'provider.db'}").living() as world:
        await verify(consumer, world, FOLDER / version / f"{consumer}-{provider}.json")
