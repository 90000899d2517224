"""`python -m teams serve|config|migrate|backup|restore|head|verify|keys`."""

import sys

from shared.cli import main
from teams.app import create_app
from teams.config import Settings
from teams.store import AUDIT

if __name__ == "__main__":
    sys.exit(main("teams", create_app, Settings, audit=AUDIT))
