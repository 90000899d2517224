"""All examples of the documents in an order in which each is true, at a service that was empty at first."""

import employees.examples
import gateway.examples
import teams.examples
from shared.openapi import Example
from shared.openapi.examples import COMMON

ACCESS = (
    "log_in",
    "get_session",
    "list_sessions",
    "end_session",
    "end_sessions",
    "create_token",
    "list_tokens",
    "get_token",
    "revoke_token",
    "create_account",
    "list_accounts",
    "get_account",
)
BY_NAME = ("import_memberships", "put_member", "export_memberships")
ENDS = ("erase_employee", "delete_employee", "delete_member", "delete_team", "delete_webhook")
LEAVES = ("change_password", "reset_password", "log_out")
"""What ends the sessions of somebody: told last."""


def story(service: str) -> dict[str, Example]:
    """A service's examples by operation. The gateway's are told among those that it forwards: log-in first, log-out last.

    They are told where the admin has logged in once before, and is still there.
    """
    ours, staff, groups = gateway.examples.EXAMPLES, employees.examples.EXAMPLES, teams.examples.EXAMPLES
    if service != "gateway":
        return {**(staff if service == "employees" else groups), **COMMON}
    theirs = {name: example for name, example in {**staff, **groups}.items() if name not in ("list_changes", *ENDS)}
    told = {**COMMON, **{name: ours[name] for name in ACCESS}}
    told |= {name: ours[name] if name in BY_NAME else example for name, example in theirs.items()}
    told |= {name: example for name, example in ours.items() if name not in (*ACCESS, *BY_NAME, *ENDS, *LEAVES)}
    return told | {name: {**staff, **groups, **ours}[name] for name in ENDS} | {name: ours[name] for name in LEAVES}
