"""What tests of the files in deploy/ share: secrets as `make secrets` writes them, and the settings that an environment comes to."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.config import ServiceSettings, load
from tools.secrets import write_secrets

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def secrets_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deploy") / "secrets"
    write_secrets(folder, "postgres:5432", "redis:6379")
    return folder


def settings_in(service: str, environment: Mapping[str, str], mounts: Mapping[str, Path]) -> ServiceSettings:
    """The settings of a service by a container's environment, whose files (`mounts`, by their path in there) are somewhere else here.

    Fails as the start would: for a setting that there isn't, a file that is not mounted, a key that is none.
    """
    prefix = f"{service.upper()}_"
    ours = {name: str(mounts.get(value, value)) for name, value in environment.items() if name.startswith(prefix)}
    module = importlib.import_module(service)
    config: Any = importlib.import_module(f"{service}.config")
    settings: ServiceSettings = load(config.Settings, service.upper(), ours)
    module.create_app(settings)
    return settings
