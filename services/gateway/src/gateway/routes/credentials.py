"""What log-in consists of, for every operation that takes a password or begins a session."""

from typing import cast

import quart
from quart import request

from gateway import passwords
from gateway.errors import WrongCredentials
from gateway.routes.context import gateway, grant, guess
from gateway.schemas.access import Credentials
from gateway.sessions import Session
from gateway.store import accounts
from gateway.store.accounts import Holder, LogIn
from shared.bodies import convert_body
from shared.context import database, request_id
from shared.errors import BadRequest, FieldError


async def check_credentials(body: Credentials | None, *, elsewhere: bool = False) -> tuple[LogIn, dict[str, str]]:
    """The account whose username and password stand in the body, or else in HTTP Basic, and what the answer says of the limit of tries;
    `elsewhere` than at log-in as `guess` takes it.

    Raises BadRequest without any, Invalid, TooManyRequests, and WrongCredentials: after the same work whatever is wrong. The log has the
    account whose password was wrong, and never what was typed: people type passwords where usernames belong.
    """
    given = body or _basic()
    parts, db, told = gateway(), database(), await guess(given.username, elsewhere=elsewhere)
    account = await accounts.find_log_in(db, given.username)
    right = await parts.passwords.check(account.hash if account else None, given.password)
    if account is None or not right or account.disabled:
        refused = f"account:{account.id}" if account else None
        parts.log.warning("log-in refused", account=refused, client=client(), request_id=request_id())
        raise WrongCredentials(told)
    if passwords.stale(account.hash):
        await db.write(accounts.set_hash(account, await parts.passwords.hash(given.password)))
    return account, told


async def begin_session(account: Holder) -> Session:
    """A session for an account, however it was shown whose it is; the answer sets the cookie, and the session of the request ends.

    Raises WrongCredentials when the account has changed meanwhile.
    """
    before = grant()
    begun = await gateway().sessions.begin(
        account,
        ending=before if isinstance(before, Session) else None,
        user_agent=request.headers.get("User-Agent"),
        request_id=request_id(),
    )
    quart.session.clear()
    quart.session.update(begun.claims)
    return begun


def has_basic() -> bool:
    """Whether HTTP Basic says who asks."""
    return request.authorization is not None and request.authorization.type == "basic"


def client() -> str | None:
    """The client's address, for the log."""
    found = request.scope.get("client")
    return found[0] if found else None


def _basic() -> Credentials:
    """The credentials of HTTP Basic, within the bounds of those in a body. Raises BadRequest without any, Invalid."""
    given = request.authorization
    if given is None or given.type != "basic" or given.username is None or given.password is None:
        raise BadRequest(
            "Give username and password, as a JSON body or as HTTP Basic.",
            errors=[FieldError("username", "required"), FieldError("password", "required")],
        )
    if "\0" in given.username:
        raise BadRequest.of("username", "has a NUL character")
    return cast("Credentials", convert_body(Credentials, {"username": given.username, "password": given.password}))
