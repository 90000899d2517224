"""wrk as a load: for servers that answer faster than a load written in Python can ask. It checks statuses, not bodies."""

import json
import resource
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.load import Result
from bench.machine import LOAD_CORE
from bench.proxies import program

SHARES: Final = 1_000
"""Latencies that are kept of a round: its percentiles, in equal steps."""


@dataclass
class Wrk:
    """GET of `path` with a number from 1 to `numbers` behind it, with these headers; `folder` is for its script."""

    port: int
    path: str
    headers: Mapping[str, str]
    folder: Path
    connections: int = 32
    numbers: int = 100_000

    def run(self, *, seconds: float, warmup: float, cpu: Callable[[], float]) -> Result:
        """One round, as `bench.load.Load.run`; seconds are whole ones, and one at least."""
        self._wrk(warmup)
        before, load_before = cpu(), _children()
        told = self._wrk(seconds)
        return Result(
            seconds=told["duration"] / 1e6,
            count=told["requests"] - told["errors"],
            latencies=[latency / 1e6 for latency in told["latencies"]],
            errors=told["errors"],
            cpu=cpu() - before,
            load_cpu=_children() - load_before,
        )

    def _wrk(self, seconds: float) -> dict[str, Any]:
        script = self.folder / "load.lua"
        script.write_text(f'local PATH, NUMBERS, SHARES = "{self.path}", {self.numbers}, {SHARES}\n{_SCRIPT}', "utf-8")
        headers = [part for name, value in self.headers.items() for part in ("-H", f"{name}: {value}")]
        command = [program("wrk"), "-t1", f"-c{self.connections}", f"-d{max(1, round(seconds))}s", "-s", str(script), *headers]
        command = ["taskset", "-c", str(LOAD_CORE), *command, f"http://127.0.0.1:{self.port}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30)
        found: dict[str, Any] = json.loads(done.stdout.rpartition("told: ")[2])
        return found


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


_SCRIPT: Final = """
local number = 0
request = function()
  number = number % NUMBERS + 1
  return wrk.format("GET", PATH .. number)
end
done = function(summary, latency)
  local errors, shares = summary.errors, {}
  for share = 1, SHARES do shares[share] = latency:percentile(share * 100 / SHARES) end
  io.write(string.format('told: {"duration": %d, "requests": %d, "errors": %d, "latencies": [%s]}', summary.duration, summary.requests,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout, table.concat(shares, ",")))
end
"""
