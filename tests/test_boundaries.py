"""The rules of the house, each asked of the source itself. `docs/architecture.md` says why they are there."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("employees", "teams", "gateway")
FILES = ("__init__", "__main__", "app", "config", "routes", "schemas", "store", "models", "errors")
FUNCTION_LINES = 40
FILE_LINES = 300
DOMAIN_WORDS = re.compile(r"(?<![a-z])(employee|team|membership|department|colleague|org[ _-]?chart)s?(?![a-z])", re.IGNORECASE)

LAYERS = {
    "errors": set[str](),
    "config": set[str](),
    "models": set[str](),
    "schemas": {"models", "errors"},
    "store": {"models", "errors"},
    "clients": {"errors", "schemas"},
    "routes": {"schemas", "store", "errors", "clients"},
}
"""What a file may import of its own service, besides the files that only it has. Some routes have a client where others have a store."""


@dataclass(frozen=True)
class Module:
    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.parts[0]

    @property
    def parts(self) -> tuple[str, ...]:
        """The dotted name: ("employees", "store", "lists")."""
        below = self.path.relative_to(next(root for root in ROOTS.values() if self.path.is_relative_to(root))).with_suffix("").parts
        return below[:-1] if below[-1] == "__init__" and len(below) > 1 else below

    @property
    def layer(self) -> str:
        """The file, or the package that it was split into: "store" for store/lists.py."""
        return self.parts[1] if len(self.parts) > 1 else "__init__"

    def imports(self) -> Iterator[str]:
        """Full names of what is imported: modules, and `module.name` for each name taken from one."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.path}: relative import"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))


ROOTS = {"shared": ROOT / "shared/src", **{service: ROOT / "services" / service / "src" for service in SERVICES}}


def read(path: Path) -> Module:
    return Module(path, ast.parse(path.read_text("utf-8"), str(path)))


MODULES = [read(path) for root in ROOTS.values() for path in sorted(root.rglob("*.py"))]
EVERYTHING = MODULES + [
    read(path)
    for folder in ("tests", "tools", "bench", "shared/tests", *(f"services/{service}/tests" for service in SERVICES))
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def of_service(service: str) -> list[Module]:
    return [module for module in MODULES if module.package == service]


def is_for_tests(module: Module) -> bool:
    """`shared.testing` starts the real services, so it names them and hands their processes an environment."""
    return module.parts[:2] == ("shared", "testing")


def importers(name: str) -> list[Module]:
    """The modules that import a package, or something in it."""
    return [module for module in MODULES if any(found == name or found.startswith(f"{name}.") for found in module.imports())]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_files(service: str) -> None:
    home = ROOTS[service] / service
    missing = [name for name in FILES if not (home / f"{name}.py").is_file() and not (home / name / "__init__.py").is_file()]
    assert missing == []
    assert (home / "migrations").is_dir()


@pytest.mark.parametrize("service", SERVICES)
def test_layers_depend_in_one_direction(service: str) -> None:
    known = {*LAYERS, "app", "__init__", "__main__", "migrations"}
    wrong = [
        f"{module} imports {name}"
        for module in of_service(service)
        if module.layer in LAYERS
        for name in module.imports()
        if name.startswith(f"{service}.") and name.split(".")[1] in known - LAYERS[module.layer] - {module.layer}
    ]
    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
def test_app_is_imported_by_its_package_alone(service: str) -> None:
    allowed = {"__init__", "__main__", "app"}
    assert [str(module) for module in importers(f"{service}.app") if module.layer not in allowed or module.package != service] == []


def test_no_service_imports_another_and_shared_imports_none() -> None:
    wrong = [f"{module} imports {service}" for service in SERVICES for module in importers(service) if module.package != service]
    assert wrong == []


def test_only_shared_and_clients_import_httpx() -> None:
    assert [str(module) for module in importers("httpx") if module.package != "shared" and module.layer != "clients"] == []


def test_only_app_routes_sessions_and_shared_know_quart() -> None:
    allowed = {"app", "routes", "sessions", "__init__"}
    assert [str(module) for module in importers("quart") if module.package != "shared" and module.layer not in allowed] == []


def test_only_config_reads_the_environment() -> None:
    names = {"os.environ", "os.environb", "os.getenv", "os.getenvb"}
    wrong = []
    for module in MODULES:
        used = {
            f"{node.value.id}.{node.attr}"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }
        if module.layer != "config" and not is_for_tests(module) and names & (used | set(module.imports())):
            wrong.append(str(module))
    assert wrong == []


def without_words(tree: ast.AST) -> str:
    """The code alone: comments and docstrings may give examples."""
    node: Any
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
    return ast.unparse(tree)


def test_shared_holds_no_domain_word() -> None:
    wrong = [
        f"{module}: {line.strip()}"
        for module in of_service("shared")
        if not is_for_tests(module)
        for line in without_words(read(module.path).tree).splitlines()
        if DOMAIN_WORDS.search(line)
    ]
    assert wrong == []


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        words = function.body[0]
        lines -= (words.end_lineno or words.lineno) - words.lineno + 1
    return lines


def test_functions_are_short() -> None:
    wrong = [
        f"{module}:{node.lineno} {node.name}: {length(node)} lines"
        for module in EVERYTHING
        if "migrations" not in module.path.parts
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > FUNCTION_LINES
    ]
    assert wrong == []


def test_files_are_short() -> None:
    counts = {str(module): len(module.path.read_text("utf-8").splitlines()) for module in EVERYTHING}
    assert {name: lines for name, lines in counts.items() if lines > FILE_LINES} == {}


def test_tests_mirror_their_sources() -> None:
    """`store.py` has `test_store.py`; there is no `__init__.py` among tests."""
    folders = [ROOT / "tests", ROOT / "shared/tests", *(ROOT / "services" / service / "tests" for service in SERVICES)]
    assert [str(path) for folder in folders for path in folder.rglob("__init__.py")] == []


IMPORT_ALL = """
import sys, threading
opened = []
def watch(event, arguments):
    if event in ("sqlite3.connect", "socket.connect", "socket.bind", "subprocess.Popen", "os.system", "os.mkdir"):
        opened.append(f"{event} {arguments!r}")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        opened.append(f"{event} {arguments!r}")
sys.dont_write_bytecode = True
sys.addaudithook(watch)
import importlib, asyncio
for name in sys.argv[1:]:
    importlib.import_module(name)
assert threading.active_count() == 1, threading.enumerate()
assert not opened, opened
"""


def test_importing_opens_nothing() -> None:
    """No file for writing, no socket, no database, no thread: everything is made by `create_app` and what it calls."""
    names = [".".join(module.parts) for module in MODULES if "migrations" not in module.path.parts]
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL, *names], check=False, capture_output=True, text=True, timeout=60, cwd="/")
    assert done.returncode == 0, done.stderr
