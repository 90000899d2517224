"""What every service of Roster does the same way; it knows no domain."""

from typing import Final

VERSION: Final = "0.1.0"
"""What services tell of themselves: the version of all packages, here since where they run from their source none is installed."""
