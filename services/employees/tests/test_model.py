"""Random operations on both databases and on a model that is as plain as can be: every answer is the same."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from employees.models import FIELDS

SORTS = ("id", "username", "email", "display_name", "department", "title", "hired_on")
EMPTIED = ("title", "department", "display_name", "employee_number", "hired_on", "left_on", "manager_id")
WORDS = ("e", "eng", "chief", "ada", "example", "zoe", "x", "engineer chief")
TIMES = ("created_at", "updated_at", "request_id")

people = st.integers(0, 7)
values = st.fixed_dictionaries(
    {
        "username": st.sampled_from(("ada", "ADA", "bob", "Cyd", "dee", "eve", "zoe")),
        "email": st.sampled_from(("a@b", "A@b", "c@d", "e@f", "g@h")),
    },
    optional={
        "title": st.sampled_from((None, "Engineer", "chief engineer", "Éng")),
        "department": st.sampled_from((None, "R", "r", "S")),
        "display_name": st.sampled_from((None, "Zoë", "ada b")),
        "employee_number": st.sampled_from((None, "1", "2")),
        "hired_on": st.sampled_from((None, "2020-01-01", "2021-01-01")),
        "left_on": st.sampled_from((None, "2020-06-01")),
        "status": st.sampled_from(("active", "active", "inactive")),
        "manager": st.none() | people,
    },
)
heirs = st.none() | st.just("none") | people
patches = values.flatmap(lambda full: st.sets(st.sampled_from(sorted(full))).map(lambda kept: {name: full[name] for name in kept}))
operations = st.one_of(
    st.tuples(st.just("create"), st.none(), values, st.none()),
    st.tuples(st.just("create"), st.none(), values, st.none()),
    st.tuples(st.just("replace"), people, values, heirs),
    st.tuples(st.just("patch"), people, patches, heirs),
    st.tuples(st.just("delete"), people, st.none(), heirs),
)
queries = st.fixed_dictionaries(
    {"sort": st.sampled_from([sign + name for name in SORTS for sign in ("", "-")]), "limit": st.integers(1, 4)},
    optional={
        "status": st.sampled_from(("active", "inactive")),
        "department": st.sampled_from(("R", "s")),
        "manager_id": st.just("none") | people,
        "q": st.sampled_from(WORDS),
    },
)


class Model:
    """The directory as a dict, its rules written down a second time."""

    def __init__(self) -> None:
        self.people: dict[int, dict[str, Any]] = {}

    def write(self, id_: int | None, changes: dict[str, Any], heir: Any, new_id: int) -> int:
        """The status of a create (no id) or a change."""
        before = self.people.get(id_) if id_ is not None else None
        if id_ is not None and before is None:
            return 404
        blank = dict.fromkeys(FIELDS) | {"status": "active", "version": 0}
        after = (before or blank) | changes
        leaves = before is not None and after["status"] == "inactive" and before["status"] == "active"
        if heir is not None and after["status"] == "active":
            return 422
        moved = self.moved(id_, heir) if leaves else {}
        if isinstance(moved, int):
            return moved
        trial = self.people | moved
        status = self.check(trial, id_, after)
        if status == 200:
            self.people = trial
            if before is None:
                self.people[new_id] = after | {"id": new_id, "version": 1}
            elif after != before:
                self.people[id_ or 0] = after | {"version": before["version"] + 1}
        return 201 if status == 200 and id_ is None else status

    def remove(self, id_: int, heir: Any) -> int:
        if id_ not in self.people:
            return 404
        moved = self.moved(id_, heir)
        if isinstance(moved, int):
            return moved
        self.people |= moved
        del self.people[id_]
        return 204

    def moved(self, id_: Any, heir: Any) -> dict[int, dict[str, Any]] | int:
        """The reports of someone who leaves, as they are then; or the status of a refusal."""
        if isinstance(heir, int) and (not self.fit(self.people, heir) or id_ in self.line(self.people, heir)):
            return 422
        reports = [person for person in self.people.values() if person["manager_id"] == id_]
        if reports and heir is None:
            return 409
        manager = None if heir == "none" else heir
        return {person["id"]: person | {"manager_id": manager, "version": person["version"] + 1} for person in reports}

    def check(self, people: dict[int, Any], id_: int | None, after: dict[str, Any]) -> int:
        manager = after["manager_id"]
        kept = id_ is not None and people[id_]["manager_id"] == manager
        if after["hired_on"] and after["left_on"] and after["left_on"] < after["hired_on"]:
            return 422
        if manager is not None and not kept and (not self.fit(people, manager) or id_ in self.line(people, manager)):
            return 422
        others = [person for person in people.values() if person["id"] != id_]
        for name in ("username", "email", "employee_number"):
            if any(after[name] is not None and key(name, after) == key(name, other) for other in others):
                return 409
        return 200

    def fit(self, people: dict[int, Any], id_: int) -> bool:
        return id_ in people and people[id_]["status"] == "active"

    def line(self, people: dict[int, Any], id_: int | None) -> list[int]:
        """Someone and those above."""
        found = []
        while id_ is not None:
            found.append(id_)
            id_ = people[id_]["manager_id"]
        return found

    def listed(self, query: dict[str, Any]) -> list[int]:
        sort, reverse = query["sort"].removeprefix("-"), query["sort"].startswith("-")
        found = [person for person in self.people.values() if self.matches(person, query)]
        full = sorted((p for p in found if key(sort, p) != ""), key=lambda p: (key(sort, p), p["id"]), reverse=reverse)
        empty = sorted((p["id"] for p in found if key(sort, p) == ""), reverse=reverse)
        return [person["id"] for person in full] + empty

    def matches(self, person: dict[str, Any], query: dict[str, Any]) -> bool:
        told = " ".join(str(person[name]) for name in ("username", "email", "display_name", "title") if person[name])
        own = told.lower().replace("é", "e").replace("ë", "e").replace("@", " ").split()
        wanted = query.get("q", "").split()
        return (
            query.get("status", person["status"]) == person["status"]
            and query.get("department", person["department"] or "").lower() == (person["department"] or "").lower()
            and ("manager_id" not in query or query["manager_id"] == (person["manager_id"] or "none"))
            and all(any(word.startswith(start) for word in own) for start in wanted)
        )


def key(name: str, person: dict[str, Any]) -> Any:
    value = person[name]
    if name in ("id", "hired_on", "employee_number"):
        return value if value is not None else ""
    return (value or "").casefold()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(operations, min_size=5, max_size=25), asked=st.lists(queries, min_size=3, max_size=6))
async def test_every_answer_is_the_models_on_both_databases(both: tuple[Any, Any], steps: list[Any], asked: list[Any]) -> None:
    model, base = Model(), await clear(both)
    for operation, who, what, heir in steps:
        await take(both, model, base, (operation, who, what, heir))
    for query in asked:
        asked_for = {name: base + value if name == "manager_id" and value != "none" else value for name, value in query.items()}
        path = "/v1/employees?" + "&".join(f"{name}={value}" for name, value in asked_for.items()).replace(" ", "+")
        for api in both:
            assert [item["id"] for item in await api.walk(path)] == model.listed(asked_for), path
        first = path.replace(f"limit={query['limit']}", "limit=1&count=true")
        assert {(await api("GET", first)).json["total"] for api in both} == {len(model.listed(asked_for))}
    for api in both:
        await agree(api, model)


async def agree(api: Any, model: Model) -> None:
    """Every record and every line is the model's."""
    lines = {id_: model.line(model.people, id_) for id_ in model.people}
    for id_, person in model.people.items():
        assert timeless(await api.employee(id_)) == timeless(person)
        assert [manager["id"] for manager in await api.walk(f"/v1/employees/{id_}/managers?limit=1")] == lines[id_][1:]
        below = sorted((line.index(id_), other) for other, line in lines.items() if id_ in line[1:])
        assert [(one["depth"], one["id"]) for one in await api.walk(f"/v1/employees/{id_}/reports?depth=50&limit=3")] == below


def timeless(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in TIMES}


async def clear(both: tuple[Any, Any]) -> int:
    """Delete everyone; the id that comes before the next one."""
    last = set()
    for api in both:
        for person in await api.walk("/v1/employees?limit=200"):
            await api("DELETE", f"/v1/employees/{person['id']}?reassign_reports_to=none")
        last.add(await api.add("last"))
        await api("DELETE", f"/v1/employees/{max(last)}")
    (base,) = last
    return int(base) + 1


async def take(both: tuple[Any, Any], model: Model, base: int, step: tuple[str, Any, Any, Any]) -> None:
    """One operation on the model and on both services. People are told by their place: the id of the n-th is base + n."""
    operation, who, what, heir = step
    id_ = None if who is None else base + who
    heir = base + heir if isinstance(heir, int) else heir
    changes = {} if what is None else {name: value for name, value in what.items() if name != "manager"}
    if what is not None and "manager" in what:
        changes["manager_id"] = None if what["manager"] is None else base + what["manager"]
    if operation == "replace":
        changes = dict.fromkeys(EMPTIED) | {"status": "active"} | changes
    new_id = max(model.people, default=0) + 1
    answers = []
    for api in both:
        path = "/v1/employees" if id_ is None else f"/v1/employees/{id_}" + ("" if heir is None else f"?reassign_reports_to={heir}")
        method = {"create": "POST", "replace": "PUT", "patch": "PATCH", "delete": "DELETE"}[operation]
        answers.append(await api(method, path, None if operation == "delete" else changes))
        if answers[-1].status == 201:
            new_id = answers[-1].json["id"]
    expected = model.remove(id_ or 0, heir) if operation == "delete" else model.write(id_, changes, heir, new_id)
    assert [answer.status for answer in answers] == [expected] * 2, (step, [answer.body for answer in answers])
    lite, big = (timeless(answer.json) if answer.body else None for answer in answers)
    assert lite == big
