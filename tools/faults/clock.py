"""``python -m tools.faults.clock SECONDS SERVICE …``: a service whose clock is so many seconds ahead (behind, when negative)."""

import runpy
import sys
import time


def main() -> None:
    ahead, real = float(sys.argv[1]), time.time
    time.time = lambda: real() + ahead  # before the service is imported, so that all of it has this clock
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
