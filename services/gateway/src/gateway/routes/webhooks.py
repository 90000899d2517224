"""Webhooks: who is told of changes. For admins."""

import ipaddress
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from quart import Blueprint, Response, current_app

from gateway.clients.receivers import WITHIN, check_host, is_public
from gateway.feed import EVERYTHING, Vector
from gateway.feed.schemas import Unreadable
from gateway.routes.context import gateway
from gateway.store import IDEMPOTENCY
from gateway.webhooks import store
from gateway.webhooks.schemas import (
    Delivery,
    DeliveryPage,
    NewSecret,
    NewWebhook,
    PageQuery,
    Webhook,
    WebhookBody,
    WebhookPage,
    WebhookPatch,
    shown,
)
from gateway.webhooks.signing import new_secret
from shared.context import author, database, idempotency_key
from shared.db import Connection
from shared.errors import Invalid
from shared.etags import etag, if_match, not_modified
from shared.idempotency import REPLAYED, Answer
from shared.json import encode
from shared.listing import respond_page
from shared.operations import ADMIN, operation
from shared.responses import answered, no_content, respond

blueprint: Final = Blueprint("webhooks", __name__, url_prefix="/v1/webhooks")
COLUMNS: Final = tuple(Delivery.__struct_fields__)


@blueprint.post("")
@operation(allow=ADMIN, body=WebhookBody, responses={201: NewWebhook}, problems={409: None, 503: Unreadable})
async def create_webhook(body: WebhookBody) -> Response:
    """Deliver changes to an address from now on. The answer shows the secret that deliveries are signed with; no other does.

    A repetition under the same Idempotency-Key makes no other one, and does not tell the secret again: rotate it if it was lost.
    """
    _check_url(body.url)
    cursor = str(Vector() if body.replay else await gateway().outlets.feed.newest())
    entities = EVERYTHING if body.entities is msgspec.UNSET else body.entities
    values = {"url": body.url, "description": body.description, "entities": store.joined(entities)}
    who, secret = author(), new_secret()

    def add(conn: Connection) -> Answer:
        record = store.add(conn, values, secret, cursor, who)
        headers = {"Location": f"/v1/webhooks/{record['id']}", "ETag": etag(record["version"])}
        return Answer(201, encode({**shown(record), "secret": None}), headers)

    made = await IDEMPOTENCY.write_once(database(), await idempotency_key(), add)
    if REPLAYED not in made.headers:  # what is stored for a repetition never holds the secret
        made = Answer(made.status, encode({**msgspec.json.decode(made.document), "secret": secret}), made.headers)
    return answered(made)


@blueprint.get("")
@operation(allow=ADMIN, query=PageQuery, responses={200: WebhookPage}, problems=(410,))
async def list_webhooks(query: PageQuery) -> Response:
    """All webhooks, a page at a time."""
    page = await store.page(database(), cursor=query.cursor, limit=query.limit, count=query.count)
    return respond_page(page, lambda *row: shown(store.RECORDS.record(row)))


@blueprint.get("/<int:webhook_id>")
@operation(allow=ADMIN, responses={200: Webhook, 304: None})
async def get_webhook(webhook_id: int) -> Response:
    """One webhook."""
    record = await store.get(database(), webhook_id)
    return not_modified(record["version"]) or respond(shown(record), version=record["version"])


@blueprint.patch("/<int:webhook_id>")
@operation(allow=ADMIN, body=WebhookPatch, responses={200: Webhook}, problems=(404, 412))
async def patch_webhook(webhook_id: int, body: WebhookPatch) -> Response:
    """Change some fields (merge patch). One that was disabled is enabled again, and goes on where it was."""
    values: dict[str, Any] = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET}
    if "url" in values:
        _check_url(values["url"])
    if "entities" in values:
        values["entities"] = store.joined(values["entities"])
    who, condition = author(), if_match()
    record = await database().write(lambda conn: store.change(conn, webhook_id, values, condition, who))
    return respond(shown(record), version=record["version"])


@blueprint.delete("/<int:webhook_id>")
@operation(allow=ADMIN, responses={204: None}, problems=(404, 412))
async def delete_webhook(webhook_id: int) -> Response:
    """Deliver no more, and forget what was delivered."""
    who, condition = author(), if_match()
    await database().write(lambda conn: store.remove(conn, webhook_id, condition, who))
    return no_content()


@blueprint.post("/<int:webhook_id>/secret")
@operation(allow=ADMIN, responses={200: NewSecret})
async def rotate_webhook_secret(webhook_id: int) -> Response:
    """A new secret, shown this once. For a day deliveries carry a signature with the one before, too."""
    who = author()
    secret, until = await database().write(lambda conn: store.rotate(conn, webhook_id, who))
    return respond({"secret": secret, "previous_until": until})


@blueprint.post("/<int:webhook_id>/test")
@operation(allow=ADMIN, responses={200: Delivery}, budget=WITHIN + 5)
async def test_webhook(webhook_id: int) -> Response:
    """Deliver a test event now, once, and tell what became of it. It changes nothing about the deliveries of changes."""
    return respond(await gateway().outlets.deliveries.test(webhook_id))


@blueprint.get("/<int:webhook_id>/deliveries")
@operation(allow=ADMIN, query=PageQuery, responses={200: DeliveryPage}, problems=(404, 410))
async def list_webhook_deliveries(webhook_id: int, query: PageQuery) -> Response:
    """What was delivered, or not, the newest first: the last 1,000 attempts."""
    await store.get(database(), webhook_id)
    page = await store.deliveries(database(), webhook_id, cursor=query.cursor, limit=query.limit, count=query.count)
    return respond_page(page, lambda *row: _delivery(dict(zip(page.columns, row, strict=True))))


def _delivery(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in COLUMNS}


def _check_url(url: str) -> None:
    """Raise Invalid for an address that is never delivered to. What a name resolves to is looked at with each delivery."""
    private = current_app.extensions["settings"].webhook_private
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        check_host(url)
    except ValueError as error:
        raise Invalid.of("url", f"is no address: {error}") from error
    if not host or port == 0 or "#" in url or "@" in parts.netloc:
        raise Invalid.of("url", "needs a host, and has no user, password or fragment")
    if private:
        return
    if parts.scheme != "https":
        raise Invalid.of("url", "must be https")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    if not is_public(host):
        raise Invalid.of("url", "is at a private address, and GATEWAY_WEBHOOK_PRIVATE is not set")
