"""Loaded before any test, wherever it lies.

pytest names a test module after its path, so `shared/tests/…` would make a package `shared` of that folder, unless the real one is there.
"""

from hypothesis import settings

import shared  # noqa: F401 - imported first, so that pytest takes no folder of tests for it

settings.register_profile("unhurried", settings(), deadline=None)  # no test asserts a time: the next machine is slower
settings.load_profile("unhurried")
