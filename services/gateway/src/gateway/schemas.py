"""What goes in and out of the gateway's own operations: every field with its bounds.

The records of the services pass through as their owners wrote them; here stand only the fields that the gateway itself reads.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

MAX_EXPAND = 200
"""Rows of one expanded list; the rest is behind its `next`."""

Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Password = Annotated[str, Meta(max_length=256)]
AccountRole = Literal["viewer", "editor", "admin"]
Moment = Annotated[str, Meta(min_length=27, max_length=27, description="UTC, with microseconds")]
Text = Annotated[str, Meta(max_length=2000)]
Cursor = Annotated[str, Meta(max_length=2000)]
Limit = Annotated[int, Meta(ge=1, le=200)]
Record = dict[str, Any]


class Credentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who logs in; may also come as HTTP Basic."""

    username: Annotated[str, Meta(max_length=128)]
    password: Password


class SessionState(Struct, frozen=True, kw_only=True):
    """Who is logged in, since when, and when that ends at the latest."""

    account_id: Id
    username: Text
    role: AccountRole
    since: Moment
    until: Moment


class AccountBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new account."""

    username: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\s:\x00-\x1f\x7f]+$")]
    password: Password
    role: AccountRole


class Account(Struct, frozen=True, kw_only=True):
    """An account as it is answered. No answer holds a password."""

    id: Id
    username: Text
    role: AccountRole
    disabled: bool
    version: Id
    created_at: Moment
    updated_at: Moment


class AccountPage(Struct, frozen=True, kw_only=True):
    items: Annotated[list[Account], Meta(max_length=200)]
    next: Cursor | None
    total: Annotated[int, Meta(ge=0)] | None = None


class AccountQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Limit = 50
    cursor: Cursor | None = None
    sort: Literal["id", "-id", "username", "-username"] = "id"
    count: bool = False


EmployeePart = Literal["manager", "teams", "reports"]
TeamPart = Literal["members", "parent", "subteams"]


class ExpandEmployee(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which parts come with the employee."""

    expand: Annotated[list[EmployeePart], Meta(min_length=1, max_length=3)]


class ExpandTeam(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which parts come with the team."""

    expand: Annotated[list[TeamPart], Meta(min_length=1, max_length=3)]


class SearchQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every word of `q` is a prefix of a word in a name; `limit` counts for each kind."""

    q: Annotated[str, Meta(min_length=1, max_length=200)]
    limit: Annotated[int, Meta(ge=1, le=50)] = 10


class ChartQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From whom, and how many levels below."""

    root: Id
    depth: Annotated[int, Meta(ge=1, le=10)] = 2


class Failure(Struct, frozen=True, kw_only=True):
    """Why a part is missing."""

    part: Text
    status: Annotated[int, Meta(ge=400, le=599)]
    type: Text
    detail: Text


Failures = Annotated[list[Failure], Meta(max_length=10)]
Page = dict[str, Any]


class ExpandedEmployee(Struct, kw_only=True):
    """An employee as the employees service gives one, and the parts asked for. A part that is missing is null and named in `_parts`."""

    id: Id
    manager: Record | UnsetType | None = UNSET
    teams: Page | UnsetType | None = UNSET
    reports: Page | UnsetType | None = UNSET
    parts: Failures | UnsetType = field(name="_parts", default=UNSET)


class ExpandedTeam(Struct, kw_only=True):
    """A team as the teams service gives one, and the parts asked for. A part that is missing is null and named in `_parts`."""

    id: Id
    members: Page | UnsetType | None = UNSET
    parent: Record | UnsetType | None = UNSET
    subteams: Page | UnsetType | None = UNSET
    parts: Failures | UnsetType = field(name="_parts", default=UNSET)


class Found(Struct, kw_only=True):
    """What a search found, of each kind; null when that kind's service could not be asked."""

    employees: Page | None
    teams: Page | None
    parts: Failures | UnsetType = field(name="_parts", default=UNSET)


class OrgChart(Struct, kw_only=True):
    """A tree of employees: `reports` of each is a list down to the last of the `levels`, null on it; `cut` when there was more."""

    levels: Annotated[int, Meta(ge=1, le=10)]
    cut: bool
    root: Record


class MembershipRecord(Struct, kw_only=True):
    """A membership as the teams service gives one."""

    team_id: Id
    employee_id: Id
    role: Annotated[str, Meta(max_length=20)]
    since: Annotated[str, Meta(max_length=10)]
