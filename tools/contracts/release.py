"""The freezing of a release: every service's document, and every pact, as they are now. What is frozen is never changed."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from openapi_spec_validator import OpenAPIV31SpecValidator

from tools.contracts.asked import PAIRS
from tools.contracts.differences import compare
from tools.contracts.documents import FOLDER, SERVICES, load, released, today, version_of
from tools.contracts.pacts import path_of, text_of

ROOT: Final = FOLDER.parent
PACKAGES: Final = ("shared", *(f"services/{service}" for service in SERVICES))


class Refused(Exception):
    """Nothing was frozen; the message has every reason."""


def freeze(version: str, folder: Path = FOLDER, root: Path = ROOT) -> list[Path]:
    """Write the release. Raises Refused when it is there already, or the tree does not fit it."""
    documents = {service: today(service) for service in SERVICES}
    faults = [*_version_faults(version, folder, root), *_pact_faults(), *_document_faults(version, documents, folder)]
    if faults:
        raise Refused("\n".join(faults))
    written = []
    for service, document in documents.items():
        path = folder / service / f"{version}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
        written.append(path)
    kept = folder / "pacts" / version
    kept.mkdir(parents=True)
    for consumer, provider in PAIRS:
        written.append(Path(shutil.copy(path_of(consumer, provider), kept)))
    return written


def uncommitted(root: Path = ROOT) -> list[str]:
    """What is in the tree and in no commit."""
    done = subprocess.run(["git", "status", "--porcelain"], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def _version_faults(version: str, folder: Path, root: Path) -> Iterator[str]:
    try:
        wanted = version_of(version)
    except ValueError as error:
        yield str(error)
        return
    for service in SERVICES:
        before = list(released(service, folder))
        if version in before:
            yield f"{version} of {service} is released already, and is never changed"
        elif before and wanted < version_of(before[-1]):
            yield f"{before[-1]} of {service} is released already, and is newer than {version}"
    for package in PACKAGES:
        project = tomllib.loads((root / package / "pyproject.toml").read_text("utf-8"))["project"]
        if project["version"] != version:
            yield f"{package}/pyproject.toml says {project['version']}, not {version}"
    if not re.search(rf"^## {re.escape(version)}\b", (root / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE):
        yield f"CHANGELOG.md has nothing about {version}"


def _pact_faults() -> Iterator[str]:
    for (consumer, provider), parts in PAIRS.items():
        path = path_of(consumer, provider)
        if not path.exists() or path.read_text("utf-8") != text_of(consumer, provider, parts):
            yield f"the pact of {consumer} and {provider} is not what {consumer} asks: make pacts"


def _document_faults(version: str, documents: dict[str, Any], folder: Path) -> Iterator[str]:
    for service, document in documents.items():
        if document["info"]["version"] != version:
            yield f"the document of {service} says {document['info']['version']}, not {version}"
        for error in OpenAPIV31SpecValidator(document).iter_errors():
            yield f"the document of {service} is no OpenAPI 3.1: {error.message[:300]}"
        for older, path in released(service, folder).items():
            if older.split(".")[0] == version.split(".")[0]:
                broken = [str(one) for one in compare(load(path), document) if one.breaking]
                yield from (f"{service} takes back what {older} promised: {one}" for one in broken)
