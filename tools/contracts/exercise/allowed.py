"""What Schemathesis calls a failure and is none: rules that no schema can say, and that the service's documents say in words."""

import re
from typing import Any, Final

import msgspec
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

from shared.openapi.headers import REQUEST

CURSORS: Final = frozenset({"cursor", "after"})
"""A cursor is what a page before gave; a text made up is a 400 (or a 410)."""
RULES: Final = frozenset(
    {
        "manager_id",
        "reassign_reports_to",
        "hired_on",
        "left_on",
        "parent_id",
        "Idempotency-Key",
        "employee_id",
        "password",
        "expires_at",
        "url",
    }
)
"""Fields whose value may be well formed and still wrong, by what is stored or by another field."""
OF_THE_PAST: Final = ("as_of", "q", "sort")
"""No schema says what day there is not (31 June), what time is still to come, and what is not asked of the past."""
CONDITIONS: Final = ("If-Match", "If-None-Match")
TAGS: Final = re.compile(REQUEST["If-Match"]["schema"]["pattern"])
TABLES: Final = ("text/csv", "application/x-ndjson")


IGNORED: Final = "Invalid component: parameter `Prefer` in header"
"""A preference that is not understood is passed over (RFC 7240, section 2), so none is ever refused."""
TAKEN: Final = re.compile("already$|is taken|that nobody sees$")
"""How the message ends when a value is somebody else's, or passes for it."""


def is_fault(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure is one of ours."""
    if isinstance(failure, AcceptedNegativeData):
        return IGNORED not in failure.message
    if not isinstance(failure, RejectedPositiveData):
        return True
    if case.media_type in TABLES and response.status_code in (400, 422):
        return False
    errors = _problem(response).get("errors", ())
    if not errors:
        return True
    if "as_of" in case.query and all(one["field"] in OF_THE_PAST for one in errors):
        return False
    if response.status_code == 422:
        return not all(one["field"] in RULES or TAKEN.search(one["message"]) for one in errors)
    return not all(_is_unsayable(one["field"], case) for one in errors)


def _is_unsayable(field: str, case: Any) -> bool:
    """Whether a 400 about this parameter is for a rule that no schema says, or the tool's value does not keep to the schema."""
    if field in CURSORS or (field in ("employee_id", "team_id", "include", "role", "sort") and "effective" in case.query):
        return True
    if field == "fields" and "expand" in case.query:
        return True
    if field in ("actor", "entity", "q"):  # a username that there is, a kind that a log has, a letter or digit of any script
        return True
    if field == "team_id":  # what a link took out of an event
        return not str(case.query.get("team_id")).isdigit()
    if field in CONDITIONS:
        return not TAGS.search(str((case.headers or {}).get(field, "")))
    return field == "id" and not all(isinstance(one, int) for one in case.query.get("id", ()))


def _problem(response: Any) -> dict[str, Any]:
    found = msgspec.json.decode(response.content) if response.content.startswith(b"{") else {}
    return found if isinstance(found, dict) else {}
