"""Each package built as a wheel and installed alone, with what the lock file has for it: it starts, answers, and passes its own tests.

`python -m tools.independence [package …]`: all of them without a name. In each fresh environment are the package, `shared`, and what
these say they need, never another service. Takes minutes, most of them for installing.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import ZipFile

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = {**{name: ROOT / "services" / name for name in ("gateway", "teams", "employees")}, "shared": ROOT / "shared"}
"""Where they are; those that take longest first."""
AT_ONCE: Final = 2
RUNNER: Final = ("pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist")
FOR_TESTS: Final = (*RUNNER, "hypothesis", "jsonschema", "openapi-spec-validator", "h11", "packaging")
"""What a package's tests need beside the package."""

SERVE: Final = """
import http.client, os, socket, subprocess, sys, time
from shared.identity import generate_key
name = sys.argv[1]
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
own = {"PORT": str(port), "DATABASE_URL": f"sqlite:///{name}.db"}
if name == "gateway":
    own |= {"SIGNING_KEY": generate_key("gateway")[0], "SESSION_KEYS": "k" * 40, "ADMIN_PASSWORD_FILE": "password"}
else:
    own["OPEN"] = "true"
settings = {f"{name.upper()}_{field}": value for field, value in own.items()}
process = subprocess.Popen([sys.executable, "-m", name, "serve"], env={"PATH": os.environ["PATH"], **settings})
try:
    for path in ("/readyz", "/", "/openapi.json"):
        until = time.monotonic() + 30
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                assert answer.status == 200, (path, answer.status, answer.read())
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < until, "it does not answer"
                time.sleep(0.05)
            finally:
                connection.close()
finally:
    process.terminate()
    assert process.wait(20) == 0
"""


class Dependent(Exception):
    """A package does not stand alone; the message says where it leans."""


@dataclass(frozen=True)
class Requirement:
    """One package of a lock file: its lines, and what it is there for."""

    name: str
    lines: str
    needed_by: frozenset[str]


def locked(path: Path) -> Iterator[Requirement]:
    """The requirements of a lock file."""
    for block in re.split(r"\n(?=[A-Za-z0-9])", path.read_text("utf-8")):
        if found := re.match(r"([A-Za-z0-9._-]+)(\[[^\]]*\])?==", block):
            named = re.findall(r"#\s+(?:via\s+)?([A-Za-z0-9._-]+)", block)
            yield Requirement(_plain(found[1]), block, frozenset(map(_plain, named)))


def needed(path: Path, roots: Sequence[str], names: Sequence[str] = ()) -> list[Requirement]:
    """What a lock file has for these roots (packages of ours), or for these packages, and for what those need."""
    every = list(locked(path))
    found = {_plain(name) for name in names}
    while True:
        more = {one.name for one in every if one.needed_by & (found | set(roots))} | found
        if more == found:
            return [one for one in every if one.name in found]
        found = more


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def run(command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None) -> None:
    """Run to its end. Raises Dependent with what it said."""
    done = subprocess.run(
        [*map(str, command)], cwd=folder, env=env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise Dependent(f"{' '.join(map(str, command))[:300]} failed:\n{done.stdout[-6000:]}")


def build(package: str, wheels: Path) -> Path:
    """Build a wheel and look whether everything is in it. Raises Dependent."""
    run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "-w",
            wheels,
            PACKAGES[package],
        ],
        ROOT,
    )
    (wheel,) = wheels.glob(f"{package}-*.whl")
    with ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    source = PACKAGES[package] / "src"
    wanted = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    if missing := sorted(wanted - inside):
        raise Dependent(f"the wheel of {package} lacks {', '.join(missing)}")
    return wheel


def install(package: str, wheels: Mapping[str, Path], folder: Path) -> Path:
    """A fresh environment with a package alone; its Python. Raises Dependent."""
    environment = folder / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    own = {package, "shared"}
    lock = folder / "requirements.txt"
    lock.write_text("\n".join(one.lines for one in needed(ROOT / "requirements.txt", sorted(own))) + "\n", "utf-8")
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    run([*pip, "--only-binary", ":all:", "--require-hashes", "-r", lock], folder)
    run([*pip, "--no-deps", "--no-index", *(wheels[name] for name in sorted(own))], folder)
    run([python, "-m", "pip", "check"], folder)
    others = sorted(PACKAGES.keys() - own)
    alone = f"import importlib.util; import {package}; assert not [name for name in {others} if importlib.util.find_spec(name)]"
    run([python, "-I", "-c", alone], folder)
    return python


def check_tests(package: str, python: Path, folder: Path) -> None:
    """Run a package's tests against what is installed, away from the source tree. Raises Dependent."""
    lock = folder / "requirements-tests.txt"
    lock.write_text("\n".join(one.lines for one in needed(ROOT / "requirements-dev.txt", (), FOR_TESTS)) + "\n", "utf-8")
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    run([*pip, "--only-binary", ":all:", "--require-hashes", "-r", lock], folder)
    tests = folder / "tests"
    shutil.copytree(PACKAGES[package] / "tests", tests, ignore=shutil.ignore_patterns("__pycache__"))
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    lines = [f"{name} = {options[name]}" for name in ("addopts", "asyncio_mode", "asyncio_default_fixture_loop_scope", "timeout")]
    filters = "".join(f"\n    {one}" for one in options["filterwarnings"])
    (folder / "pytest.ini").write_text("\n".join(["[pytest]", *lines, f"filterwarnings ={filters}"]) + "\n", "utf-8")
    which = [] if package == "shared" else ["-k", "not postgresql"]  # the drivers are shared's; `make test` has the rest
    run([python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *which, "tests"], folder)


def prove(package: str, wheels: Mapping[str, Path], folder: Path) -> bool:
    """All of it for one package; tells how it went."""
    began = time.monotonic()
    folder.mkdir()
    try:
        python = install(package, wheels, folder)
        if package != "shared":
            (folder / "serve.py").write_text(SERVE, "utf-8")
            run([python, "serve.py", package], folder)
        check_tests(package, python, folder)
    except Dependent as fault:
        print(f"{package} does not stand alone: {fault}", file=sys.stderr, flush=True)
        return False
    print(f"{package} installs alone, starts, answers, and passes its tests ({time.monotonic() - began:.0f} s)", flush=True)
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.independence", description=__doc__)
    parser.add_argument("packages", nargs="*", choices=[[], *PACKAGES], metavar="package")
    chosen = parser.parse_args(arguments).packages or list(PACKAGES)
    with tempfile.TemporaryDirectory(prefix="roster-") as folder:
        wheels = {package: build(package, Path(folder)) for package in PACKAGES}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            stand = [*pool.map(lambda package: prove(package, wheels, Path(folder, package)), chosen)]
    return 0 if all(stand) else 1


if __name__ == "__main__":
    sys.exit(main())
