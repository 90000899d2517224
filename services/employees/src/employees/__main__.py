"""`python -m employees serve|config|migrate|backup|restore|keys`."""

import sys

from employees.app import create_app
from employees.config import Settings
from shared.cli import main

sys.exit(main("employees", create_app, Settings))
