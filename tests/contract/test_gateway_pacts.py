"""What the gateway asks of the services: its own clients and views, driven against servers that answer by the pacts and by nothing else."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest

from gateway import memberships, views
from gateway.audit.sources import source
from gateway.clients import UPSTREAMS, Employee, Instant, Membership, Page, Staff, Upstream
from gateway.errors import ServiceUnavailable
from gateway.memberships.people import People
from gateway.resilience import Calls
from shared.audit import Asked, AuditCheck
from shared.errors import BadGateway, Invalid, NotFound, PreconditionFailed
from shared.identity import Minter
from shared.pool import Pool
from shared.testing.callers import Signer
from tools.contracts.asked import employees_by_gateway as people
from tools.contracts.asked import teams_by_gateway as groups
from tools.contracts.gateway_uses import ASK, CASES, ROLE, Case, Services, case
from tools.contracts.pacts import NDJSON, THEN, make

MINTER = Minter("gateway", Signer("gateway").private_key)
NOWHERE = "http://127.0.0.1:9"


@case(employees=[people.HEAD_OF_ALL, people.REPORTING])
async def someone_with_their_manager(services: Services) -> None:
    assert (await services.expand(2, "manager"))["manager"]["username"] == "ada"
    assert (await services.expand(1, "manager"))["manager"] is None


@case(employees=[people.HEAD_OF_ALL, people.REPORTS])
async def someone_with_their_reports(services: Services) -> None:
    found = (await services.expand(1, "reports"))["reports"]
    assert [one["username"] for one in found["items"]] == ["bob"]
    assert found["next"] is None


@case(employees=[people.REPORTING, people.NO_REPORTS])
async def someone_without_reports(services: Services) -> None:
    assert (await services.expand(2, "reports"))["reports"] == {"items": [], "next": None}


@case(employees=[people.MORE])
async def a_list_that_goes_on(services: Services) -> None:
    _, page = await services.employees.get(ASK, "list_reports", Page[Employee], {"limit": 200}, employee_id=1)
    assert page.next


@case(employees=[people.HEAD_OF_ALL, people.LEVELS])
async def an_organisation_chart(services: Services) -> None:
    root = (await views.org_chart(services.employees, ASK, 1, 2)).document["root"]
    assert [one["username"] for one in root["reports"]] == ["bob"]


@case(employees=[people.OWNER])
async def someone_to_whom_an_account_belongs(services: Services) -> None:
    _, found = await services.employees.get(ASK, "get_employee", Staff, employee_id=1)
    assert (found.id, found.status, found.version) == (1, "active", 1)


@case(employees=[people.NAMES, people.IDS])
async def usernames_and_ids(services: Services) -> None:
    directory = People(services.employees, ASK)
    assert await directory.ids(["Bob", "zoe"]) == {"bob": 2}
    assert await directory.names([1]) == {1: "ada"}


@case(employees=[people.FOUND])
async def a_search_for_someone(services: Services) -> None:
    assert [one["id"] for one in (await services.search("bob"))["employees"]["items"]] == [2]


@case(teams=[groups.FOUND])
async def a_search_for_a_team(services: Services) -> None:
    assert [one["slug"] for one in (await services.search("core"))["teams"]["items"]] == ["core"]


@case(employees=[people.UNKNOWN])
async def someone_who_is_not_there(services: Services) -> None:
    with pytest.raises(NotFound, match="why it was refused"):
        await services.expand(1)


@case(employees=[people.DATABASE_AWAY])
async def a_service_that_can_not_answer(services: Services) -> None:
    with pytest.raises(ServiceUnavailable) as told:
        await services.expand(1)
    assert told.value.headers["Retry-After"] == "1"


@case(employees=[people.NOT_TRUSTED])
async def a_service_that_does_not_know_the_gateway(services: Services) -> None:
    with pytest.raises(BadGateway, match="401"):
        await services.expand(1)


@case(teams=[groups.TOP, groups.BELOW])
async def a_team_with_its_parent(services: Services) -> None:
    assert (await services.expand_team(2, "parent"))["parent"]["slug"] == "company"
    assert (await services.expand_team(1, "parent"))["parent"] is None


@case(teams=[groups.UNKNOWN])
async def a_team_that_is_not_there(services: Services) -> None:
    with pytest.raises(NotFound, match="why it was refused"):
        await services.expand_team(1)


@case(teams=[groups.DATABASE_AWAY])
async def teams_can_not_answer(services: Services) -> None:
    with pytest.raises(ServiceUnavailable) as told:
        await services.expand_team(1)
    assert told.value.headers["Retry-After"] == "1"


@case(employees=[people.BY_ID], teams=[groups.BELOW, groups.MEMBERS])
async def a_team_with_its_members(services: Services) -> None:
    (member,) = (await services.expand_team(2, "members"))["members"]["items"]
    assert (member["employee_id"], member["role"], member["since"]) == (1, "lead", "2024-01-31")
    assert member["employee"]["username"] == "ada"


@case(teams=[groups.TOP, groups.NO_MEMBERS])
async def a_team_that_is_empty(services: Services) -> None:
    assert (await services.expand_team(1, "members"))["members"] == {"items": [], "next": None}


@case(teams=[groups.TOP, groups.SUBTEAMS])
async def a_team_with_those_below(services: Services) -> None:
    assert [one["slug"] for one in (await services.expand_team(1, "subteams"))["subteams"]["items"]] == ["core"]


@case(employees=[people.HEAD_OF_ALL], teams=[groups.TEAMS_OF, groups.BY_ID])
async def someone_with_their_teams(services: Services) -> None:
    (one,) = (await services.expand(1, "teams"))["teams"]["items"]
    assert (one["role"], one["since"], one["team"]["slug"]) == ("lead", "2024-01-31", "core")


@case(employees=[people.HEAD_OF_ALL], teams=[groups.IN_NONE])
async def someone_in_no_team(services: Services) -> None:
    assert (await services.expand(1, "teams"))["teams"] == {"items": [], "next": None}


@case(employees=[people.REPORTING], teams=[groups.JOINED, groups.CHANGED])
async def a_member(services: Services) -> None:
    joined = await services.put(1)
    assert (joined.status_code, joined.headers["Location"], joined.headers["ETag"]) == (201, groups.PLACE, '"1"')
    changed = await services.put(2, if_match='"1"')
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"1"')


@case(employees=[people.INACTIVE])
async def a_member_who_is_inactive(services: Services) -> None:
    with pytest.raises(Invalid, match="not active"):
        await memberships.put_member(services.employees, services.teams, ASK, 1, 3, b"{}", ROLE)


@case(employees=[people.REPORTING], teams=[groups.STALE, groups.NO_ROLE])
async def a_member_refused(services: Services) -> None:
    with pytest.raises(PreconditionFailed):
        await services.put(2, if_match='"77"')
    with pytest.raises(Invalid) as told:
        await services.put(1, b'{"role": "boss"}')
    assert [one.field for one in told.value.errors] == ["field"]


@case(employees=[people.REPORTING], teams=[groups.NO_TEAM])
async def a_member_of_no_team(services: Services) -> None:
    with pytest.raises(NotFound, match="why it was refused"):
        await services.put(1)


@case(employees=[people.REPORTING], teams=[groups.GONE])
async def a_member_who_has_just_left(services: Services) -> None:
    with pytest.raises(Invalid, match="why it was refused"):
        await services.put(1)


class Upload:
    """A table as a client sends one."""

    media_type = NDJSON

    def __init__(self, *lines: bytes) -> None:
        self._lines = lines

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for line in self._lines:
            yield line + b"\n"


@case(employees=[people.IDS], teams=[groups.IMPORTED])
async def a_table_of_memberships(services: Services) -> None:
    table = Upload(b'{"team":"company","username":"bob"}', b'{"team":"absent","username":"bob"}', b'{"team":"core","username":"zoe"}')
    report = await memberships.import_rows(services.employees, services.teams, ASK, table, atomic=False, dry_run=False)
    assert (report.created, report.updated, report.unchanged, report.refused) == (1, 1, 1, 2)
    assert [(one.line, one.field) for one in report.refusals] == [(2, "team"), (3, "username")]


@case(employees=[people.ONE_ID], teams=[groups.REFUSED_WHOLE])
async def a_table_of_memberships_refused_whole(services: Services) -> None:
    table = Upload(b'{"team":"absent","username":"bob"}')
    with pytest.raises(Invalid) as told:
        await memberships.import_rows(services.employees, services.teams, ASK, table, atomic=True, dry_run=False)
    assert told.value.members["refused"] == 1


@case(employees=[people.NAMES], teams=[groups.EXPORTED])
async def all_memberships(services: Services) -> None:
    rows = memberships.export_rows(services.employees, services.teams, ASK)
    assert [row async for batch in rows for row in batch] == [("core", "ada", "lead", "2024-01-31")]


@case(employees=[people.BY_ID_THEN], teams=[groups.TEAMS_OF_THEN])
async def how_it_was_before_anything_was_there(services: Services) -> None:
    then = replace(ASK, instant=Instant(THEN))
    _, people_then = await services.employees.get(then, "list_employees", Page[Employee], {"id": [1], "limit": 1})
    _, parts = await services.teams.get(then, "list_memberships", Page[Membership], {"employee_id": [1], "limit": 200})
    assert (people_then.items, parts.items) == ([], [])
    assert then.instant is not None
    assert then.instant.stable >= THEN


async def read_log(upstream: Upstream, entity: str) -> None:
    never = Asked("account:9", entity, 9, "2026-01-01T00:00:00.000000Z", "2026-01-02T00:00:00.000000Z")
    for asked, many in ((Asked(None, entity, None, None, None), 1), (never, 0)):
        assert len((await source(upstream, ASK, asked)("-seq", None, 50))[0]) == many
    assert (await upstream.get(ASK, "verify_audit", AuditCheck))[1].intact


@case(employees=people.LOG, teams=groups.LOG)
async def the_logs_of_both(services: Services) -> None:
    await read_log(services.employees, "employee")
    await read_log(services.teams, "team")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.use.__name__)
async def test_the_gateway_takes_what_the_pact_says(case: Case) -> None:
    with ExitStack() as open_:
        urls = {"employees": NOWHERE, "teams": NOWHERE}
        for service, exchanges in (("employees", case.employees), ("teams", case.teams)):
            if exchanges:
                server = open_.enter_context(make("gateway", service, exchanges).serve("127.0.0.1", raises=True))
                urls[service] = str(server.url).rstrip("/")
        upstreams = {
            name: Upstream(name, UPSTREAMS[name], Calls(Pool(url), Pool(url)), partial(MINTER.mint, audience=name))
            for name, url in urls.items()
        }
        try:
            await case.use(Services(**upstreams))
        finally:
            for one in upstreams.values():
                await one.close()


def test_everything_in_the_pacts_is_used() -> None:
    used = [one for case in CASES for one in (*case.employees, *case.teams)]
    every = {*people.ALL, *groups.ALL} - {*people.FORWARDED, *people.FOLLOWED, *groups.FORWARDED}
    every -= {*people.FEED, *groups.FEED}  # test_merged_feed_pacts.py has these
    assert sorted({one.description for one in every} ^ {one.description for one in used}) == []
