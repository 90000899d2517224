"""Passwords: which are taken, and how they are kept (argon2id, 46 MiB, one pass: OWASP's first recommendation)."""

import asyncio
import os
import secrets
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from importlib import resources
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.errors import Overloaded

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 256

T = TypeVar("T")

QUEUE: Final = 32
"""Checks that may wait for a free thread; one more is refused, so that log-ins alone cannot fill the memory."""

BEHIND: Final = 5
"""By how much the nice value of the threads is above the process's."""

_PLAIN: Final = str.maketrans("013457@$!", "oieastasi")
_TAIL: Final = "0123456789!?.#*_-@$%&+"
_TAIL_LENGTH: Final = 6

_HASHER: Final = PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)


def fault(password: str, username: str) -> str | None:
    """Why this may not be a password, or None. Length and well-known passwords count; composition does not (ASVS 6.2)."""
    if len(password) < MIN_LENGTH:
        return f"must have at least {MIN_LENGTH} characters"
    if len(password) > MAX_LENGTH:
        return f"must have at most {MAX_LENGTH} characters"
    return "is too easily guessed" if _guessable(password.casefold(), username.casefold()) else None


def _guessable(password: str, username: str) -> bool:
    """Whether it is a common word or the username, plain or in the usual dress: letters as digits, a few digits or signs behind."""
    bare = password.rstrip(_TAIL)
    if len(password) - len(bare) > _TAIL_LENGTH:
        bare = password
    guesses = {password, bare, bare.translate(_PLAIN)}
    return len(set(password)) < 3 or username in guesses or not guesses.isdisjoint(_common())


@cache
def _common() -> frozenset[str]:
    text = (resources.files(__package__) / "common_passwords.txt").read_text("utf-8")
    return frozenset(text.casefold().split())


class Passwords:
    """Hashes and checks off the event loop, on at most as many threads as there are cores; `most` may be under way or wait."""

    def __init__(self, workers: int | None = None, *, most: int | None = None) -> None:
        self._workers = workers or max(1, os.cpu_count() or 1)
        self._most = self._workers + QUEUE if most is None else max(self._workers, most)
        self._threads: ThreadPoolExecutor | None = None
        self._waiting = 0
        self._dummy: str | None = None

    async def hash(self, password: str) -> str:
        """The argon2id text of a password. Raises Overloaded (503)."""
        return await self._run(_hash, password)

    async def check(self, kept: str | None, password: str) -> bool:
        """Whether the password is the one kept. Without anything kept it takes as long, and is False. Raises Overloaded (503)."""
        if kept is None:
            if self._dummy is None:
                self._dummy = await self._run(_hash, secrets.token_hex())
            await self._run(_check, self._dummy, password)
            return False
        return await self._run(_check, kept, password)

    async def warm(self) -> None:
        """Make what the check of an unknown user needs, so that the first one takes no longer than the others."""
        await self.check(None, "")

    def close(self) -> None:
        """End the threads; checks that have not begun are dropped."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    async def _run(self, work: Callable[..., T], *args: str) -> T:
        if self._waiting >= self._most:
            raise Overloaded("Too many passwords are being checked.")
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._workers, thread_name_prefix="passwords", initializer=_step_back)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._waiting -= 1


def _step_back() -> None:
    """Let every other thread and process go first: a check is 50 ms of processor, and the event loop needs microseconds, at once."""
    if sys.platform == "linux":  # elsewhere the priority is the process's
        thread = threading.get_native_id()
        with suppress(OSError):  # forbidden by who hardened the process: a check is as good without
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + BEHIND)


def stale(kept: str) -> bool:
    """Whether the kept text was made with weaker parameters than today's, and is to be made anew at the next log-in."""
    return _HASHER.check_needs_rehash(kept)


def _hash(password: str) -> str:
    return _HASHER.hash(_bytes(password))


def _bytes(password: str) -> bytes:
    """One spelling of a password however its accents were typed."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _check(kept: str, password: str) -> bool:
    try:
        return _HASHER.verify(kept, _bytes(password))
    except (VerificationError, InvalidHashError):
        return False
