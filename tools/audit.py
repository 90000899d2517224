"""The logs of what `make run` keeps: their heads, to be noted elsewhere (`make audit-head`), and their verification (`make verify-audit`).

Each service looks at its own database, by `python -m <service> head` and `verify`, whether it runs or not.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from tools.processes import Fault
from tools.settings import Place, make_services


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Look at the logs of the three services.")
    parser.add_argument("command", choices=["head", "verify"])
    parser.add_argument("--var", type=Path, default=Path("var"), help="the folder of `make run` (default: var)")
    parser.add_argument("--head", type=Path, help="a file of what `head` printed earlier, which must still hold")
    options = parser.parse_args(arguments)
    if not options.var.is_dir():
        print(f"{options.var}: there is no such folder (`make run` makes it)", file=sys.stderr)
        return 1
    noted = ["--head", str(options.head)] if options.head and options.command == "verify" else []
    try:
        services = make_services(Place(options.var, 8000))
    except Fault as fault:
        print(fault, file=sys.stderr)
        return 1
    failed = False
    for service in services:
        command = [sys.executable, "-m", service.name, options.command, *noted]
        failed |= subprocess.run(command, env=dict(service.environment), check=False).returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
