"""Tokens for programs: made, listed and revoked by their account, or by admins."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec
from quart import Blueprint, Response, request

from gateway.credentials import digest_of, moment
from gateway.errors import InvalidToken
from gateway.routes.context import account_asked, gateway, grant, session
from gateway.routes.credentials import check_credentials, has_basic
from gateway.schemas.access import NewToken, Token, TokenBody, TokenPage, TokenQuery
from gateway.store import IDEMPOTENCY, sessions, tokens
from gateway.tokens import SCOPES, TokenGrant, new_token, scopes_within
from shared.changes import Author
from shared.context import author, caller, database, request_id
from shared.db import Connection
from shared.errors import Forbidden, Invalid
from shared.idempotency import REPLAYED, Answer, IdempotencyKey
from shared.json import encode
from shared.listing import respond_page
from shared.operations import PUBLIC, READ, operation
from shared.responses import answered, no_content, respond

blueprint: Final = Blueprint("tokens", __name__)
TOO_LATE: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Who makes a token. `check` raises in the unit that writes it when they may not any more."""

    account_id: int
    role: str
    check: Callable[[Connection], None]


@blueprint.post("/v1/tokens")
@operation(
    allow=PUBLIC,
    body=TokenBody,
    responses={201: NewToken},
    problems=(401, 403, 409, 503),
    credentials=("basic", "session"),
)
async def create_token(body: TokenBody) -> Response:
    """Make a token for oneself, logged in or by HTTP Basic. Its text is in this answer and nowhere else. An account has 100 at most.

    A token makes no tokens: what it had made would outlive it. A repetition under the same Idempotency-Key makes no other one, and does not
    tell the text again.
    """
    maker = await _maker()
    scopes = scopes_within(maker.role)
    if body.scope not in scopes:
        raise Invalid.of("scope", f"is beyond what you may give: {', '.join(scopes)}")
    values = {"account_id": maker.account_id, "name": body.name, "scope": body.scope, "expires_at": _expiry(body.expires_at)}
    who = Author(f"account:{maker.account_id}", request_id())
    token, now = new_token(), moment(gateway().tokens.now())

    def add(conn: Connection) -> Answer:
        maker.check(conn)
        made = tokens.add_token(conn, values, digest_of(token), who, at=now)
        return Answer(201, encode({**made, "current": False, "token": None}), {"Location": f"/v1/tokens/{made['id']}", "ETag": '"1"'})

    key = request.headers.get("Idempotency-Key")
    once = None if key is None else IdempotencyKey.of(who.actor, "create_token", key, request.path, encode(body))
    answer = await IDEMPOTENCY.write_once(database(), once, add)
    if REPLAYED not in answer.headers:  # what is stored for a repetition never holds the text
        answer = Answer(answer.status, encode({**msgspec.json.decode(answer.document), "token": token}), answer.headers)
    return answered(answer)


async def _maker() -> _Maker:
    """Who asks, by HTTP Basic or by a session. Raises WrongCredentials, NotLoggedIn, and InvalidToken or Forbidden for a token."""
    if has_basic():
        account, _ = await check_credentials(None, elsewhere=True)
        return _Maker(account.id, account.role, partial(sessions.check_account, account_id=account.id, generation=account.generation))
    found = grant()
    if found is None and request.authorization is not None and request.authorization.type == "bearer":
        raise InvalidToken
    if isinstance(found, TokenGrant):
        raise Forbidden("A token makes no tokens: log in, or give username and password as HTTP Basic.")
    asks = session()
    return _Maker(asks.account_id, asks.caller.role, partial(sessions.check_session, digest=asks.digest))


def _expiry(text: str | None) -> str | None:
    """When the token ends, as the store writes it. Raises Invalid naming `expires_at`."""
    if text is None:
        return None
    try:
        expires = datetime.fromisoformat(text)
    except ValueError:
        expires = None
    if expires is None or expires.tzinfo is None:
        raise Invalid.of("expires_at", "is a time with its offset, as 2027-01-31T12:00:00Z")
    if expires.timestamp() <= gateway().tokens.now():
        raise Invalid.of("expires_at", "is past")
    if expires >= TOO_LATE:
        raise Invalid.of("expires_at", "is before the year 9999; without it, a token has no end")
    return moment(expires.timestamp())


@blueprint.get("/v1/tokens")
@operation(allow=READ, query=TokenQuery, responses={200: TokenPage}, problems=(404, 410))
async def list_tokens(query: TokenQuery) -> Response:
    """One's own tokens, or an account's for admins, a page at a time; a token sees those of its own scope or less."""
    account_id = await account_asked(query.account_id)
    page = await tokens.list_tokens(
        database(), account_id, _scopes(), sort=query.sort, cursor=query.cursor, limit=query.limit, count=query.count
    )
    return respond_page(page, lambda *row: _shown(dict(zip(tokens.FIELDS, row, strict=True))))


@blueprint.get("/v1/tokens/<int:token_id>")
@operation(allow=READ, responses={200: Token})
async def get_token(token_id: int) -> Response:
    """One token; not its text, which nobody has any more."""
    token = await tokens.get_token(database(), token_id)
    if not (await _sight())(token):
        raise tokens.unknown(token_id)
    return respond(_shown(token))


@blueprint.delete("/v1/tokens/<int:token_id>")
@operation(allow=READ, responses={204: None})
async def revoke_token(token_id: int) -> Response:
    """Revoke a token: it is dead here at once, and everywhere within a second. One of scope read can revoke only itself."""
    found, who, sees = grant(), author(), await _sight()
    itself = isinstance(found, TokenGrant) and found.id == token_id
    if isinstance(found, TokenGrant) and found.scope == "read" and not itself:
        raise Forbidden("A token of scope read revokes none but itself.")

    token = await tokens.get_token(database(), token_id)
    if not sees(token):
        raise tokens.unknown(token_id)
    async with gateway().ending(token["account_id"]):
        await database().write(partial(tokens.revoke_token, token_id=token_id, author=who))
    return no_content()


def _scopes() -> list[str]:
    """The scopes whose tokens the caller may see: a token, those within its own."""
    found = grant()
    return scopes_within(SCOPES[found.scope]) if isinstance(found, TokenGrant) else list(SCOPES)


async def _sight() -> Callable[[Mapping[str, Any]], bool]:
    """Which tokens the caller may see: one's own, or any for admins; a token, none beyond its scope."""
    owner, scopes = None if caller().role == "admin" else await account_asked(None), _scopes()
    return lambda token: owner in (None, token["account_id"]) and token["scope"] in scopes


def _shown(token: dict[str, Any]) -> dict[str, Any]:
    found = grant()
    return {**token, "current": isinstance(found, TokenGrant) and found.id == token["id"]}
