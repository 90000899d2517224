"""Gives the admin of a run on this machine another password, whether it runs at the moment or not: what `make reset-admin` does."""

import argparse
import subprocess
import sys
from pathlib import Path

from tools.processes import Fault
from tools.settings import Place, make_keys, make_services


def reset_admin(place: Place, username: str) -> None:
    """The gateway tells the password, and keeps it in the folder. Raises Fault in one line."""
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
    parser = argparse.ArgumentParser(description="Give the admin another password: printed, and kept in the folder.")
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
