"""`python -m teams serve|config|migrate|backup|restore|keys`."""

import sys

from shared.cli import main
from teams.app import create_app
from teams.config import Settings

if __name__ == "__main__":
    sys.exit(main("teams", create_app, Settings))
