"""Makes an account of a run on this machine an admin with another password, whether it runs or not: what `make reset-admin` does."""

import argparse
import subprocess
import sys
from pathlib import Path

from tools.processes import Fault
from tools.settings import Place, make_keys, make_services

DESCRIPTION = """Give an account another password, which is printed, and make it an admin, whatever it was: enabled, linked to no employee
and no OpenID Connect subject, logged out everywhere. The password of the account admin is kept in the folder, too."""


def reset_admin(place: Place, username: str) -> None:
    """The gateway tells the password, and keeps that of the account admin in the folder. Raises Fault in one line."""
    if not (place.var / "gateway.db").exists():
        raise Fault(f"there are no accounts in {place.var}: make run makes the first one")
    make_keys(place)
    gateway = make_services(place)[-1]
    command = [sys.executable, "-m", "gateway", "reset-admin", username]
    done = subprocess.run(command, env=dict(gateway.environment), check=False, capture_output=True, text=True)
    said = (done.stderr + done.stdout).strip()
    if done.returncode:
        raise Fault(f"the password could not be reset: {said.splitlines()[-1] if said else done.returncode}")
    print(said)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("--var", type=Path, default=Path("var"), help="the folder of the data (default: var)")
    parser.add_argument("--username", default="admin", help="the account (default: admin)")
    options = parser.parse_args(arguments)
    try:
        reset_admin(Place(options.var, 8000), options.username)
    except (Fault, OSError) as fault:
        print(f"make reset-admin: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
