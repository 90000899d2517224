"""Logs and figures: one JSON object a line, nothing that a caller sent breaks it."""

import errno
import io
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.edge import Edge
from shared.errors import NotFound
from shared.observe import AccessLog, Metrics, logger
from shared.problems import send_problem
from shared.testing.processes import Process


class FullDisk(io.StringIO):
    """Takes nothing any more."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        self.write("")


async def run(
    app: Any, *headers: tuple[bytes, bytes], path: str = "/x", stream: io.StringIO | None = None, **options: Any
) -> tuple[list[Any], list[Any], Metrics]:
    """One request through an edge: what was sent, what was logged, what was counted."""
    stream = stream or io.StringIO()
    metrics = Metrics()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    edge = Edge(app, metrics=metrics, log=logger("notes", stream=stream), access_log=AccessLog("notes", stream), **options)
    scope = {"type": "http", "method": "GET", "path": path, "headers": list(headers), "client": ("192.0.2.9", 5), "http_version": "1.1"}
    await edge(scope, receive, send)
    edge._access_log.flush()  # type: ignore[union-attr]  # instead of waiting for it
    return sent, [json.loads(line) for line in stream.getvalue().split("\n") if line], metrics


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello", "more_body": False})


async def fail(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("secret")


async def missing(scope: Any, receive: Any, send: Any) -> None:
    raise NotFound("no such thing")


async def test_a_request_is_one_line() -> None:
    _, lines, _ = await run(answer, (b"x-request-id", b"abc"), path='/a\n"b"\u2028')
    (line,) = lines
    assert (line["event"], line["status"], line["bytes"], line["request_id"], line["client"]) == ("request", 200, 5, "abc", "192.0.2.9")
    assert line["path"] == '/a\n"b"\u2028'


async def test_requests_are_counted_by_operation() -> None:
    _, _, metrics = await run(answer)
    text = metrics.text().decode()
    assert 'http_requests_total{method="GET",operation="",status="200"} 1.0' in text
    assert 'http_request_duration_seconds_bucket{le="+Inf",operation=""} 1.0' in text
    assert "http_requests_in_flight 0" in text
    assert "asyncio_tasks 1" in text


async def test_a_trace_goes_on_and_a_broken_one_is_begun_anew() -> None:
    seen: list[str] = []

    async def look(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["exchange"].traceparent)
        await answer(scope, receive, send)

    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for header in (trace, b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", b"\xff", b"ff-x"):
        await run(look, (b"traceparent", header))
    assert seen[0].split("-")[1] == "0af7651916cd43dd8448eb211c80319c"
    assert seen[0].split("-")[2] != "b7ad6b7169203331"
    assert len({value.split("-")[1] for value in seen}) == 4
    assert all(len(value) == 55 for value in seen)


async def test_an_error_in_front_of_quart_is_answered_and_logged() -> None:
    sent, lines, _ = await run(fail)
    assert sent[0]["status"] == 500
    assert b"secret" not in sent[1]["body"]
    assert "secret" in lines[0]["exception"]
    assert lines[0]["request_id"] == lines[1]["request_id"] == json.loads(sent[1]["body"])["request_id"]


@pytest.mark.parametrize(("app", "status"), [(answer, 200), (fail, 500)])
async def test_a_log_that_can_not_be_written_ends_no_request(app: Any, status: int) -> None:
    sent, _, _ = await run(app, stream=FullDisk())
    assert sent[0]["status"] == status


async def test_a_problem_in_front_of_quart_is_answered() -> None:
    sent, lines, _ = await run(missing, (b"accept", b"application/yaml"))
    assert sent[0]["status"] == 404
    assert (b"content-type", b"application/problem+yaml") in sent[0]["headers"]
    assert [line["event"] for line in lines] == ["request"]


async def test_surrogates_in_what_was_sent_do_not_break_the_answer() -> None:
    sent, _, _ = await run(missing, path="/\udcff")
    assert json.loads(sent[1]["body"])["instance"] == "/\\udcff"


async def test_a_header_of_a_problem_is_on_its_answer() -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await send_problem(NotFound("x", headers={"Retry-After": "1"}), scope, send)

    sent, _, _ = await run(refuse)
    assert (b"retry-after", b"1") in sent[0]["headers"]


def test_a_service_that_is_told_to_end_writes_its_log_to_the_last_line(tmp_path: Path) -> None:
    process = Process("notes", [sys.executable, "-m", "shared.testing.notes", "serve"], tmp_path)
    process.env |= {"NOTES_OPEN": "true", "NOTES_PORT": str(process.port), "NOTES_LAME_DUCK": "0"}
    process.start()
    try:
        process.wait_ready()
        httpx.get(f"{process.url}/livez", headers={"X-Request-ID": "the-last"})
        assert process.stop() == 0
    finally:
        process.kill()
    assert process.log.read_text("utf-8").count('"request_id":"the-last"') == 1


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_the_level_is_kept(level: str) -> None:
    stream = io.StringIO()
    log = logger("notes", level, stream)
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("said")
    assert len(stream.getvalue().splitlines()) == 4 - ["debug", "info", "warning", "error"].index(level)
