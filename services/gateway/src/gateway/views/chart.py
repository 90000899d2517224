"""Who reports to whom below someone, as a tree."""

from typing import Any, Final

from gateway.clients import Ask, Employee, Page, Placed, Upstream
from gateway.views.parts import Joined, Parts, Plan, Record
from shared.errors import Invalid

MAX_PEOPLE: Final = 1_000
PAGE: Final = 200
CHART: Final = Plan(required=frozenset({"root", "reports"}))


Node = tuple[Record, Placed]


async def org_chart(employees: Upstream, ask: Ask, root_id: int, depth: int) -> Joined:
    """The root's record; under `reports` those of its reports, and so on for `depth` levels. All parts are required.

    `reports` is null where nobody looked: below the last level. A chart of more than 1,000 people is cut to whole levels, and `levels`
    says how many there are. Raises Problem, Invalid when the first level alone is too large.
    """
    async with Parts(CHART, strict=True) as parts:
        root = parts.ask("root", employees.get(ask, "get_employee", Employee, employee_id=root_id))
        below = parts.ask("reports", _below(employees, ask, root_id, depth))
    nodes, cut = below.result()
    levels = depth
    if cut:
        levels = nodes[-1][1].depth - 1
        if levels == 0:
            raise Invalid.of("root", f"has more than {MAX_PEOPLE} reports: page through /v1/employees/{root_id}/reports")
    return Joined({"levels": levels, "cut": cut, "root": _tree(root.result()[0], nodes, levels)})


async def _below(employees: Upstream, ask: Ask, root_id: int, depth: int) -> tuple[list[Node], bool]:
    """Everyone below, nearest first, and whether there are more than may be shown."""
    nodes: list[Node] = []
    query: dict[str, str | int] = {"depth": depth, "limit": PAGE}
    while True:
        raw, page = await employees.get(ask, "list_reports", Page[Placed], query, employee_id=root_id)
        nodes += zip(raw["items"], page.items, strict=True)
        if page.next is None:
            return nodes, False
        if len(nodes) >= MAX_PEOPLE:
            return nodes, True
        query["cursor"] = page.next


def _tree(root: Record, nodes: list[Node], levels: int) -> Record:
    """Each record with its `reports`: a list down to the last level, null on it."""
    tree: Record = {**root, "reports": []}
    known: dict[int, Record] = {root["id"]: tree}
    for record, placed in nodes:
        if placed.depth > levels:
            continue
        known[placed.id] = node = {**record, "reports": [] if placed.depth < levels else None}
        above: Any = known.get(placed.manager_id or 0)
        if above is not None and above["reports"] is not None:
            above["reports"].append(node)
    return tree
