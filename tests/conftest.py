"""What tests across services share."""

import pytest

from shared.testing.processes import free_port as find_free_port


@pytest.fixture
def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on now."""
    return find_free_port()
