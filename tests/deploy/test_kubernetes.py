"""deploy/kubernetes against the schemas of Kubernetes, and against itself: what one part names, another part has.

Where there is a `kubectl`, the example is rendered by it as well.
"""

import copy
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it comes without type information
import pytest
import yaml

from tests.deploy.conftest import ROOT, settings_in
from tools.contracts.documents import gateway_app

HOME = ROOT / "deploy" / "kubernetes"
VERSIONS = ("1.29", kubernetes_validate.latest_version())
SERVICES = ("employees", "teams", "gateway")
SECRETS = "/run/secrets/roster"
Resource = dict[str, Any]


def read(name: str) -> list[Resource]:
    return list(yaml.safe_load_all((HOME / name).read_text("utf-8")))


BASE: Resource = read("base/kustomization.yaml")[0]
EXAMPLE: Resource = read("example/kustomization.yaml")[0]
FILES = [f"{folder}/{name}" for folder, listed in (("base", BASE), ("example", EXAMPLE)) for name in listed["resources"] if ".yaml" in name]
RESOURCES = [one for name in FILES for one in read(name)]


def of_kind(kind: str) -> dict[str, Resource]:
    return {one["metadata"]["name"]: one for one in RESOURCES if one["kind"] == kind}


def pod_of(service: str) -> Resource:
    found: Resource = of_kind("Deployment")[service]["spec"]["template"]
    return found


def containers_of(service: str) -> list[Resource]:
    spec = pod_of(service)["spec"]
    return [*spec["initContainers"], *spec["containers"]]


def environment_of(container: Resource) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}


def check_schema(resource: Resource, version: str) -> None:
    kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("resource", RESOURCES, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_a_resource_is_one_of_kubernetes(resource: Resource, version: str) -> None:
    check_schema(resource, version)


def test_what_is_wrong_is_found() -> None:
    wrong = copy.deepcopy(of_kind("Deployment")["teams"])
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        check_schema(wrong, VERSIONS[-1])


def test_every_file_is_listed() -> None:
    there = {str(path.relative_to(HOME)) for path in HOME.rglob("*.yaml") if path.name != "kustomization.yaml"}
    assert there == set(FILES)
    for listed in (BASE, EXAMPLE):
        assert (listed["apiVersion"], listed["kind"], listed["namespace"]) == ("kustomize.config.k8s.io/v1beta1", "Kustomization", "roster")
    assert "../base" in EXAMPLE["resources"]
    assert set(of_kind("Namespace")) == {BASE["namespace"]}


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_can_do_nothing_but_its_work(service: str) -> None:
    pod = pod_of(service)["spec"]
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == 10001
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    for container in containers_of(service):
        expected = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert container["securityContext"] == expected
        assert {"requests", "limits"} <= container["resources"].keys()
        assert container["image"] == EXAMPLE["images"][0]["name"]
    assert "latest" not in EXAMPLE["images"][0]["newTag"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_with_what_its_pod_gives_it(service: str, secrets_folder: Path) -> None:
    generated = next(one["files"] for one in EXAMPLE["secretGenerator"] if one["name"] == service)
    mounts = {f"{SECRETS}/{Path(file).name}": secrets_folder / Path(file).name for file in generated}
    (volume,) = [one for one in pod_of(service)["spec"]["volumes"] if "secret" in one]
    assert volume["secret"]["secretName"] == service
    (migrate, serve) = containers_of(service)
    assert all({"name": volume["name"], "mountPath": SECRETS, "readOnly": True} in one["volumeMounts"] for one in (migrate, serve))
    environment = environment_of(serve)
    settings = settings_in(service, environment, mounts)
    assert settings.migrate is False
    assert settings.database_url.startswith("postgresql://")
    assert settings.port == serve["ports"][0]["containerPort"]
    assert (migrate["args"], serve["args"]) == ([service, "migrate"], [service, "serve"])
    assert environment_of(migrate).items() <= environment.items()
    assert set(mounts) == {value for name, value in environment.items() if name.endswith("_FILE")}


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_is_drained_before_it_is_killed(service: str) -> None:
    serve = containers_of(service)[-1]
    before = int(serve["lifecycle"]["preStop"]["exec"]["command"][1])
    settings = settings_in("employees", {"EMPLOYEES_OPEN": "true"}, {})
    assert pod_of(service)["spec"]["terminationGracePeriodSeconds"] > before + settings.lame_duck + settings.graceful_timeout + 5
    probes = {name: serve[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    paths = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert {name: probe["path"] for name, probe in probes.items()} == paths
    assert {probe["port"] for probe in probes.values()} == {serve["ports"][0]["name"]}


def test_the_public_is_led_to_nothing_that_is_for_inside() -> None:
    (rule,) = of_kind("Ingress")["gateway"]["spec"]["rules"]
    exact = {one["path"] for one in rule["http"]["paths"] if one["pathType"] == "Exact"}
    prefixes = {one["path"] for one in rule["http"]["paths"] if one["pathType"] == "Prefix"}
    paths = gateway_app("sqlite:///unused.db").extensions["openapi"]()["paths"]
    led = {path for path in paths if path in exact or path.startswith(tuple(f"{prefix}/" for prefix in prefixes))}
    assert paths.keys() - led == {"/livez", "/readyz", "/metrics"}


@pytest.mark.parametrize("service", SERVICES)
def test_there_are_several_of_each_and_one_at_a_time_is_taken_away(service: str) -> None:
    deployment, budget = of_kind("Deployment")[service]["spec"], of_kind("PodDisruptionBudget")[service]["spec"]
    labels = pod_of(service)["metadata"]["labels"]
    assert deployment["replicas"] >= 2
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert budget["maxUnavailable"] == 1
    spread = pod_of(service)["spec"]["topologySpreadConstraints"][0]["labelSelector"]
    assert deployment["selector"] == budget["selector"] == spread == {"matchLabels": labels}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_leads_to_its_pods(service: str) -> None:
    found = of_kind("Service")[service]["spec"]
    (port,) = found["ports"]
    (own,) = containers_of(service)[-1]["ports"]
    assert found["selector"] == pod_of(service)["metadata"]["labels"]
    assert port == {"name": own["name"], "port": own["containerPort"], "targetPort": own["name"]}
    urls = [value for name, value in environment_of(containers_of(service)[-1]).items() if name.endswith("S_URL")]
    for url in urls:
        name, number = re.fullmatch(r"http://(\w+):(\d+)", url).groups()  # type: ignore[union-attr]  # fails when it does not match
        assert of_kind("Service")[name]["spec"]["ports"][0]["port"] == int(number)


def peers(rules: list[Resource], side: str) -> set[tuple[str, int]]:
    """Who of ours is named in rules of a policy, and at which port."""
    return {
        (peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"], port["port"])
        for rule in rules
        for peer in rule.get(side, ())
        if "podSelector" in peer
        for port in rule["ports"]
    }


def test_only_the_gateway_reaches_the_services_and_teams_reaches_employees() -> None:
    policies = {name: one["spec"] for name, one in of_kind("NetworkPolicy").items()}
    assert policies["nothing-else"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    allowed_in = {(who, name, port) for name in SERVICES for who, port in peers(policies[name].get("ingress", []), "from")}
    allowed_out = {(name, whom, port) for name in SERVICES for whom, port in peers(policies[name].get("egress", []), "to")}
    assert allowed_in == allowed_out == {("gateway", "employees", 8001), ("gateway", "teams", 8002), ("teams", "employees", 8001)}
    for service in SERVICES:
        assert policies[service]["podSelector"]["matchLabels"] == pod_of(service)["metadata"]["labels"]
        ports = {port["port"] for rule in policies[service]["ingress"] for port in rule["ports"]}
        assert ports == {containers_of(service)[-1]["ports"][0]["containerPort"]}


def test_the_ingress_speaks_tls_and_leads_to_the_gateway() -> None:
    spec = of_kind("Ingress")["gateway"]["spec"]
    hosts = {rule["host"] for rule in spec["rules"]}
    assert hosts == {host for entry in spec["tls"] for host in entry["hosts"]}
    backends = [path["backend"]["service"] for rule in spec["rules"] for path in rule["http"]["paths"]]
    assert all(backend == {"name": "gateway", "port": {"name": "http"}} for backend in backends)


def test_no_secret_is_in_the_repository() -> None:
    assert of_kind("Secret") == {}
    ignored = subprocess.run(["git", "check-ignore", "deploy/kubernetes/example/secrets/x"], cwd=ROOT, check=False, capture_output=True)
    assert ignored.returncode in (0, 128)  # 128: not a clone


def test_the_example_renders(tmp_path: Path, secrets_folder: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    shutil.copytree(HOME, tmp_path / "kubernetes", ignore=shutil.ignore_patterns("secrets"))
    shutil.copytree(secrets_folder, tmp_path / "kubernetes" / "example" / "secrets")
    command = [kubectl, "kustomize", str(tmp_path / "kubernetes" / "example")]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    rendered = list(yaml.safe_load_all(text))
    for resource in rendered:
        check_schema(resource, VERSIONS[-1])
    secrets = {one["metadata"]["name"] for one in rendered if one["kind"] == "Secret"}
    pods = [one["spec"]["template"]["spec"] for one in rendered if one["kind"] == "Deployment"]
    assert {volume["secret"]["secretName"] for pod in pods for volume in pod["volumes"] if "secret" in volume} == secrets
    assert len(secrets) == len(pods) == len(SERVICES)
    assert {one["image"] for pod in pods for one in [*pod["initContainers"], *pod["containers"]]} == {"registry.example.org/roster:0.1.0"}
