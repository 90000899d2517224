"""What the gateway reads of the services' answers, and the check that an answer may be merged into one of ours.

A record passes through with every field that its owner gave it; the Structs here name only what the gateway itself relies on. An
answer that is not JSON, too deep, or without these fields in these types is a 502: it is never merged, and never passed on.
"""

from typing import Annotated, Any, Final, Generic, Literal, TypeVar

import httpx
import msgspec
from msgspec import Meta, Struct

from shared.errors import BadGateway

MAX_DEPTH: Final = 32
Id = Annotated[int, Meta(ge=1)]
Kind = TypeVar("Kind")


class Person(Struct, frozen=True):
    """Enough of an employee to name one."""

    id: Id
    username: str


class Employee(Person, frozen=True):
    """Enough of an employee to place one."""

    status: Literal["active", "inactive"]
    manager_id: Id | None


class Staff(Struct, frozen=True):
    """Enough of an employee to know whether an account may be theirs."""

    id: Id
    status: Literal["active", "inactive"]
    version: Id
    created_at: str


class StaffState(Struct, frozen=True):
    """The same as the feed tells it, where data may have been erased."""

    id: Id
    version: Id
    status: str | None = None
    created_at: str | None = None


class Placed(Employee, frozen=True):
    """An employee below another, so many levels."""

    depth: int


class Team(Struct, frozen=True):
    """Enough of a team to place it."""

    id: Id
    slug: str
    parent_id: Id | None


class Membership(Struct, frozen=True):
    """Who is in which team, as what, since when."""

    team_id: Id
    employee_id: Id
    role: str | None  # null only in effective lists
    since: str


class ExportedMembership(Struct, frozen=True):
    """A row of the teams service's export."""

    team: str
    employee_id: Id
    role: str
    since: str


class Head(Struct, frozen=True):
    """What the gateway reads of an event of a feed."""

    id: str
    type: str
    subject: str
    time: str
    erased: bool = False


class Page(Struct, Generic[Kind], frozen=True):
    """One page of a list."""

    items: list[Kind]
    next: str | None


def read(service: str, response: httpx.Response, kind: type[Kind]) -> tuple[Any, Kind]:
    """The body as plain values and as `kind`. Raises BadGateway naming the service."""
    content_type = response.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise BadGateway(f"The {service} service answered {content_type[:80] or 'nothing'} where JSON was due.")
    try:
        value = msgspec.json.decode(response.content)
        read_as = msgspec.convert(value, kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadGateway(f"The {service} service gave an answer that can't be used: {str(error)[:200]}") from error
    if isinstance(value, dict | list) and _too_deep(value):
        raise BadGateway(f"The {service} service gave an answer more than {MAX_DEPTH} levels deep.")
    return value, read_as


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True
