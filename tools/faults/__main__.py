"""``python -m tools.faults [SCENARIO …] [--quick] [--write]``."""

import argparse
import signal
import sys
import traceback
from pathlib import Path

from tools.faults import report
from tools.faults.scenarios import SCENARIOS
from tools.faults.scene import QUICK, Broken, Figure, Missing, Scale, Scene


def main() -> int:
    """0 when nothing was broken, whether or not the machine was fast enough for every aim."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    scale = QUICK if options.quick else Scale()
    broken = False
    for name in options.scenarios or SCENARIOS:
        print(f"{name:10}", end="", flush=True)
        try:
            with Scene(options.var.absolute() / name, scale, write=options.write) as scene:
                figure = SCENARIOS[name](scene)
        except Missing as missing:
            print(f"left out: {missing}", flush=True)
        except Exception as error:
            broken = True
            print(f"BROKEN    {str(error) or type(error).__name__}", flush=True)
            if not isinstance(error, Broken):
                traceback.print_exc()
        else:
            print(_told(figure), flush=True)
            if options.write and not options.quick:
                report.write_figures({name: figure.line})
    return int(broken)


def _leave(number: int, frame: object) -> None:
    """Through all the blocks, so that what was started is ended; also where a shell has SIGINT ignored."""
    raise SystemExit(128 + number)


def _told(figure: Figure) -> str:
    return f"{'reached' if figure.reached else 'missed':10}{figure.line}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="faults", description="Breaks things on purpose, and tells what became of the rest.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="small and short: shows that the scenarios work, measures nothing")
    parser.add_argument("--write", action="store_true", help=f"write what is found into {report.DOCUMENT}, with --quick no figures")
    parser.add_argument("--var", type=Path, default=Path("var/faults"), help="where databases and logs go; emptied first")
    options = parser.parse_args()
    if unknown := set(options.scenarios) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
