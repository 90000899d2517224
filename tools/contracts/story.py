"""All examples of the documents in an order in which each is true, at a service that was empty at first."""

import employees.examples
import gateway.examples
import teams.examples
from shared.openapi import Example
from shared.openapi.examples import COMMON

ACCOUNTS = ("log_in", "get_session", "create_account", "list_accounts", "get_account")
BY_NAME = ("import_memberships", "put_member", "export_memberships")
ENDS = ("delete_employee", "delete_member", "delete_team", "delete_webhook")


def story(service: str) -> dict[str, Example]:
    """A service's examples by operation. The gateway's are told among those that it forwards: log-in first, log-out last."""
    ours, staff, groups = gateway.examples.EXAMPLES, employees.examples.EXAMPLES, teams.examples.EXAMPLES
    if service != "gateway":
        return {**(staff if service == "employees" else groups), **COMMON}
    theirs = {name: example for name, example in {**staff, **groups}.items() if name not in ("list_changes", *ENDS)}
    told = {**COMMON, **{name: ours[name] for name in ACCOUNTS}}
    told |= {name: ours[name] if name in BY_NAME else example for name, example in theirs.items()}
    told |= {name: example for name, example in ours.items() if name not in (*ACCOUNTS, *BY_NAME, *ENDS, "log_out")}
    return told | {name: {**staff, **groups, **ours}[name] for name in ENDS} | {"log_out": ours["log_out"]}
