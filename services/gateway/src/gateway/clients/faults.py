"""What becomes of a service's failure: the Problem that stands for it at the gateway.

| what happened | the gateway's answer |
|---|---|
| no connection, or the breaker is open | 503 with Retry-After: `unavailable` |
| too many requests under way to it | 503 with Retry-After: `overloaded` |
| no answer in time | 504 `timeout` |
| a broken answer: protocol, JSON, types, a redirect | 502 `bad-gateway` |
| 400, 404, 409, 410, 412, 413, 415, 422, 428 | the same, with the service's own words |
| 403 | 403: the service decides who may |
| 401 | 502: the service does not know the gateway's signature, which is no caller's fault |
| 429, 503 | 503 with the service's Retry-After |
| 504 | 504 |
| any other 5xx | 502 |
"""

from typing import Final

import httpx
import msgspec

from gateway.errors import ServiceUnavailable
from gateway.resilience import BreakerOpen, Full
from shared.errors import BadGateway, FieldError, Overloaded, Problem, UpstreamTimeout, problem_of_status
from shared.pool import ConnectFailed, PoolClosed, PoolError, PoolTimeout, ReadTimeout

SAME: Final = frozenset({400, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 428})
BUSY: Final = frozenset({429, 503})


class _Told(msgspec.Struct):
    """A problem document, as far as it is passed on."""

    detail: str = ""
    errors: list[FieldError] = []


def problem_of(service: str, error: PoolError) -> Problem:
    """The Problem for a request that got no usable answer."""
    if isinstance(error, BreakerOpen):
        detail = f"The {service} service has failed too often, and is left alone for a moment."
        return ServiceUnavailable(detail, retry_after=error.retry_after, service=service)
    if isinstance(error, Full | PoolTimeout):
        return too_many(service)
    if isinstance(error, ReadTimeout):
        return UpstreamTimeout(f"The {service} service did not answer in time.", service=service)
    if isinstance(error, ConnectFailed | PoolClosed) or not error.sent:
        return ServiceUnavailable(f"The {service} service can't be asked now.", service=service)
    return BadGateway(f"The {service} service gave no answer that can be passed on.", service=service)


def too_many(service: str) -> Overloaded:
    """The Problem of who finds no place on the way to a service."""
    return Overloaded(f"Too many requests to the {service} service are under way.", service=service)


def failure(service: str, error: httpx.HTTPError) -> Problem:
    """The same, for a request that went through httpx."""
    cause = error.__cause__
    if isinstance(cause, PoolError):
        return problem_of(service, cause)
    return BadGateway(f"The {service} service gave no answer that can be passed on.", service=service)


def refusal(service: str, response: httpx.Response) -> Problem:
    """The Problem for an answer that is no success."""
    status = response.status_code
    told = _told(response)
    if status in SAME:
        detail = told.detail or f"The {service} service refused the request."
        return problem_of_status(status, detail, errors=told.errors, service=service)
    if status in BUSY:
        wait = retry_after(response)
        return ServiceUnavailable(f"The {service} service can't answer now.", retry_after=1 if wait is None else wait, service=service)
    if status == 504:
        return UpstreamTimeout(f"The {service} service did not answer in time.", service=service)
    return BadGateway(f"The {service} service answered {status}.", service=service)


def retry_after(response: httpx.Response) -> int | None:
    """The seconds after which an answer says to come again; None where it names none, or a date."""
    text = response.headers.get("retry-after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None


def _told(response: httpx.Response) -> _Told:
    try:
        return msgspec.json.decode(response.content, type=_Told)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, httpx.ResponseNotRead):
        return _Told()
