"""Accounts: who may log in. For admins."""

from typing import Final

from quart import Blueprint, Response, request

from gateway import passwords, store
from gateway.routes.context import gateway
from gateway.schemas import Account, AccountBody, AccountPage, AccountQuery
from shared.context import author, caller, database
from shared.db import Connection
from shared.errors import Invalid
from shared.etags import etag, not_modified
from shared.idempotency import Answer, IdempotencyKey
from shared.json import encode
from shared.listing import respond_page
from shared.operations import ADMIN, operation
from shared.responses import respond

blueprint: Final = Blueprint("accounts", __name__)


@blueprint.post("/v1/accounts")
@operation(allow=ADMIN, body=AccountBody, responses={201: Account}, problems=(409,))
async def create_account(body: AccountBody) -> Response:
    """Add an account."""
    fault = passwords.fault(body.password, body.username)
    if fault is not None:
        raise Invalid.of("password", fault)
    password_hash = await gateway().passwords.hash(body.password)
    who = author()

    def add(conn: Connection) -> Answer:
        account = store.add_account(conn, body.username, body.role, password_hash, who)
        return Answer(201, encode(account), {"Location": f"/v1/accounts/{account['id']}", "ETag": etag(account["version"])})

    made = await store.IDEMPOTENCY.write_once(database(), _key(body), add)
    return respond(made.document, made.status, made.headers)


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
    return respond_page(await store.list_accounts(database(), sort=query.sort, cursor=query.cursor, limit=query.limit, count=query.count))


@blueprint.get("/v1/accounts/<int:account_id>")
@operation(allow=ADMIN, responses={200: Account, 304: None})
async def get_account(account_id: int) -> Response:
    """One account."""
    account = await store.get_account(database(), account_id)
    return not_modified(account["version"]) or respond(account, version=account["version"])
