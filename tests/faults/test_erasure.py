"""Someone is erased while teams is down and after employees was killed: in the end no file of any service has anything of them."""

import time

import httpx

from shared.testing.processes import Roster

SECRET = ("zqmary", "Zq-Mary", "Zq-Shelley", "Zq-Novelist", "zq 1797")
PERSON = {"username": SECRET[0], "email": "zqmary@zq.example", "given_name": SECRET[1], "family_name": SECRET[2], "title": SECRET[3]}
WITHIN = 60.0


def traces(roster: Roster, *services: str) -> list[str]:
    """Where anything of the person is: databases with their write-ahead logs, and what the services said."""
    files = [path for name in services for path in (*roster.folder.glob(f"{name}.db*"), *roster.folder.glob(f"{name}.log"))]
    return [f"{text} in {path.name}" for path in files for text in SECRET if text.lower().encode() in path.read_bytes().lower()]


def through(roster: Roster) -> httpx.Client:
    """The gateway, as its first admin."""
    return httpx.Client(base_url=roster.gateway.url, headers={"Cookie": roster.log_in()}, timeout=30)


def test_nothing_is_left_of_someone_erased(roster: Roster) -> None:
    roster.start("employees", "teams", "gateway")
    with through(roster) as client:
        added = client.post("/v1/employees", json=PERSON, headers={"Idempotency-Key": "zqmary"}).raise_for_status().json()
        client.patch(f"/v1/employees/{added['id']}", json={"title": None, "phone": "zq 1797"}).raise_for_status()
        team = client.post("/v1/teams", json={"slug": "crew", "name": "Crew"}).raise_for_status().json()["id"]
        client.put(f"/v1/teams/{team}/members/{added['id']}", json={"role": "lead"}).raise_for_status()
        until = time.monotonic() + WITHIN
        while not traces(roster, "teams"):  # it has heard of the person
            assert time.monotonic() < until
            time.sleep(0.05)
        roster.teams.kill()
        roster.employees.kill()  # what it wrote is in the write-ahead log still
        roster.start("employees")
        assert client.post(f"/v1/employees/{added['id']}/erase").status_code == 204
        assert traces(roster, "employees", "gateway") == []
        roster.start("teams")
        while traces(roster, "teams"):
            assert time.monotonic() < until + WITHIN, traces(roster, "teams")
            time.sleep(0.05)
        stub = client.get(f"/v1/employees/{added['id']}?expand=teams").raise_for_status().json()
        assert (stub["username"], stub["status"], stub["title"]) == (f"erased-{added['id']}", "inactive", None)
        again = client.post("/v1/employees", json=PERSON, headers={"Idempotency-Key": "zqmary"}).raise_for_status()
        assert again.json()["username"] == f"erased-{added['id']}"
        check = client.get("/v1/audit/verify").raise_for_status().json()
        assert (check["intact"], check["employees"]["count"], check["teams"]["count"]) == (True, 3, 2)
        rows = client.get("/v1/audit", params={"entity": "employee"}).raise_for_status().json()["items"]
        assert [(row["kind"], row["username"]) for row in rows] == [("erased", "admin"), ("updated", "admin"), ("created", "admin")]
        assert client.post(f"/v1/employees/{added['id']}/erase").status_code == 204
        assert client.get("/v1/audit/verify").json()["employees"]["count"] == 3
