"""What every operation refuses in the same way, whatever it is about."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from tools.contracts.exercise.asking import ELSEWHERE, Case
from tools.contracts.exercise.documents import Operation

TIMEOUT: Final = "X-Request-Timeout-Ms"
UPLOAD: Final = 20_000
"""The largest upload that the exercised services take; their largest JSON body is a setting's default."""
BODY: Final = 64 * 1024
NOBODY: Final = 999_999_999
WRITERS: Final = frozenset({"write", "admin"})


def cases(operation: Operation) -> Iterator[Case]:
    """One case for each status that follows from what the operation declares."""
    yield operation.case(400, "no number of milliseconds", headers={TIMEOUT: "soon"}, names=TIMEOUT)
    yield operation.case(504, "no time left", headers={TIMEOUT: "0"})
    if not operation.is_public:
        yield operation.case(401, "nobody", role=None)
    if operation.described["x-policy"] in WRITERS:
        yield operation.case(403, "a reader", role="viewer")
    if operation.described["x-policy"] == "admin":
        yield operation.case(403, "an editor", role="writer")
    if operation.parameters("path"):
        yield operation.case(404, "not there", path=operation.path(**dict.fromkeys(operation.parameters("path"), NOBODY)))
    if "as_of" in operation.parameters("query"):
        yield operation.case(422, "a time that has not come", query={**_asked(operation), "as_of": "2999-12-31"})
    if 406 in operation.statuses:
        yield operation.case(406, "a picture", query={}, headers={"accept": "image/png"})
    if operation.bodies():
        yield from _body_cases(operation)


def of_today(operation: Operation) -> Iterator[Case]:
    """Asked for how things are on the present day, where that can be asked."""
    if "as_of" in operation.parameters("query") and "q" not in (asked := _asked(operation)):
        yield operation.case(200, "as of today", query={**asked, "as_of": datetime.now(UTC).date().isoformat()}, gives="x-as-of-stable")


def _asked(operation: Operation) -> dict[str, Any]:
    """The query of the example, without what does not go with `as_of` and may be left out."""
    optional = {name for name, one in operation.parameters("query").items() if not one.get("required")}
    return {name: value for name, value in operation.case(200, "").query.items() if name not in {"q", "sort", "cursor"} & optional}


def _body_cases(operation: Operation) -> Iterator[Case]:
    media_type, _ = operation.example()
    yield operation.case(415, "plain text", headers={"content-type": "text/plain"})
    yield operation.case(408, "a body that never ends", headers={TIMEOUT: "150"}, endless=True)
    if media_type.endswith("json"):
        yield operation.case(413, "too large", body=b" " * (BODY + 1))
        yield operation.case(400, "broken JSON", body=b'{"a":')
        yield operation.case(400, "not UTF-8", body=b'{"a": "\xff"}')
    else:
        yield operation.case(413, "too large", body=b"\n" * (UPLOAD + 1))
        yield operation.case(422, "an unknown column", body=b"no-such-column\nx\n")


def from_elsewhere(operation: Operation) -> Case:
    """Asked of an open service on an address that others reach."""
    return operation.case(403, "from elsewhere", server=ELSEWHERE)
