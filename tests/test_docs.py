"""The documentation says what is there: endpoints, settings, errors, commands and links are compared with the code."""

import importlib
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from shared.config import load
from shared.errors import TYPE_PREFIX, OtherProblem, Problem
from tools.settings import Place, make_keys, make_services

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("employees", "teams", "gateway")
PAGES = [
    path for pattern in ("*.md", "docs/**/*.md", "services/*/*.md", "shared/*.md", "bench/*.md") for path in sorted(ROOT.glob(pattern))
]


def readme(service: str) -> str:
    return (ROOT / "services" / service / "README.md").read_text("utf-8")


def table_rows(text: str) -> list[list[str]]:
    """The cells of every table row, without code marks."""
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("|")]
    return [[cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]


def endpoints_in(text: str) -> set[tuple[str, str]]:
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    return {(row[0], row[1]) for row in table_rows(text) if len(row) > 1 and row[0] in methods}


def settings_of(service: str) -> type[Any]:
    kind: type[Any] = importlib.import_module(f"{service}.config").Settings
    return kind


async def home_of(service: str, folder: Path) -> set[tuple[str, str]]:
    """Method and path of everything that the service lists at `GET /`."""
    place = Place(folder, 8000)
    make_keys(place)
    environment = next(found.environment for found in make_services(place) if found.name == service)
    app = importlib.import_module(service).create_app(load(settings_of(service), service.upper(), environment))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://testserver") as client:
        listed = (await client.get("/")).json()["endpoints"]
    return {(entry["method"], entry["path"]) for entry in listed}


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_s_readme_lists_its_endpoints(service: str, tmp_path: Path) -> None:
    assert endpoints_in(readme(service)) == await home_of(service, tmp_path)


async def test_the_api_page_lists_the_gateway_s_endpoints(tmp_path: Path) -> None:
    assert endpoints_in((ROOT / "docs/api.md").read_text("utf-8")) == await home_of("gateway", tmp_path)


def as_variable(value: Any) -> str:
    """A default as one would write it into the environment."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple | list) else str(value)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_s_readme_lists_its_settings(service: str) -> None:
    prefix = service.upper()
    fields = msgspec.structs.fields(settings_of(service))
    told = {row[0]: row[1].replace("_", "") for row in table_rows(readme(service)) if row[0].startswith(f"{prefix}_")}
    assert told == {f"{prefix}_{field.name.upper()}": as_variable(field.default).replace("_", "") for field in fields}


def kinds_of(kind: type[Problem]) -> set[type[Problem]]:
    return {kind}.union(*(kinds_of(below) for below in kind.__subclasses__()))


def test_the_page_on_errors_lists_every_error() -> None:
    for service in SERVICES:
        importlib.import_module(f"{service}.errors")
    rows = table_rows((ROOT / "docs/errors.md").read_text("utf-8"))
    told = {(row[0], row[1]) for row in rows if row[0].isdigit()}
    ours = {kind for kind in kinds_of(Problem) - {Problem, OtherProblem} if kind.__module__.split(".")[0] in ("shared", *SERVICES)}
    assert told == {(str(kind.status), TYPE_PREFIX + kind.slug) for kind in ours}


def test_make_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    phony = set(re.findall(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)[0].split())
    targets = set(re.findall(r"^([a-z-]+):", text, flags=re.MULTILINE))
    said = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=30).stdout
    assert targets == phony
    assert set(re.findall(r"^  make (\S+)  +\S", said, flags=re.MULTILINE)) == targets


def test_make_targets_in_the_documentation_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    named = {(str(page.relative_to(ROOT)), name) for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text("utf-8"))}
    assert {(page, name) for page, name in named if name not in targets} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tests_that_are_named_exist(page: Path) -> None:
    """Links whose text is a test's name lead to the file that has it."""
    named = re.findall(r"\[((?:test_|Test)\w+)\]\(([^)#\s]+)\)", page.read_text("utf-8"))
    assert [name for name, file in named if not re.search(rf"\b{name}\b", (page.parent / file).read_text("utf-8"))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_said_to_be_proved_names_its_test(page: Path) -> None:
    """Every row of a table that ends with the column `proved by`."""
    tables = re.findall(r"^\|.*\| proved by \|\n\|[-|]+\n((?:\|.*\n)+)", page.read_text("utf-8"), flags=re.MULTILINE)
    assert [row for table in tables for row in table.splitlines() if not re.search(r"\[(test_|Test)\w+\]\([^|]*\|$", row)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page: Path) -> None:
    assert absent_files(page.read_text("utf-8")) == []


def test_files_that_the_code_names_exist() -> None:
    folders = ("shared", "services", "tools", "tests", "bench", "deploy")
    absent = {str(path.relative_to(ROOT)): absent_files(path.read_text("utf-8")) for one in folders for path in (ROOT / one).rglob("*.py")}
    assert {path: names for path, names in absent.items() if names} == {}


def absent_files(text: str) -> list[str]:
    """Paths in code marks that begin with a folder of the project, and lead nowhere."""
    named = re.findall(r"`((?:docs|tests|tools|shared|services|deploy|bench)/[\w./-]*)`", text)
    return [name for name in named if not (ROOT / name).exists() and not (ROOT / name.rstrip("/")).exists()]


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs/decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
