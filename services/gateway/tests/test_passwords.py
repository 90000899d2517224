"""Which passwords are taken, and how they are kept."""

import asyncio
import os
import statistics
import threading
import time

import pytest
from argon2 import PasswordHasher, extract_parameters

from gateway import passwords
from gateway.passwords import QUEUE, Passwords
from shared.errors import Overloaded


@pytest.mark.parametrize(
    "password",
    [
        "purple monkey dishwasher",
        "x9$Lq2!v",
        "tr0ub4dor&3x",
        "ñandú über alles",
        "        a1b2zz",
        "correct horse battery",
        "7" * 3 + "abcdefgz" * 8,
    ],
)
def test_passwords_need_no_composition(password: str) -> None:
    assert passwords.fault(password, "ada") is None


@pytest.mark.parametrize(
    "password",
    [
        *("short", "1234567", "x" * 257, "password", "Password1", "P@ssw0rd!", "p4ssw0rd123", "qwertyuiop", "12345678"),
        *("aaaaaaaa", "abababab", "Lovelace", "lovelace1", "L0velace2024", "changeme1", "welcome2026!", "administrator"),
    ],
)
def test_what_is_guessed_first_is_refused(password: str) -> None:
    assert passwords.fault(password, "lovelace") is not None


async def test_hashes_are_argon2id_of_at_least_46_mib() -> None:
    keeper = Passwords(1)
    kept = await keeper.hash("purple monkey dishwasher")
    parameters = extract_parameters(kept)
    assert kept.startswith("$argon2id$")
    assert parameters.memory_cost >= 46 * 1024
    assert await keeper.check(kept, "purple monkey dishwasher")
    assert not await keeper.check(kept, "purple monkey dishwasher ")
    assert not passwords.stale(kept)
    keeper.close()


async def test_long_passwords_are_not_cut() -> None:
    keeper = Passwords(1)
    kept = await keeper.hash("a" * 100 + "x")
    assert not await keeper.check(kept, "a" * 100 + "y")
    keeper.close()


async def test_accents_may_be_typed_either_way() -> None:
    keeper = Passwords(1)
    assert await keeper.check(await keeper.hash("café au lait"), "cafe\u0301 au lait")
    keeper.close()


async def test_nothing_kept_is_never_right_and_rubbish_neither() -> None:
    keeper = Passwords(1)
    for kept in (None, "", "$argon2id$rubbish", "plain"):
        assert not await keeper.check(kept, "plain")
    keeper.close()


def test_weaker_parameters_are_to_be_made_anew() -> None:
    assert passwords.stale(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("x"))


async def test_an_unknown_user_takes_as_long_as_a_wrong_password() -> None:
    """Figures belong to the benchmarks; here only that neither is skipped."""
    keeper = Passwords(1)
    await keeper.warm()
    kept = await keeper.hash("purple monkey dishwasher")

    async def median(of: str | None) -> float:
        times = []
        for _ in range(7):
            begun = time.thread_time()
            started = time.process_time()
            await keeper.check(of, "wrong")
            times.append(time.process_time() - started - (time.thread_time() - begun))
        return statistics.median(times)

    known, unknown = await median(kept), await median(None)
    assert unknown > known / 3
    keeper.close()


async def test_passwords_are_checked_on_no_more_threads_than_there_are_cores() -> None:
    keeper, cores = Passwords(), os.cpu_count() or 1
    before = set(threading.enumerate())
    checks = [asyncio.ensure_future(keeper.hash("purple monkey dishwasher")) for _ in range(cores + 1)]
    await asyncio.sleep(0)
    assert len(set(threading.enumerate()) - before) == cores
    await asyncio.gather(*checks)
    keeper.close()


async def test_the_loop_turns_while_passwords_are_checked_and_the_queue_ends() -> None:
    keeper = Passwords(1)
    kept = await keeper.hash("purple monkey dishwasher")
    checks = [asyncio.ensure_future(keeper.check(kept, "wrong")) for _ in range(QUEUE + 1)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await keeper.check(kept, "wrong")
    for check in checks:
        check.cancel()
    await asyncio.gather(*checks, return_exceptions=True)
    keeper.close()
