"""The three services as real processes, for what nobody may do to them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from shared.testing.processes import PATIENT, Roster

PASSWORD = "a pass phrase of some length"
ROLES = ("viewer", "editor", "admin")


@dataclass
class Running:
    """All three, with an account of each role; `as_` gives the headers of one who is logged in, `http` keeps no cookie."""

    roster: Roster
    http: httpx.Client
    sessions: dict[str, str] = field(default_factory=dict)

    @property
    def urls(self) -> dict[str, str]:
        return {service.name: service.url for service in (self.roster.employees, self.roster.teams, self.roster.gateway)}

    def as_(self, role: str) -> dict[str, str]:
        if role not in self.sessions:
            self.sessions[role] = self.log_in(role)
        return {"Cookie": self.sessions[role]}

    def log_in(self, role: str) -> str:
        credentials = {"username": role, "password": self.roster.admin_password() if role == "admin" else PASSWORD}
        answer = self.http.post(f"{self.urls['gateway']}/v1/session", json=credentials, headers=PATIENT).raise_for_status()
        self.http.cookies.clear()
        return answer.headers["set-cookie"].partition(";")[0]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Roster(tmp_path_factory.mktemp("security"), env={"GATEWAY_LOG_IN_LIMIT": "0", "GATEWAY_LOG_IN_LIMIT_ADDRESS": "0"}) as roster:
        roster.start("employees", "teams", "gateway")
        with httpx.Client(trust_env=False, timeout=30) as http:
            found = Running(roster, http)
            for role in ("viewer", "editor"):
                account = {"username": role, "password": PASSWORD, "role": role}
                http.post(f"{roster.gateway.url}/v1/accounts", json=account, headers=found.as_("admin")).raise_for_status()
            yield found
