"""`python -m employees serve|config|migrate|backup|restore|head|verify|keys`."""

import sys

from employees.app import create_app
from employees.config import Settings
from employees.store import AUDIT
from shared.cli import main

if __name__ == "__main__":
    sys.exit(main("employees", create_app, Settings, audit=AUDIT))
