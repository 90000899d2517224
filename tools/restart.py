"""Restarts services of a running `make run` one after the other, without refusing anybody: what `make restart` does."""

import argparse
import fcntl
import os
import signal
import sys
import time
from pathlib import Path

from tools.processes import Fault
from tools.settings import PORTS
from tools.supervisor import FAILED

WITHIN = 240.0
"""Seconds for all of them: each may take a minute to become ready, and some to drain."""


def restart(var: Path, names: list[str]) -> None:
    """Ask the run that uses the folder, and wait until it has done so. Raises Fault."""
    supervisor = _supervisor(var)
    asked = var / "restart"
    part = var / "restart.part"
    part.write_text("\n".join(names), "utf-8")
    part.replace(asked)
    os.kill(supervisor, signal.SIGUSR1)
    until = time.monotonic() + WITHIN
    while time.monotonic() < until:
        try:
            said = asked.read_text("utf-8")
        except FileNotFoundError:
            return
        if said.startswith(FAILED):
            asked.unlink()
            raise Fault(said.removeprefix(FAILED))
        _supervisor(var)
        time.sleep(0.1)
    raise Fault(f"not done within {WITHIN:.0f} seconds; see {var}/log")


def _supervisor(var: Path) -> int:
    """The process that holds the folder."""
    try:
        with (var / "lock").open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return int(lock.read())
    except (OSError, ValueError):
        pass
    raise Fault(f"no `make run` uses {var}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Restart services of a running make run.")
    parser.add_argument("--var", type=Path, default=Path("var"), help="the run's folder (default: var)")
    parser.add_argument("services", nargs="*", metavar="service", help=f"which (default: all): {', '.join(PORTS)}")
    options = parser.parse_args(arguments)
    names = options.services or ["employees", "teams", "gateway"]
    try:
        for name in names:
            if name not in PORTS:
                raise Fault(f"{name!r} is none of {', '.join(PORTS)}")
        restart(options.var, names)
    except Fault as fault:
        print(f"make restart: {fault}", file=sys.stderr)
        return 1
    print(f"restarted: {', '.join(names)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
