"""The services as `make run` runs them: a supervisor that holds the listening sockets, settings in files, restarts by `make restart`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from shared.testing.processes import PATIENT, free_ports
from tools import restart
from tools.faults.scene import Broken, Scene
from tools.settings import Place

ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE: Final = 90.0


class Supervised:
    """A run with an empty directory; leaving the block ends it. `env` has settings of services."""

    def __init__(self, scene: Scene, env: Mapping[str, str]) -> None:
        folder, duck = scene.folder, str(scene.scale.lame_duck)
        self.place = Place(folder / "var", free_ports())
        self.url = self.place.url("gateway")
        self._output = folder / "run.out"
        self._env = {**os.environ, "EMPLOYEES_LAME_DUCK": duck, "TEAMS_LAME_DUCK": duck, "GATEWAY_LAME_DUCK": duck, **env}
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        options = ["--var", str(self.place.var), "--port-base", str(self.place.port_base), "--no-sample"]
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tools.run", *options], cwd=ROOT, env=self._env, stdout=output, stderr=output
            )
        until = time.monotonic() + PATIENCE
        while "What else there is" not in (said := self._output.read_text("utf-8", "replace")):
            if self._process.poll() is not None or time.monotonic() > until:
                raise Broken(f"make run did not start: {said[-2000:]}")
            time.sleep(0.05)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(PATIENCE)

    def restart(self, *services: str) -> None:
        """What `make restart` does. Raises Fault."""
        restart.restart(self.place.var, list(services))

    def log_in(self) -> str:
        """The cookie of a new session."""
        credentials = {"username": "admin", "password": self.place.password.read_text("utf-8").strip()}
        answer = httpx.post(f"{self.url}/v1/session", json=credentials, headers=PATIENT, timeout=30)
        return answer.raise_for_status().headers["set-cookie"].partition(";")[0]
