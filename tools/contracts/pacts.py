"""Pacts: what one service asks of another and uses of the answer, written by the consumer's tests and kept by the provider's.

The files are in `contracts/pacts/`, one for each pair, without the versions of the tool that wrote them: they change when a pact changes.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pact import Pact, match
from pact.match.matcher import AbstractMatcher

os.environ["PACT_DO_NOT_TRACK"] = "true"  # nothing is reported anywhere
FOLDER: Final = Path(__file__).resolve().parents[2] / "contracts" / "pacts"
Matcher = AbstractMatcher[Any]

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
NDJSON: Final = "application/x-ndjson"
BATCH: Final = "application/cloudevents-batch+json"

ANYONE: Final = match.regex("Bearer an.assertion.signed", regex=r"Bearer [A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
MOMENT: Final = match.regex("2026-11-22T07:49:09.123456Z", regex=r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
TRACE: Final = match.regex("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", regex=r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
IDENTIFIED: Final[Mapping[str, Matcher | str]] = {"Authorization": ANYONE}
"""What every request of ours carries."""

REFUSED: Final[Mapping[str, Any]] = {"detail": match.str("why it was refused")}
"""What the gateway uses of a problem: the rest of it is made anew."""
ETAG: Final[Mapping[str, Matcher | str]] = {"ETag": match.regex('"1"', regex=r'"[0-9]+"')}
THEN: Final = "2020-01-31T12:00:00.000000Z"
"""An instant before anything was there."""
OF_THEN: Final[Mapping[str, Matcher | str]] = {
    "X-As-Of": THEN,
    "X-As-Of-Stable": match.regex(THEN, regex=r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Exchange:
    """One request and what is used of its answer. `given` is the provider's state; without an `answer` the body is not looked at."""

    description: str
    given: str
    method: str = "GET"
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    sends: Mapping[str, Any] = field(default_factory=lambda: IDENTIFIED)
    body: Any = None
    body_type: str = JSON
    status: int = 200
    headers: Mapping[str, Any] = field(default_factory=dict)
    answer: Any = None
    answer_type: str = JSON
    patterns: Sequence[str] = ()
    """For an answer of lines: what each of them must have in it."""

    def add(self, pact: Pact) -> None:
        """Make it part of a pact."""
        one = pact.upon_receiving(self.description).given(self.given).with_request(self.method, self.path)
        one.with_query_parameters(self.query).with_headers(dict(self.sends))
        if isinstance(self.body, bytes):
            one.with_binary_body(self.body, self.body_type)
        elif self.body is not None:
            one.with_body(json.dumps(self.body), self.body_type)
        one.will_respond_with(self.status).with_headers(dict(self.headers))
        if self.answer is None:
            return
        one.with_header("Content-Type", match.regex(self.answer_type, regex=self.answer_type.replace("+", r"\+") + "(;.*)?"))
        if isinstance(self.answer, str):
            one.with_body(self.answer, self.answer_type)
            rules = [{"match": "regex", "regex": rf"([^\n]*{pattern}[^\n]*\n)+"} for pattern in self.patterns]
            one.with_matching_rules({"body": {"$": {"combine": "AND", "matchers": rules}}}, "Response")
        else:
            one.with_body(self.answer, self.answer_type)


@dataclass(frozen=True, kw_only=True, eq=False)
class Message:
    """One message, as its consumer reads it."""

    description: str
    given: str
    contents: Any

    def add(self, pact: Pact) -> None:
        """Make it part of a pact."""
        pact.upon_receiving(self.description, "Async").given(self.given).with_body(self.contents, JSON)


def page(item: Any, after: Any = None) -> dict[str, Any]:
    """A page of at least one of these."""
    return {"items": match.each_like(item, min=1), "next": after}


def refused(description: str, given: str, status: int, *, retry: bool = False, fields: bool = False, **asked: Any) -> Exchange:
    """An exchange that ends with a problem. `retry`: it says when to come again; `fields`: it names what is wrong in the request."""
    answer = dict(REFUSED)
    if fields:
        answer["errors"] = match.each_like({"field": match.str("field"), "message": match.str("what is wrong with it")}, min=1)
    headers = {"Retry-After": match.regex("1", regex="[0-9]{1,5}")} if retry else {}
    return Exchange(
        description=description, given=given, status=status, headers=headers, answer=answer, answer_type=PROBLEM, **{"path": "/", **asked}
    )


def make(consumer: str, provider: str, parts: Iterable[Exchange | Message]) -> Pact:
    """A pact of these parts."""
    pact = Pact(consumer, provider)
    for part in parts:
        part.add(pact)
    return pact


def text_of(consumer: str, provider: str, parts: Iterable[Exchange | Message]) -> str:
    """The file of a pact. The same whatever their order and the tool's version. ValueError for two of one name."""
    listed = list(parts)
    named: dict[str, Exchange | Message] = {}
    for part in listed:
        if named.setdefault(part.description, part) is not part:
            raise ValueError(f"{consumer} and {provider} have two exchanges that are called {part.description!r}")
    with TemporaryDirectory() as folder:
        make(consumer, provider, named.values()).write_file(folder, overwrite=True)
        document = json.loads(Path(folder, f"{consumer}-{provider}.json").read_text("utf-8"))
    del document["metadata"]["pactRust"]
    document["interactions"].sort(key=lambda one: one["description"])
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def path_of(consumer: str, provider: str) -> Path:
    """Where the pact of a pair is kept."""
    return FOLDER / f"{consumer}-{provider}.json"


def body_of(one: Exchange) -> bytes:
    """The bytes of a request."""
    if one.body is None:
        return b""
    return one.body if isinstance(one.body, bytes) else json.dumps(one.body).encode()
