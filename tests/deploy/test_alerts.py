"""deploy/prometheus/alerts.yaml speaks of figures, labels and operations that the services have."""

import asyncio
import importlib
import re
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from shared.config import load
from tests.deploy.conftest import ROOT
from tools.processes import Service
from tools.settings import Place, make_keys, make_services

RULES = [rule for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text("utf-8"))["groups"] for rule in group["rules"]]
FROM_PROMETHEUS = {"up": {"job", "instance"}}
FUNCTIONS = {"histogram_quantile"}
SELECTOR = re.compile(r"([a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')

Told = tuple[dict[str, set[str]], set[str]]


async def ask(service: Service) -> Told:
    """What a service's /metrics have, each figure with its labels, and the names of its operations."""
    module, config = importlib.import_module(service.name), importlib.import_module(f"{service.name}.config")
    app = module.create_app(load(config.Settings, service.name.upper(), service.environment))
    transport: Any = httpx.ASGITransport(app)
    async with app.test_app(), httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
        await client.get("/livez")
        text = (await client.get("/metrics")).raise_for_status().text
        paths = (await client.get("/openapi.json")).raise_for_status().json()["paths"]
    figures: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            figures.setdefault(sample.name, set()).update({"job", "instance"}, sample.labels)
    return figures, {one["operationId"] for path in paths.values() for one in path.values() if "operationId" in one}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The same of all services together, and what Prometheus adds."""
    place = Place(tmp_path_factory.mktemp("alerts"), 8000)
    make_keys(place)
    figures, operations = dict(FROM_PROMETHEUS), set[str]()
    for service in make_services(place):
        own, names = asyncio.run(ask(service))
        figures |= own
        operations |= names
    return figures, operations


def bare(expression: str) -> str:
    """An expression without selectors, groupings and texts: figures, functions and numbers."""
    return re.sub(r"\{[^}]*\}|\b(by|on|without|ignoring) \([^)]*\)", "", expression)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_speaks_of_what_there_is(rule: dict[str, Any], told: Told) -> None:
    figures, operations = told
    expression = rule["expr"]
    named = {word for word in re.findall(r"[a-z][a-z_]+", bare(expression)) if "_" in word or word in FROM_PROMETHEUS} - FUNCTIONS
    assert named
    assert named <= figures.keys()
    for figure, matchers in SELECTOR.findall(expression):
        for label, kind, value in MATCHER.findall(matchers):
            assert label in figures[figure]
            if label == "operation":
                parts = value.split("|") if "~" in kind else [re.escape(value)]
                assert all(any(re.fullmatch(part, name) for name in operations) for part in parts)
            if label == "job":
                assert any(re.fullmatch(value, f"roster-{service}") for service in ("employees", "teams", "gateway"))
    grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(",")}
    assert grouped <= set().union(*(figures[name] for name in named))
    assert {"for", "labels", "annotations"} <= rule.keys()


def test_every_alert_is_told_of() -> None:
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    assert [rule["alert"] for rule in RULES if f"`{rule['alert']}`" not in page] == []


def test_no_alert_has_two_meanings() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
