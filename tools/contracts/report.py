"""What has changed since the last release, told in words, and whom it breaks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.contracts.consumers import broken, uses_of
from tools.contracts.differences import compare
from tools.contracts.documents import FOLDER, SERVICES, load, released


def report(service: str, version: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], bool]:
    """The lines about one service, and whether anything breaks."""
    differences = compare(old, new)
    if not differences:
        return [f"{service}: nothing has changed since {version}"], False
    uses = uses_of(service, old)
    lines = [f"{service}, since {version}:"]
    for one in differences:
        lines.append(f"  {'BREAKS  ' if one.breaking else 'harmless'}  {one}")
        if one.breaking:
            lines += [f"            for {who}" for who in broken(service, one, uses) or ["nobody here; for clients that are not ours"]]
    return lines, any(one.breaking for one in differences)


def report_all(documents: Mapping[str, Any], folder: Path = FOLDER) -> Iterator[tuple[str, bool]]:
    """Line by line, each with whether its service breaks anyone."""
    for service in SERVICES:
        every = released(service, folder)
        if not every:
            yield f"{service}: nothing has been released yet", False
            continue
        version, path = list(every.items())[-1]
        lines, breaks = report(service, version, load(path), documents[service])
        yield from ((line, breaks) for line in lines)
