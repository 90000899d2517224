"""The problems that only the gateway has; all others are in `shared.errors`.

Problem
├── Unauthorized 401
│   ├── NotLoggedIn           no session, or one that has ended
│   │   └── InvalidToken      a token that is unknown, revoked, expired, or of a disabled account
│   └── WrongCredentials      unknown user, wrong password, disabled account: they look alike
│       └── LogInRefused      who has logged in at the OpenID provider has no account here that is in force, or the provider said no
├── Forbidden 403
│   ├── CrossSite             another site's page asks
│   └── NeedsSession          a token asks for what only someone who is logged in may do
├── Gone 410
│   └── FeedRestored          a service was restored since the cursor: with the cursor to go on with
├── BadGateway 502            a service gave an answer that can't be used
├── Overloaded 503
│   └── ServiceUnavailable    a service, or the gateway's own store, can't be asked; with Retry-After
└── UpstreamTimeout 504       a service did not answer in time
"""

from collections.abc import Mapping, Sequence
from typing import Final

from shared.errors import Forbidden, Gone, Overloaded, Unauthorized

CHALLENGE: Final = 'Session realm="roster", Bearer realm="roster"'


class NotLoggedIn(Unauthorized):
    slug = "not-logged-in"
    detail = "There is no session, or it has ended: log in at POST /v1/session, or show a token."
    challenge = CHALLENGE

    def __init__(self) -> None:
        super().__init__(self.detail, headers={"WWW-Authenticate": self.challenge})


class InvalidToken(NotLoggedIn):
    detail = "The token is unknown, revoked or expired, or its account is disabled."
    challenge = 'Bearer realm="roster", error="invalid_token"'  # RFC 6750, section 3


class WrongCredentials(Unauthorized):
    slug = "wrong-credentials"

    def __init__(self, headers: Mapping[str, str] | None = None, *, detail: str = "The username or the password is wrong.") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": CHALLENGE, **(headers or {})})


class LogInRefused(WrongCredentials):
    def __init__(self, detail: str) -> None:
        super().__init__(detail=detail)


class CrossSite(Forbidden):
    slug = "cross-site"

    def __init__(self) -> None:
        super().__init__("The request comes from a page of another site.")


class NeedsSession(Forbidden):
    def __init__(self) -> None:
        super().__init__("This is for someone who is logged in: a token can't do it.")


class FeedRestored(Gone):
    """`resume` is the cursor to go on with, once what is kept of `services` was dropped."""

    slug = "feed-restored"

    def __init__(self, services: Sequence[str], resume: str) -> None:
        names = " and ".join(services)
        super().__init__(
            f"This cursor is from before {names} was restored from a backup. Drop what you keep of {names} and go on after the cursor in "
            "`resume`, which reads the feed of each from its beginning; or drop everything and read without a cursor.",
            services=[*services],
            resume=resume,
        )
        self.resume = resume


class ServiceUnavailable(Overloaded):
    slug = "unavailable"
