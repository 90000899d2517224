"""Accounts, sessions and tokens. No answer holds a password, and a token's text stands in the answer to its creation alone."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.schemas.fields import Cursor, Id, Limit, Moment, Text, Total
from shared.queries import Lenient

Password = Annotated[str, Meta(max_length=256)]
AccountRole = Literal["viewer", "editor", "admin"]
Scope = Literal["read", "write", "admin"]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?(?!\n)$",
        extra={"expected": "one line of text without blanks at its ends"},
    ),
]


Subject = Annotated[
    str,
    Meta(
        max_length=800,
        pattern=r"^https?:[!-~]+ [!-~]([ -~]*[!-~])?$",
        description="The issuer, a space, and the subject that it calls somebody by.",
        extra={"expected": "the issuer, a space, and a subject, like https://id.example.org 248289761001"},
    ),
]


class Credentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who logs in; may also come as HTTP Basic."""

    username: Annotated[str, Meta(max_length=128)]
    password: Password


class LogInQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where on this site the browser goes when it is logged in."""

    return_to: Annotated[
        str, Meta(max_length=200, pattern=r"^/([!-.0-\[\]-~][!-\[\]-~]*)?$", extra={"expected": "a path on this site, like /v1/session"})
    ] = "/"


Words = Annotated[str, Meta(max_length=2000)]


class LoggedInQuery(Lenient, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an OpenID provider sends a browser back with: a code, or an error. What else it adds is passed over (RFC 6749, 4.1.2)."""

    state: Words | None = None
    code: Words | None = None
    iss: Words | None = None
    error: Words | None = None


class SessionState(Struct, frozen=True, kw_only=True):
    """Who is logged in, or whose token asks, since when, and when that ends at the latest: in the year 9999 for a token without an end."""

    account_id: Id
    username: Text
    role: AccountRole
    since: Moment
    until: Moment


class OneSession(Struct, frozen=True, kw_only=True):
    """A session in force: `current` is the one that asks. Its last use is noted once a minute."""

    id: Id
    created_at: Moment
    last_seen_at: Moment
    until: Moment
    user_agent: Annotated[str, Meta(max_length=200)] | None
    current: bool


class SessionPage(Struct, frozen=True, kw_only=True):
    items: Annotated[list[OneSession], Meta(max_length=200)]
    next: Cursor | None


class SessionsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose sessions: one's own, or an account's, for admins."""

    account_id: Id | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class WhoseQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose sessions: one's own, or an account's, for admins."""

    account_id: Id | None = None


class AccountBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new account."""

    username: Annotated[
        str, Meta(min_length=1, max_length=128, pattern=r"^[^\s:\x00-\x1f\x7f]+$", extra={"expected": "text without blanks and colons"})
    ]
    password: Password
    role: AccountRole


class AccountPatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of an account may be changed. With an `employee_id`, the account is disabled when that employee is deleted or inactive; with an
    `oidc_subject`, that person logs in to it by OpenID Connect.
    """

    role: AccountRole | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    employee_id: Id | UnsetType | None = UNSET
    oidc_subject: Subject | UnsetType | None = UNSET


class PasswordBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account's new password."""

    password: Password


class PasswordChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One's own password, and the one that it replaces."""

    current_password: Password
    password: Password


class Account(Struct, frozen=True, kw_only=True):
    """An account as it is answered."""

    id: Id
    username: Text
    role: AccountRole
    disabled: bool
    employee_id: Id | None
    oidc_subject: Subject | None
    version: Id
    created_at: Moment
    updated_at: Moment


class AccountPage(Struct, frozen=True, kw_only=True):
    items: Annotated[list[Account], Meta(max_length=200)]
    next: Cursor | None
    total: Total | UnsetType = UNSET


class AccountQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Limit = 50
    cursor: Cursor | None = None
    sort: Literal["id", "-id", "username", "-username"] = "id"
    count: bool = False


class TokenBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new token: what it is for, what it may do at most, and when it ends (a time in RFC 3339; null: when it is revoked)."""

    name: Name
    scope: Scope
    expires_at: Annotated[str, Meta(max_length=40, extra_json_schema={"format": "date-time"})] | None = None


class Token(Struct, frozen=True, kw_only=True):
    """A token as it is answered. It may do what its scope and its account's role both allow; `current` is the one that asks.

    Its last use is noted once a minute.
    """

    id: Id
    account_id: Id
    name: Text
    scope: Scope
    expires_at: Moment | None
    last_used_at: Moment | None
    current: bool
    version: Id
    created_at: Moment
    updated_at: Moment


class NewToken(Token, frozen=True, kw_only=True):
    """A token and its text, which is told this once: null when the request is repeated with its Idempotency-Key."""

    token: Annotated[str, Meta(max_length=100)] | None


class TokenPage(Struct, frozen=True, kw_only=True):
    items: Annotated[list[Token], Meta(max_length=200)]
    next: Cursor | None
    total: Total | UnsetType = UNSET


class TokenQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose tokens: one's own, or an account's, for admins."""

    account_id: Id | None = None
    limit: Limit = 50
    cursor: Cursor | None = None
    sort: Literal["id", "-id"] = "id"
    count: bool = False
