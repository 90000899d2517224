"""A real browser: someone is logged in, and opens a page of another port that tries to use that."""

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.testing.processes import Roster

PATIENCE = 60.0
NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
SCRIPT = """<!doctype html><title>page</title><iframe name="frame"></iframe><script>
const gateway = %s, elsewhere = %s, password = %s, json = {"Content-Type": "application/json"};
async function attempt(path, options) {
  try {
    const answer = await fetch(gateway + path, {credentials: "include", ...options});
    return answer.type === "opaque" ? "opaque" : answer.status;  // opaque: taken, and not shown to the page
  } catch (error) { return "refused"; }
}
const person = (name) => JSON.stringify({username: name, email: name + "@roster.example"});
async function main() { %s }
main().catch(String).then((told) => fetch("/report", {method: "POST", body: JSON.stringify(told)}))
  .then(() => { if (elsewhere) location = elsewhere; });
</script>"""
FRIEND = """
  const told = {};
  told.log_in = await attempt("/v1/session", {method: "POST", headers: json, body: JSON.stringify({username: "admin", password})});
  told.read = await attempt("/v1/session", {});
  told.write = await attempt("/v1/employees", {method: "POST", headers: json, body: person("friend")});
  return told;"""
STRANGER = """
  const told = {}, text = {"Content-Type": "text/plain"}, form = {"Content-Type": "application/x-www-form-urlencoded"};
  told.read = await attempt("/v1/session", {});
  told.blind_read = await attempt("/v1/session", {mode: "no-cors"});
  told.json = await attempt("/v1/employees", {method: "POST", headers: json, body: person("json")});
  told.text = await attempt("/v1/employees", {method: "POST", headers: text, body: person("text")});
  told.blind_text = await attempt("/v1/employees", {method: "POST", mode: "no-cors", headers: text, body: person("blind")});
  told.blind_form = await attempt("/v1/session", {method: "POST", mode: "no-cors", headers: form, body: "a=b"});
  for (const method of ["PUT", "PATCH", "DELETE"]) told[method] = await attempt("/v1/employees/1", {method});
  told.log_out = await attempt("/v1/session", {method: "DELETE"});
  const posted = document.createElement("form");
  Object.assign(posted, {method: "POST", action: gateway + "/v1/employees", enctype: "text/plain", target: "frame"});
  document.body.append(posted);
  const answered = new Promise((done) => document.querySelector("iframe").addEventListener("load", done));
  posted.submit();
  await answered;
  told.blind_read_again = await attempt("/v1/session", {mode: "no-cors"});
  return told;"""


class Site(ThreadingHTTPServer):
    """A page on a port of its own, and what it reports."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.page = ""
        self.reports: queue.Queue[str] = queue.Queue()

    @contextmanager
    def serving(self) -> Iterator["Site"]:
        thread = threading.Thread(target=self.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self._answer(self.server.page.encode())

    def do_POST(self) -> None:
        self.server.reports.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._answer(b"")

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def browser() -> str:
    """The path of a Chromium. Skips without one, unless everything is required."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("ROSTER_REQUIRE_SERVICES") == "1":
            pytest.fail("no Chromium is installed, and ROSTER_REQUIRE_SERVICES=1 demands it")
        pytest.skip("no Chromium is installed")
    return found


def visit(browser: str, folder: Path, first: str, *sites: Site) -> list[dict[str, Any]]:
    """What the pages of these sites report, one after the other."""
    alone = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", *alone, f"--user-data-dir={folder}", first]
    with (folder / "browser.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            reports = [site.reports.get(timeout=PATIENCE) for site in sites]
        finally:
            process.kill()
    return [json.loads(report) for report in reports]


def answered(roster: Roster, subject: str) -> list[tuple[str, str, int]]:
    """Method, path and status of what was asked in somebody's session, by the log."""
    lines = [json.loads(line) for line in roster.gateway.log.read_text("utf-8").splitlines() if line.startswith("{")]
    return [(line["method"], line["path"], line["status"]) for line in lines if line["event"] == "request" and line["subject"] == subject]


def test_a_page_of_another_port_can_do_nothing_with_a_visitors_session(browser: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        friend, stranger = stack.enter_context(Site().serving()), stack.enter_context(Site().serving())
        roster = stack.enter_context(Roster(tmp_path / "roster", env={"GATEWAY_ORIGINS": friend.url}))
        roster.start("employees", "gateway")
        told = (json.dumps(roster.gateway.url), json.dumps(stranger.url), json.dumps(roster.admin_password()))
        friend.page, stranger.page = SCRIPT % (*told, FRIEND), SCRIPT % (told[0], '""', '""', STRANGER)
        folder = tmp_path / "browser"
        folder.mkdir()
        ours, theirs = visit(browser, folder, friend.url, friend, stranger)
        bearer = {"Authorization": roster.bearer("employees")}
        people = httpx.get(f"{roster.employees.url}/v1/employees", headers=bearer, timeout=20).json()["items"]
        seen = answered(roster, "account:1")
    assert ours == {"log_in": 200, "read": 200, "write": 201}
    assert set(theirs.values()) == {"refused"}  # what it asked for blindly too: Cross-Origin-Resource-Policy
    assert len(theirs) == 11
    assert [person["username"] for person in people] == ["friend"]
    assert seen.count(("GET", "/v1/session", 200)) == 4  # the browser does send the cookie, and the stranger has not ended the session
    assert {status for method, _, status in seen if method not in ("GET", "HEAD", "OPTIONS")} == {201}
