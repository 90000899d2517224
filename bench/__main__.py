"""``python -m bench [SCENARIO …] [--quick] [--write]``."""

import argparse
import dataclasses
import os
import sys
from pathlib import Path

from bench import report
from bench.machine import LOAD_CORE
from bench.scenarios import SCENARIOS
from bench.scene import QUICK, Figure, Scale, Scene


def main() -> int:
    options = _options()
    scale = QUICK if options.quick else dataclasses.replace(Scale(), rounds=options.rounds, seconds=options.seconds)
    os.sched_setaffinity(0, {LOAD_CORE})
    figures: list[Figure] = []
    command = " ".join(["make bench", *([f'ARGS="{" ".join(sys.argv[1:])}"'] if sys.argv[1:] else [])])
    scene = Scene(options.var.absolute(), scale)
    for name, measure in SCENARIOS.items():
        if not options.scenarios or name in options.scenarios:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            figures += measure(scene)
            if options.write:  # each time: what was measured outlives a scenario that fails
                report.write(report.markdown(figures, scale, command))
    print(report.table(figures))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measures Roster beside the same endpoints written the usual way.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="small and short: shows that the benchmarks work, measures nothing")
    parser.add_argument("--rounds", type=int, default=Scale.rounds)
    parser.add_argument("--seconds", type=float, default=Scale.seconds, help="of each round")
    parser.add_argument("--write", action="store_true", help=f"write the figures into {report.DOCUMENT}")
    parser.add_argument("--var", type=Path, default=Path("var/bench"), help="where databases and logs go; emptied first")
    options = parser.parse_args()
    if unknown := set(options.scenarios) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
