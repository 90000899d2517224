"""docker-compose.yml and the Dockerfile, read: what they name is there. `tests/deploy/test_stack.py` brings them up."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import ROOT, settings_in

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("employees", "teams", "gateway")


def mounted(service: str, folder: Path) -> dict[str, Path]:
    """The secrets that a container gets, by their path in it."""
    return {f"/run/secrets/{name}": folder / Path(COMPOSE["secrets"][name]["file"]).name for name in CONTAINERS[service].get("secrets", ())}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_can_do_nothing_but_its_work(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["user"] not in ("root", "0", "0:0")
    assert container["restart"] == "unless-stopped"
    assert {"healthcheck", "mem_limit", "cpus", "pids_limit"} <= container.keys()
    assert re.fullmatch(r"\w+:(\$\{ROSTER_VERSION:-)?[\w.]+\}?", container["image"])
    assert "latest" not in container["image"]


def test_only_the_gateway_publishes_a_port() -> None:
    assert {name for name, container in CONTAINERS.items() if "ports" in container} == {"gateway"}
    assert CONTAINERS["gateway"]["ports"] == ["${ROSTER_ADDRESS:-127.0.0.1}:${ROSTER_PORT:-8000}:8000"]


@pytest.mark.parametrize("service", OURS)
def test_a_service_starts_with_what_compose_gives_it(service: str, secrets_folder: Path) -> None:
    container = CONTAINERS[service]
    environment = {name: value for name, value in container["environment"].items() if value is not None}
    settings = settings_in(service, environment, mounted(service, secrets_folder))
    assert settings.database_url.partition("@")[2] == f"postgres:5432/{service}"
    assert container["healthcheck"]["test"] == ["CMD", "python", "-m", "shared.healthcheck", str(settings.port)]
    assert settings.lame_duck + settings.graceful_timeout + 5 <= int(container["stop_grace_period"].removesuffix("s"))
    assert container["command"] == [service, "serve"]
    assert set(container["environment"]) <= {f"{service.upper()}_{name}" for name in named(settings)} | {"PYTHON_CPU_COUNT"}


def named(settings: Any) -> set[str]:
    """How the environment may name the settings."""
    return {suffix for field in settings.__struct_fields__ for suffix in (field.upper(), f"{field.upper()}_FILE")}


def test_services_find_one_another() -> None:
    urls = {
        value for container in CONTAINERS.values() for name, value in container.get("environment", {}).items() if name.endswith("S_URL")
    }
    assert urls == {"http://employees:8001", "http://teams:8002"}


def test_every_secret_is_made_declared_and_used(secrets_folder: Path) -> None:
    used = {name for container in CONTAINERS.values() for name in container.get("secrets", ())}
    assert used == set(COMPOSE["secrets"]) == {path.name for path in secrets_folder.iterdir()}
    assert all(entry == {"file": f"${{ROSTER_SECRETS:-./var/secrets}}/{name}"} for name, entry in COMPOSE["secrets"].items())


def test_no_private_key_is_given_to_another_service() -> None:
    private = {name: {secret for secret in CONTAINERS[name]["secrets"] if secret.endswith("private.json")} for name in OURS}
    assert private == {"employees": set(), "teams": {"teams.private.json"}, "gateway": {"gateway.private.json"}}


def test_files_that_are_mounted_exist() -> None:
    paths = [entry.split(":")[0] for container in CONTAINERS.values() for entry in container.get("volumes", ()) if entry.startswith("./")]
    assert paths
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_the_image_is_built_from_the_lock_file_alone() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    assert re.findall(r"^FROM (\S+)", text, flags=re.MULTILINE) == ["python:3.13-slim"] * 3
    (install,) = re.findall(r"^RUN (pip install.*)$", text, flags=re.MULTILINE)
    assert {"--require-hashes", "--only-binary", ":all:"} <= set(install.split())
    assert "apt-get" not in text
    assert "USER 10001:10001" in text
    copied = {source for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, flags=re.MULTILINE) for source in line.split()}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert copied == let_in
    assert [path for path in copied if not (ROOT / path).exists()] == []
