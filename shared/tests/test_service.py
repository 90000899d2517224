"""The whole web part on a small service (`shared.testing.notes`), through the app's test client."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from quart import Blueprint, Response
from quart.typing import TestClientProtocol as Client

from shared.config import ServiceSettings, SettingsError
from shared.operations import PUBLIC, operation
from shared.responses import respond
from shared.service import create_service
from shared.testing import notes
from shared.testing.answers import checked
from shared.testing.callers import Signer

SIGNER = Signer()
OTHER = Signer("stranger")
OPEN = notes.create_app(notes.Settings(open=True, access_log=False, log_level="error"))


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    notes.notes.clear()
    app = notes.create_app(notes.Settings(identity_keys=SIGNER.public_keys, trouble=True, access_log=False))
    async with app.test_app(), checked(app):
        yield app.test_client()


def editor() -> dict[str, str]:
    return SIGNER.headers("notes", "editor")


async def problem(response: Any, status: int) -> Any:
    """The problem document of a response, its common members checked."""
    assert response.status_code == status, await response.get_data()
    assert response.content_type == "application/problem+json"
    found = msgspec.json.decode(await response.get_data())
    assert found["status"] == found["code"] == status
    assert found["description"] == found["detail"]
    assert found["message"] == f"{status} {found['title']}: {found['detail']}"
    assert found["type"].startswith("urn:roster:problem:")
    assert found["request_id"] == response.headers["X-Request-ID"]
    return found


async def test_a_record_is_made_read_and_changed(client: Client) -> None:
    made = await client.post("/v1/notes", json={"text": "one"}, headers=editor())
    assert made.status_code == 201
    assert made.headers["Location"] == "/v1/notes/1"
    assert made.headers["ETag"] == '"1"'
    changed = await client.patch("/v1/notes/1", json={"stars": 3}, headers=editor() | {"If-Match": '"1"'})
    assert await changed.get_json() == {"id": 1, "version": 2, "text": "one", "stars": 3}
    stale = await client.patch("/v1/notes/1", json={"stars": 4}, headers=editor() | {"If-Match": '"1"'})
    await problem(stale, 412)
    known = await client.get("/v1/notes/1", headers=editor() | {"If-None-Match": 'W/"2"'})
    assert known.status_code == 304


async def test_merge_patch_has_a_content_type_of_its_own(client: Client) -> None:
    await client.post("/v1/notes", json={"text": "one"}, headers=editor())
    headers = editor() | {"Content-Type": "application/merge-patch+json"}
    assert (await client.patch("/v1/notes/1", data=b'{"stars": 2}', headers=headers)).status_code == 200
    await problem(await client.post("/v1/notes", data=b'{"text": "x"}', headers=headers), 415)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (lambda: {}, 401),
        (lambda: {"Authorization": "Basic YTpi"}, 401),
        (lambda: {"Authorization": "Bearer x.y.z"}, 401),
        (lambda: SIGNER.headers("elsewhere", "editor"), 401),
        (lambda: OTHER.headers("notes", "editor"), 401),
        (lambda: SIGNER.headers("notes", "viewer"), 403),
        (lambda: SIGNER.headers("notes", "feed"), 403),
    ],
)
async def test_only_the_right_callers_write(client: Client, headers: Callable[[], dict[str, str]], status: int) -> None:
    """Signed when the test runs: an assertion lasts a minute, and the suite takes longer."""
    response = await client.post("/v1/notes", json={"text": "x"}, headers=headers())
    found = await problem(response, status)
    if status == 401:
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    else:
        assert "editor" in found["detail"]
    assert notes.notes == {}


async def test_every_fault_of_a_body_is_listed(client: Client) -> None:
    found = await problem(await client.post("/v1/notes", json={"stars": 9, "color": "red"}, headers=editor()), 422)
    assert {error["field"] for error in found["errors"]} == {"text", "stars", "color"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'{"text": "\xff"}', 400),
        (b'{"text": "\\ud800"}', 400),
        (b'{"text": "a\\u0000b"}', 400),
        (b'{"text": "a", "text": "b"}', 400),
        (b'{"text": "a", "stars": NaN}', 400),
        (b'{"text": "a", "stars": Infinity}', 400),
        (b'{"text": "a", "stars": 1e999}', 400),
        (b'{"text": "a", "stars": ' + b"9" * 40 + b"}", 422),
        (b'{"text": "a", "stars": ' + b"9" * 5000 + b"}", 400),
        (b'{"text": "a", "stars": true}', 422),
        (b'{"text": ' + b"[" * 33 + b"]" * 33 + b"}", 400),
        (b"[" * 30_000, 400),
        (b'{"text": "' + b"x" * (64 * 1024 - 12) + b'"}', 422),
        (b'{"text": "' + b"x" * (64 * 1024 - 11) + b'"}', 413),
    ],
)
async def test_bad_bodies_are_refused_and_nothing_is_stored(client: Client, body: bytes, status: int) -> None:
    headers = editor() | {"Content-Type": "application/json"}
    await problem(await client.post("/v1/notes", data=body, headers=headers), status)
    assert notes.notes == {}


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(max_size=40).map(lambda text: msgspec.json.encode({"text": text})).map(lambda b: b[:-1])))
def test_no_body_at_all_breaks_a_service(body: bytes) -> None:
    async def send() -> int:
        headers = {"Content-Type": "application/json"}
        return (await OPEN.test_client().post("/v1/notes", data=body, headers=headers)).status_code

    assert asyncio.run(send()) in {201, 400, 422}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limt=3", "limt"),
        ("limit=3&limit=4", "limit"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=1.0", "limit"),
        ("limit=%D9%A3", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("id=9223372036854775808", "id"),
        ("id=1,,2", "id"),
        ("id=" + ",".join("1" * 101), "id"),
        ("limit=%00", "limit"),
    ],
)
async def test_bad_queries_name_the_parameter(client: Client, query: str, named: str) -> None:
    found = await problem(await client.get(f"/v1/notes?{query}", headers=editor()), 400)
    assert [error["field"] for error in found["errors"]] == [named]


async def test_where_no_parameter_is_taken_any_is_unknown(client: Client) -> None:
    found = await problem(await client.get("/v1/notes/1?fields=id", headers=editor()), 400)
    assert [error["field"] for error in found["errors"]] == ["fields"]


@pytest.mark.parametrize("query", ["limit=%", "limit=%f", "limit=%ff", "%zz=1", "a=" * 3 + "&" * 70 + "a=1"])
async def test_what_is_no_query_is_a_bad_request(client: Client, query: str) -> None:
    await problem(await client.get(f"/v1/notes?{query}", headers=editor()), 400)


@pytest.mark.parametrize("note_id", ["9223372036854775808", "9" * 40, "-1", "01", "%D9%A3", "1.0", "x", "1%2F2", "..", "1/", "%31"])
async def test_an_id_is_a_plain_number_or_not_found(client: Client, note_id: str) -> None:
    await client.post("/v1/notes", json={"text": "one"}, headers=editor())
    scope = {"raw_path": f"/v1/notes/{note_id}".encode()}
    await problem(await client.get("/v1/notes/" + note_id, headers=editor(), scope_base=scope), 404)


async def test_the_framework_s_own_errors_are_problems(client: Client) -> None:
    await problem(await client.get("/nothing/here"), 404)
    wrong = await client.put("/v1/notes")
    await problem(wrong, 405)
    assert {"GET", "POST"} <= set(wrong.headers["Allow"].split(", "))
    await problem(await client.post("/v1/notes", data=b"<a/>", headers=editor() | {"Content-Type": "text/xml"}), 415)


async def test_a_compressed_body_is_not_taken_for_a_plain_one(client: Client) -> None:
    headers = editor() | {"Content-Type": "application/json"}
    for coding, status in (("gzip", 415), ("x", 415), ("identity", 201)):
        answer = await client.post("/v1/notes", data=b'{"text": "x"}', headers=headers | {"Content-Encoding": coding})
        assert answer.status_code == status


async def test_an_unexpected_error_says_only_the_request_id(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    response = await client.get("/v1/boom", headers={"X-Request-ID": "known-1"})
    assert "secret" not in (await response.get_data(as_text=True))
    assert (await problem(response, 500))["request_id"] == "known-1"


async def test_answers_and_problems_come_in_yaml_when_asked_for(client: Client) -> None:
    await client.post("/v1/notes", json={"text": "one"}, headers=editor())
    response = await client.get("/v1/notes/1", headers=editor() | {"Accept": "application/yaml"})
    assert response.content_type == "application/yaml"
    assert "ETag" not in response.headers
    assert yaml.safe_load(await response.get_data())["text"] == "one"
    again = await client.get("/v1/notes/1", headers=editor() | {"Accept": "application/yaml", "If-None-Match": '"1"'})
    assert (again.status_code, "ETag" in again.headers) == (200, False), "the tag is that of the JSON form"
    missing = await client.get("/v1/notes/2", headers=editor() | {"Accept": "application/yaml"})
    assert missing.content_type == "application/problem+yaml"
    assert yaml.safe_load(await missing.get_data())["status"] == 404
    either = await client.get("/v1/notes/1", headers=editor() | {"Accept": "application/yaml;q=0.5, application/json"})
    assert either.content_type == "application/json"


async def test_the_home_document_lists_the_endpoints(client: Client) -> None:
    found = await (await client.get("/")).get_json()
    listed = {(endpoint["method"], endpoint["path"]): endpoint["operation"] for endpoint in found["endpoints"]}
    assert listed["PATCH", "/v1/notes/{note_id}"] == "patch_note"


async def test_a_route_without_a_policy_is_no_app() -> None:
    blueprint = Blueprint("bad", __name__)

    @blueprint.get("/bad")
    async def bad() -> str:
        return "bad"

    with pytest.raises(RuntimeError, match="no policy"):
        create_service("bad", ServiceSettings(open=True), [blueprint])


async def test_two_operations_of_one_name_are_no_app() -> None:
    blueprint = Blueprint("bad", __name__)

    @operation(allow=PUBLIC)
    async def home() -> Response:
        return respond({})

    blueprint.add_url_rule("/bad", view_func=home)
    with pytest.raises(RuntimeError, match="same name"):
        create_service("bad", ServiceSettings(open=True), [blueprint])


async def test_a_service_without_keys_does_not_start_unless_it_is_open() -> None:
    with pytest.raises(SettingsError, match="NOTES_OPEN=true"):
        notes.create_app(notes.Settings())
    with pytest.raises(SettingsError, match="identity_keys"):
        notes.create_app(notes.Settings(identity_keys="{}"))


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9)}, 200),
        ({"server": ("::1", 80), "client": ("::1", 9)}, 200),
        ({"server": ("/run/notes.sock", None), "client": None}, 200),
        ({"server": ("192.0.2.1", 80), "client": ("127.0.0.1", 9)}, 403),
        ({"server": ("localhost.example", 80), "client": ("127.0.0.1", 9)}, 403),
        ({"server": None, "client": ("127.0.0.1", 9)}, 403),
    ],
)
async def test_an_open_service_answers_on_loopback_only(scope: dict[str, Any], status: int) -> None:
    client = notes.create_app(notes.Settings(open=True, access_log=False)).test_client()
    assert (await client.get("/v1/notes", scope_base=scope)).status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((host, 200) for host in ("localhost", "LOCALHOST:8001", "127.0.0.1:8001", "127.0.0.1", "127.1.2.3", "[::1]:8001", "[::1]")),
        *(
            (host, 403)
            for host in ("evil.example", "evil.example:8001", "localhost.evil.example", "192.0.2.1:80", "[::2]", "", "127.0.0.1@x")
        ),
    ],
)
async def test_an_open_service_is_asked_under_a_loopback_name_only(host: str, status: int) -> None:
    """A page whose name was made to resolve to 127.0.0.1 would read and write everything otherwise."""
    client = notes.create_app(notes.Settings(open=True, access_log=False)).test_client()
    assert (await client.get("/v1/notes", headers={"Host": host})).status_code == status


async def test_anyone_may_write_to_an_open_service() -> None:
    client = notes.create_app(notes.Settings(open=True, access_log=False)).test_client()
    assert (await client.post("/v1/notes", json={"text": "x"})).status_code == 201
