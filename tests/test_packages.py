"""What the packages say they need is what they import, and the lock files hold all of it, with hashes and without addresses."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import shared

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"shared": ROOT / "shared", **{name: ROOT / "services" / name for name in ("employees", "teams", "gateway")}}
PYTHONS = ("3.11", "3.12", "3.13")


@cache
def project(package: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((PACKAGES[package] / "pyproject.toml").read_text("utf-8"))
    return found


def declared(package: str) -> dict[str, Requirement]:
    found = [Requirement(text) for text in project(package)["project"]["dependencies"]]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


BY_NAME = {"shared": {"uvloop"}}
"""What is loaded by its name alone: uvicorn's event loop."""


def imported(package: str) -> set[str]:
    """Top-level names that are neither Python's nor the package's own; `shared.testing` has the developers' packages."""
    names: set[str] = set(BY_NAME.get(package, ()))
    for path in (PACKAGES[package] / "src").rglob("*.py"):
        if "testing" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {package}


@cache
def distributions() -> dict[str, list[str]]:
    return {**{name: [name] for name in PACKAGES}, **packages_distributions()}


def locked(name: str) -> dict[str, list[tuple[Version, Requirement]]]:
    """Each distribution's pinned versions: several when the Pythons need different ones."""
    found: dict[str, list[tuple[Version, Requirement]]] = {}
    for line in (ROOT / name).read_text("utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line.removesuffix("\\").strip())
            version = Version(next(iter(requirement.specifier)).version)
            found.setdefault(canonicalize_name(requirement.name), []).append((version, requirement))
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_folder_distribution_and_import_are_one_word(package: str) -> None:
    assert project(package)["project"]["name"] == package
    assert (PACKAGES[package] / "src" / package / "__init__.py").is_file()
    assert project(package)["build-system"]["build-backend"] == "flit_core.buildapi"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_the_version_that_services_tell(package: str) -> None:
    assert project(package)["project"]["version"] == shared.VERSION


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_imported_is_declared(package: str) -> None:
    missing = [
        name
        for name in imported(package)
        if not {canonicalize_name(found) for found in distributions().get(name, [name])} & declared(package).keys()
    ]
    assert missing == []


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_declared_is_imported(package: str) -> None:
    used = {canonicalize_name(found) for name in imported(package) for found in distributions().get(name, [])}
    assert declared(package).keys() - used == set()


def developers_packages() -> dict[str, Requirement]:
    group = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["dev"]
    return {canonicalize_name(Requirement(text).name): Requirement(text) for text in group}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_holds_what_is_declared(name: str, python: str) -> None:
    """For every Python that Roster runs on, exactly one version of each dependency, and one that fits; `make lock` makes it so."""
    wanted = [(canonical, found) for package in PACKAGES for canonical, found in declared(package).items() if canonical not in PACKAGES]
    if name == "requirements-dev.txt":
        wanted += developers_packages().items()
    lock = locked(name)
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "implementation_name": "cpython",
    }
    for canonical, requirement in wanted:
        here = [version for version, pin in lock.get(canonical, []) if pin.marker is None or pin.marker.evaluate(environment)]
        assert len(here) == 1, f"{canonical} on {python}: {here}"
        assert here[0] in requirement.specifier, f"{canonical} {here[0]} is not {requirement.specifier}"


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_has_hashes_and_names_no_address(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    blocks = re.split(r"^(?=[a-z0-9])", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE | re.IGNORECASE)
    assert [block.splitlines()[0] for block in blocks if block.strip() and "--hash=sha256:" not in block] == []
    assert re.findall(r"\w+://\S+|^-.*|.* @ .*", text, flags=re.MULTILINE) == []


def test_the_developers_lock_holds_the_same_versions() -> None:
    ours, theirs = locked("requirements.txt"), locked("requirements-dev.txt")
    assert {name: [version for version, _ in pins] for name, pins in ours.items()} == {
        name: [version for version, _ in theirs.get(name, [])] for name in ours
    }
