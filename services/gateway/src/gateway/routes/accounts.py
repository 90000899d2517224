"""Accounts: who may log in. For admins."""

from typing import Final

from quart import Blueprint, Response, request

from gateway import passwords, store
from gateway.routes.context import gateway
from gateway.schemas import Account, AccountBody, AccountPage, AccountQuery
from shared.context import author, database
from shared.errors import Invalid
from shared.operations import ADMIN, operation
from shared.pages import next_link
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
    account = await database().write(lambda conn: store.add_account(conn, body.username, body.role, password_hash, who))
    return respond(account, 201, {"Location": f"/v1/accounts/{account['id']}"}, version=account["version"])


@blueprint.get("/v1/accounts")
@operation(allow=ADMIN, query=AccountQuery, responses={200: AccountPage}, problems=(410,))
async def list_accounts(query: AccountQuery) -> Response:
    """All accounts, a page at a time."""
    page = await store.list_accounts(database(), sort=query.sort, cursor=query.cursor, limit=query.limit, count=query.count)
    document = {"items": page.items(), "next": page.next}
    if page.total is not None:
        document["total"] = page.total
    link = {"Link": next_link(request.path, list(request.args.items(multi=True)), page.next)} if page.next else None
    return respond(document, headers=link)


@blueprint.get("/v1/accounts/<int:account_id>")
@operation(allow=ADMIN, responses={200: Account})
async def get_account(account_id: int) -> Response:
    """One account."""
    account = await store.get_account(database(), account_id)
    return respond(account, version=account["version"])
