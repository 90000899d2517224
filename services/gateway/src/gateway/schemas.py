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
Moment = Annotated[str, Meta(min_length=27, max_length=27, description="UTC, with microseconds", extra_json_schema={"format": "date-time"})]
Text = Annotated[str, Meta(max_length=2000)]
Cursor = Annotated[str, Meta(max_length=2000)]
Limit = Annotated[int, Meta(ge=1, le=200)]


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
    total: Annotated[int, Meta(ge=0, le=2**63 - 1)] | UnsetType = UNSET


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

# Records as their owners write them: the document names the owners' schemas, see `union`.
Employee = Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/Employee"})]
PlacedEmployee = Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/PlacedEmployee"})]
Team = Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/Team"})]
Subteam = Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/Subteam"})]
Membership = Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/Membership"})]
MemberBody = Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/MemberBody"})]
_AND_EMPLOYEE = Meta(extra_json_schema={"allOf": [{"$ref": "#/components/schemas/Employee"}]})
_AND_TEAM = Meta(extra_json_schema={"allOf": [{"$ref": "#/components/schemas/Team"}]})

Role = Literal["lead", "member"]
DateText = Annotated[str, Meta(min_length=10, max_length=10, extra_json_schema={"format": "date"})]
Next = Annotated[str, Meta(max_length=4000)] | None


class PlaceInTeam(Struct, kw_only=True):
    """Someone's part in a team, and the team."""

    role: Role
    since: DateText
    team: Team


class PlacesInTeams(Struct, kw_only=True):
    items: Annotated[list[PlaceInTeam], Meta(max_length=MAX_EXPAND)]
    next: Next


class Reports(Struct, kw_only=True):
    items: Annotated[list[PlacedEmployee], Meta(max_length=MAX_EXPAND)]
    next: Next


class TeamMember(Struct, kw_only=True):
    """Someone's part in a team, and who it is; null when that could not be asked, or the record is gone."""

    employee_id: Id
    role: Role
    since: DateText
    employee: Employee | None


class TeamMembers(Struct, kw_only=True):
    items: Annotated[list[TeamMember], Meta(max_length=MAX_EXPAND)]
    next: Next


class Subteams(Struct, kw_only=True):
    items: Annotated[list[Subteam], Meta(max_length=MAX_EXPAND)]
    next: Next


class EmployeeParts(Struct, kw_only=True):
    """The parts asked for. One that is missing is null and named in `_parts`."""

    manager: Employee | UnsetType | None = UNSET
    teams: PlacesInTeams | UnsetType | None = UNSET
    reports: Reports | UnsetType | None = UNSET
    parts: Failures | UnsetType = field(name="_parts", default=UNSET)


class TeamParts(Struct, kw_only=True):
    """The parts asked for. One that is missing is null and named in `_parts`."""

    members: TeamMembers | UnsetType | None = UNSET
    parent: Team | UnsetType | None = UNSET
    subteams: Subteams | UnsetType | None = UNSET
    parts: Failures | UnsetType = field(name="_parts", default=UNSET)


EmployeeWithParts = Annotated[EmployeeParts, _AND_EMPLOYEE]
TeamWithParts = Annotated[TeamParts, _AND_TEAM]


class EmployeeHit(Struct, kw_only=True):
    """What a search found, by kind."""

    type: Literal["employee"]


class TeamHit(Struct, kw_only=True):
    """What a search found, by kind."""

    type: Literal["team"]


class EmployeeHits(Struct, kw_only=True):
    items: Annotated[list[Annotated[EmployeeHit, _AND_EMPLOYEE]], Meta(max_length=50)]
    next: Next


class TeamHits(Struct, kw_only=True):
    items: Annotated[list[Annotated[TeamHit, _AND_TEAM]], Meta(max_length=50)]
    next: Next


class Found(Struct, kw_only=True):
    """What a search found, of each kind; null when that kind's service could not be asked."""

    employees: EmployeeHits | None
    teams: TeamHits | None
    parts: Failures | UnsetType = field(name="_parts", default=UNSET)


class ChartNode(Struct, kw_only=True):
    """An employee in a chart; `depth` counts from the root, which has none. `reports` is null where nobody looked."""

    depth: Annotated[int, Meta(ge=1, le=10)] | UnsetType = UNSET
    reports: Annotated[list[Annotated["ChartNode", _AND_EMPLOYEE]], Meta(max_length=1000)] | None


class OrgChart(Struct, kw_only=True):
    """A tree of employees: `reports` of each is a list down to the last of the `levels`, null on it; `cut` when there was more."""

    levels: Annotated[int, Meta(ge=1, le=10)]
    cut: bool
    root: Annotated[ChartNode, _AND_EMPLOYEE]


class MembershipRow(Struct, kw_only=True):
    """A row of an import of memberships."""

    team: Text
    username: Annotated[str, Meta(min_length=1, max_length=128)]
    role: Role | UnsetType | None = UNSET
    since: DateText | UnsetType | None = UNSET


class MembershipLine(Struct, kw_only=True):
    """A row of an export of memberships."""

    team: Text
    username: Annotated[str, Meta(min_length=1, max_length=128)]
    role: Role
    since: DateText
