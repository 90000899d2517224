"""Loaded before any test, wherever it lies.

pytest names a test module after its path, so `shared/tests/…` would make a package `shared` of that folder, unless the real one is there.
"""

import shared  # noqa: F401 - imported first, so that pytest takes no folder of tests for it
