"""Problems as answers: for Quart's handlers and for ASGI code in front of it, from one function."""

import logging
from typing import Any

from quart import Quart, Response, got_request_exception, request
from quart.wrappers import Response as QuartResponse
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from shared.db import InvalidParameter, Unavailable
from shared.errors import UNEXPECTED, BadRequest, InternalError, Overloaded, Problem, problem_of_status
from shared.exchange import exchange_of
from shared.media import JSON, PROBLEM_TYPES, negotiate
from shared.responses import encode_as

Scope = Any  # an ASGI scope, receive and send: the servers' own types differ
Send = Any
KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate", "Accept", "Content-Range")


def install(app: Quart, log: Any) -> None:
    """Every error of the app, the framework's own included, becomes a problem document; what nobody expected is logged in full."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.register_error_handler(Problem, _from_problem)
    app.register_error_handler(HTTPException, _from_framework)
    app.register_error_handler(InvalidParameter, _from_parameter)
    app.register_error_handler(Unavailable, _from_unavailable)
    app.log_exception = lambda *context: None  # type: ignore[method-assign]  # the signal below logs, once

    async def log_exception(sender: Quart, exception: BaseException, **extra: Any) -> None:
        log.error("unexpected error", path=request.path, method=request.method, exc_info=exception)

    got_request_exception.connect(log_exception, app, weak=False)
    logging.getLogger(app.name).propagate = False


def problem_answer(problem: Problem, scope: Scope) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a problem's document, JSON or YAML by the request's Accept."""
    accept = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"accept"), "")
    form = negotiate(accept) if accept else JSON
    document = problem.document(exchange_of(scope).request_id, scope["path"])
    body = encode_as(form, _encodable(document))
    headers = {"Content-Type": PROBLEM_TYPES[form], "Content-Length": str(len(body)), "Vary": "Accept", "Cache-Control": "no-store"}
    return problem.status, headers | problem.headers, body


async def send_problem(problem: Problem, scope: Scope, send: Send) -> None:
    """Answer a problem at the ASGI level."""
    status, headers, body = problem_answer(problem, scope)
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body, "more_body": False})


def problem_response(problem: Problem) -> Response:
    """A problem as a Quart response to the current request."""
    status, headers, body = problem_answer(problem, request.scope)
    return QuartResponse(body, status, headers)


async def _from_problem(problem: Problem) -> Response:
    return problem_response(problem)


async def _from_parameter(error: InvalidParameter) -> Response:
    return problem_response(BadRequest.of(error.parameter, error.reason))


async def _from_unavailable(error: Unavailable) -> Response:
    return problem_response(Overloaded("the database does not answer"))


async def _from_framework(error: HTTPException) -> Any:
    if isinstance(error, RequestRedirect) or error.code is None:
        return error
    if error.code >= 500 and getattr(error, "original_exception", None) is not None:
        return problem_response(InternalError(UNEXPECTED))
    headers = {name: value for name, value in error.get_headers() if name in KEPT_HEADERS}
    return problem_response(problem_of_status(error.code, error.description, headers=headers))


def _encodable(value: Any) -> Any:
    """Text that came with the request may hold surrogates; they must not break the answer that says so."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _encodable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    return value
