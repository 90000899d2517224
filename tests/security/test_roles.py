"""Who may do what: every role at every operation, made from the documents; at the gateway, and with the gateway bypassed."""

import re
from collections.abc import Iterator, Mapping
from uuid import uuid4

import pytest

from shared.identity import Caller, Minter, generate_key
from shared.operations import ADMIN, FEED, PUBLIC, READ, ROLES, WRITE
from tests.security.conftest import PASSWORD, Running

POLICIES = {policy.name: policy for policy in (PUBLIC, FEED, READ, WRITE, ADMIN)}
ENDS = "log_out"
NOBODYS: Mapping[str, int] = {}
SERVICES = ("employees", "teams")


def operations(running: Running, service: str, ids: Mapping[str, int] = NOBODYS) -> Iterator[tuple[str, str, str, str]]:
    """Name, method, path with ids, and policy of all that a service documents. What is nobody's has the id 999."""
    for path, methods in running.http.get(f"{running.urls[service]}/openapi.json").json()["paths"].items():
        for method, one in methods.items():
            filled = re.sub(r"{(\w+)}", lambda found: str(ids.get(found[1], 999)), path)
            yield one["operationId"], method.upper(), filled, one["x-policy"]


def ask(running: Running, service: str, method: str, path: str, headers: Mapping[str, str]) -> int:
    """The status of an answer to a request that asks for nothing in particular."""
    sent = {**headers, "Content-Type": "application/json"} if method in ("POST", "PUT", "PATCH") else headers
    body = b"{}" if method in ("POST", "PUT", "PATCH") else None
    return running.http.request(method, running.urls[service] + path, headers=sent, content=body).status_code


def decided(status: int, role: str | None, policy: str) -> bool:
    """Whether the status is what the role gets: refused for the role, refused as nobody, or anything else that is no fault."""
    allow = POLICIES[policy]
    if allow is PUBLIC:
        return status < 500 and status != 403
    if role is None:
        return status == 401
    return (status < 500 and status not in (401, 403)) if allow.allows(role) else status == 403


@pytest.mark.parametrize("role", [None, "viewer", "editor", "admin"])
def test_at_the_gateway(running: Running, role: str | None) -> None:
    service = "gateway"
    found = list(operations(running, service))
    assert {policy for _, _, _, policy in found} == {"public", "read", "write", "admin"}
    headers = {} if role is None else running.as_(role)
    statuses = {name: (ask(running, service, method, path, headers), policy) for name, method, path, policy in found if name != ENDS}
    assert {name: got for name, got in statuses.items() if not decided(got[0], role, got[1])} == {}


def own_ids(running: Running, role: str) -> tuple[dict[str, str], dict[str, int]]:
    """The session of a new account of the role, and what is theirs: the account, another session, a token, and the employee's record."""
    url, name, admin = running.urls["gateway"], f"own-{uuid4()}", running.as_("admin")

    def made(path: str, body: object, headers: Mapping[str, str]) -> int:
        return int(running.http.post(url + path, json=body, headers=headers).raise_for_status().json()["id"])

    person = made("/v1/employees", {"username": name, "email": f"{name}@roster.example"}, admin)
    account = made("/v1/accounts", {"username": name, "password": PASSWORD, "role": role}, admin)
    running.http.patch(f"{url}/v1/accounts/{account}", json={"employee_id": person}, headers=admin).raise_for_status()
    _, mine = ({"Cookie": running.log_in(name)} for _ in range(2))
    token = made("/v1/tokens", {"name": "laptop", "scope": "read"}, mine)
    sessions = running.http.get(f"{url}/v1/sessions", headers=mine).json()["items"]
    (other,) = (one["id"] for one in sessions if not one["current"])
    return mine, {"account_id": account, "session_id": other, "token_id": token, "employee_id": person}


@pytest.mark.parametrize("role", ["viewer", "editor", "admin"])
@pytest.mark.parametrize("leaving", [None, "delete_employee", "erase_employee"])
def test_at_the_gateway_what_is_ones_own_is_no_more_open(running: Running, role: str, leaving: str | None) -> None:
    """Whose record goes is `leaving`, and has their account disabled: each of these is asked by somebody else."""
    headers, ids = own_ids(running, role)
    found = [one for one in operations(running, "gateway", ids) if re.search(r"/\d+", one[2]) and "/999" not in one[2]]
    assert len(found) > 10
    asked = [one for one in found if one[0] == leaving or (leaving is None and one[0] not in ("delete_employee", "erase_employee"))]
    asked.sort(key=lambda one: one[1] == "DELETE")
    statuses = {name: (ask(running, "gateway", method, path, headers), policy) for name, method, path, policy in asked}
    assert {name: got for name, got in statuses.items() if not decided(got[0], role, got[1]) or got[0] == 404} == {}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("role", [None, *ROLES])
def test_at_the_services_themselves(running: Running, service: str, role: str | None) -> None:
    found = list(operations(running, service))
    assert {"feed", "read", "write"} <= {policy for _, _, _, policy in found}
    headers = {} if role is None else {"Authorization": running.roster.bearer(service, role=role)}
    statuses = {name: (ask(running, service, method, path, headers), policy) for name, method, path, policy in found}
    assert {name: got for name, got in statuses.items() if not decided(got[0], role, got[1])} == {}


def strangers(running: Running, service: str) -> dict[str, str]:
    """Assertions of an admin that no service may take: of another key under our name, for another service, of a role that there is not."""
    admin = Caller("account:1", "admin", "admin", "gateway")
    foreign, _ = generate_key("gateway")
    ours = Minter("gateway", running.roster.gateway.env["GATEWAY_SIGNING_KEY"])
    other = "teams" if service == "employees" else "employees"
    return {
        "a foreign key": Minter("gateway", foreign).mint(admin, service),
        "for another service": ours.mint(admin, other),
        "a role that there is not": ours.mint(Caller("account:1", "admin", "root", "gateway"), service),
        "without a subject": ours.mint(Caller("", "admin", "admin", "gateway"), service),
    }


@pytest.mark.parametrize("service", SERVICES)
def test_whom_a_service_does_not_know_may_nothing(running: Running, service: str) -> None:
    for about, token in strangers(running, service).items():
        headers = {"Authorization": f"Bearer {token}"}
        statuses = {
            name: (ask(running, service, method, path, headers), policy) for name, method, path, policy in operations(running, service)
        }
        assert {(about, name): got for name, got in statuses.items() if not decided(got[0], None, got[1])} == {}


def test_the_key_of_teams_is_good_for_the_feed_alone_whatever_it_claims(running: Running) -> None:
    service = "employees"
    claimed = Minter("teams", running.roster.teams.env["TEAMS_SIGNING_KEY"]).mint(
        Caller("service:teams", "teams", "admin", "teams"), "employees"
    )
    headers = {"Authorization": f"Bearer {claimed}"}
    statuses = {name: (ask(running, service, method, path, headers), policy) for name, method, path, policy in operations(running, service)}
    assert {name: got for name, got in statuses.items() if not decided(got[0], "feed", got[1])} == {}


def test_a_valid_key_does_not_lend_its_rights_to_who_asks(running: Running) -> None:
    """The service decides by the person, not by the service that signs: a viewer's write is refused behind the gateway too."""
    headers = {"Authorization": running.roster.bearer("teams", role="viewer")}
    for method, path, body in (("POST", "/v1/teams", {"slug": "mine", "name": "Mine"}), ("PUT", "/v1/teams/1/members/1", {"role": "lead"})):
        assert running.http.request(method, running.urls["teams"] + path, json=body, headers=headers).status_code == 403
        assert running.http.request(method, running.urls["gateway"] + path, json=body, headers=running.as_("viewer")).status_code == 403


def test_being_ones_own_record_grants_nothing(running: Running) -> None:
    url = running.urls["gateway"]
    for role in ("viewer", "editor"):
        mine = running.http.get(f"{url}/v1/session", headers=running.as_(role)).json()["account_id"]
        for account in (mine, 1):
            assert running.http.get(f"{url}/v1/accounts/{account}", headers=running.as_(role)).status_code == 403
