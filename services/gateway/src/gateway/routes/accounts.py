"""Accounts: who may log in. For admins, but for one's own password."""

from typing import Any, Final

import msgspec
from quart import Blueprint, Response, request

from gateway import passwords
from gateway.clients import Staff
from gateway.errors import WrongCredentials
from gateway.routes.context import ask, gateway, guess, session
from gateway.routes.credentials import begin_session, client
from gateway.routes.session import state_of
from gateway.schemas.access import (
    Account,
    AccountBody,
    AccountPage,
    AccountPatch,
    AccountQuery,
    PasswordBody,
    PasswordChange,
    SessionState,
)
from gateway.store import IDEMPOTENCY, accounts, links
from shared.context import author, caller, database, request_id
from shared.db import Connection
from shared.errors import Forbidden, Invalid, NotFound, Overloaded
from shared.etags import etag, if_match, not_modified
from shared.idempotency import Answer, IdempotencyKey
from shared.json import encode
from shared.listing import respond_page
from shared.operations import ADMIN, READ, operation
from shared.responses import answered, no_content, respond
from shared.words import is_plain

blueprint: Final = Blueprint("accounts", __name__)
HASHING: Final = 10.0
"""Seconds that a change of password may take: hashes are slow by design, and wait for each other."""

ATTEMPTS: Final = 5
"""How often a link is tried while news of employees come in."""


@blueprint.post("/v1/accounts")
@operation(allow=ADMIN, body=AccountBody, responses={201: Account}, problems=(409,))
async def create_account(body: AccountBody) -> Response:
    """Add an account."""
    if body.username.endswith("\n"):  # Python's `$` lets it through the pattern, JSON Schema's does not
        raise Invalid.of("username", "ends with a line break")
    if not is_plain(body.username):
        raise Invalid.of("username", "has characters that pass for others, or that nobody sees")
    _check_password(body.password, body.username)
    password_hash = await gateway().passwords.hash(body.password)
    who = author()

    def add(conn: Connection) -> Answer:
        account = accounts.add_account(conn, body.username, body.role, password_hash, who)
        return Answer(201, encode(account), {"Location": f"/v1/accounts/{account['id']}", "ETag": etag(account["version"])})

    return answered(await IDEMPOTENCY.write_once(database(), _key(body), add))


def _key(body: AccountBody) -> IdempotencyKey | None:
    """The Idempotency-Key of this request. What is kept of the body is no help in guessing the password: that goes in keyed."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    shown = encode([body.username, body.role, gateway().conceal(body.password)])
    return IdempotencyKey.of(caller().subject, "create_account", key, request.path, shown)


@blueprint.get("/v1/accounts")
@operation(allow=ADMIN, query=AccountQuery, responses={200: AccountPage}, problems=(410,))
async def list_accounts(query: AccountQuery) -> Response:
    """All accounts, a page at a time."""
    page = await accounts.list_accounts(database(), sort=query.sort, cursor=query.cursor, limit=query.limit, count=query.count)
    return respond_page(page)


@blueprint.get("/v1/accounts/<int:account_id>")
@operation(allow=ADMIN, responses={200: Account, 304: None})
async def get_account(account_id: int) -> Response:
    """One account."""
    account = await accounts.get_account(database(), account_id)
    return not_modified(account["version"]) or respond(account, version=account["version"])


@blueprint.patch("/v1/accounts/<int:account_id>")
@operation(allow=ADMIN, body=AccountPatch, responses={200: Account}, problems=(409, 412, 502))
async def patch_account(account_id: int, body: AccountPatch) -> Response:
    """Change role, disabled, employee_id or oidc_subject (merge patch).

    Another role, disabling, and taking `oidc_subject` away end the account's sessions.
    """
    changes = {name: value for name in AccountPatch.__struct_fields__ if (value := getattr(body, name)) is not msgspec.UNSET}
    condition, who = if_match(), author()
    for _ in range(ATTEMPTS):
        at = await links.POSITIONS.read(database())
        seen = await _employee_of(account_id, changes)

        def change(conn: Connection, seen: links.News | None = seen, at: Any = at) -> dict[str, Any] | None:
            if seen is not None and links.POSITIONS.now(conn) != at:
                return None  # news have come in since the employee was asked for: they may be about them
            account = accounts.change_account(conn, account_id, changes, condition, who)
            if seen is not None or "employee_id" in changes:
                links.link(conn, account_id, seen)
            return account

        async with gateway().ending(account_id):
            account = await database().write(change)
        if account is not None:
            return respond(account, version=account["version"])
    raise Overloaded("The directory changes too quickly to link an account at the moment.")


async def _employee_of(account_id: int, changes: dict[str, Any]) -> links.News | None:
    """The employee to whom the account is to belong, or whose account is to be enabled: there, and active; None when it is nobody's.

    Raises Invalid naming `employee_id` for someone who is not, NotFound, and what a service that can't be asked leads to.
    """
    employee_id = changes.get("employee_id")
    if "employee_id" not in changes and changes.get("disabled") is False:
        employee_id = (await accounts.get_account(database(), account_id))["employee_id"]
    if employee_id is None:
        return None
    try:
        _, found = await gateway().employees.get(ask(), "get_employee", Staff, employee_id=employee_id)
    except NotFound as error:
        raise Invalid.of("employee_id", "is nobody's") from error
    if found.status != "active":
        raise Invalid.of("employee_id", "is someone inactive")
    return links.News(found.id, found.created_at, found.version, active=True)


@blueprint.put("/v1/accounts/<int:account_id>/password")
@operation(allow=ADMIN, body=PasswordBody, responses={204: None}, budget=HASHING)
async def reset_password(account_id: int, body: PasswordBody) -> Response:
    """Give someone else's account another password. All its sessions end; its tokens stay."""
    account = await accounts.get_log_in(database(), account_id)
    if f"account:{account_id}" == caller().subject:
        raise Forbidden("One's own password is changed at PUT /v1/password, with the one that it replaces.")
    _check_password(body.password, account.username)
    password_hash, who = await gateway().passwords.hash(body.password), author()
    async with gateway().ending(account_id):
        await database().write(lambda conn: accounts.set_password(conn, account_id, password_hash, who))
    return no_content()


@blueprint.put("/v1/password")
@operation(allow=READ, body=PasswordChange, responses={200: SessionState}, gives={200: ("Set-Cookie",)}, budget=HASHING)
async def change_password(body: PasswordChange) -> Response:
    """Change one's own password. All sessions end, and a new one begins for who asks; tokens stay."""
    kept, db, account_id, who = gateway().passwords, database(), session().account_id, author()
    account = await accounts.get_log_in(db, account_id)
    await guess(account.username, elsewhere=True)
    if not await kept.check(account.hash, body.current_password):
        gateway().log.warning("password change refused", account=who.actor, client=client(), request_id=request_id())
        raise Invalid.of("current_password", "is wrong")
    _check_password(body.password, account.username)
    password_hash = await kept.hash(body.password)
    async with gateway().ending(account_id):
        await db.write(lambda conn: accounts.set_password(conn, account_id, password_hash, who, generation=account.generation))
    changed = await accounts.get_log_in(db, account_id)
    if changed.hash != password_hash:
        raise WrongCredentials
    return respond(state_of(await begin_session(changed)))


def _check_password(password: str, username: str) -> None:
    """Raises Invalid for what may not be a password."""
    fault = passwords.fault(password, username)
    if fault is not None:
        raise Invalid.of("password", fault)
