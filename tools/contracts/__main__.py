"""`python -m tools.contracts pacts | release VERSION | diff`: the files of `contracts/`, written and compared."""

import argparse
import sys

from tools.contracts.asked import PAIRS
from tools.contracts.documents import SERVICES, today
from tools.contracts.pacts import FOLDER, path_of, text_of
from tools.contracts.release import ROOT, Refused, freeze, uncommitted
from tools.contracts.report import report_all


def write_pacts() -> int:
    """Write every pact anew, from what the consumers' tests use."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for (consumer, provider), parts in PAIRS.items():
        path_of(consumer, provider).write_text(text_of(consumer, provider, parts), "utf-8")
        print(path_of(consumer, provider).relative_to(ROOT))
    return 0


def release(version: str) -> int:
    """Freeze what is committed. 1 when it is refused."""
    try:
        if left := uncommitted():
            raise Refused("\n".join(["the tree has what is not committed:", *left]))
        for path in freeze(version):
            print(path.relative_to(ROOT))
    except Refused as refused:
        print(f"not released:\n{refused}", file=sys.stderr)
        return 1
    print(f"commit these, and tag the commit v{version}")
    return 0


def diff() -> int:
    """Tell what has changed since the last release. 1 when it breaks anyone."""
    told = list(report_all({service: today(service) for service in SERVICES}))
    print("\n".join(line for line, _ in told))
    return int(any(breaks for _, breaks in told))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.contracts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("pacts", help="write the pacts anew")
    commands.add_parser("diff", help="what has changed since the last release")
    commands.add_parser("release", help="freeze the documents and pacts").add_argument("version")
    given = parser.parse_args(arguments)
    if given.command == "release":
        return release(given.version)
    return write_pacts() if given.command == "pacts" else diff()


if __name__ == "__main__":
    sys.exit(main())
