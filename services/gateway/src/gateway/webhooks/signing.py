"""Signatures as Standard Webhooks has them (version 1, symmetric): HMAC-SHA-256 over `id.timestamp.body`."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
SIZE: Final = 32
"""Bytes of a secret; the specification asks for 24 to 64."""


def new_secret() -> str:
    """A secret, as it is shown to who receives."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SIZE)).decode()


def signed(message_id: str, timestamp: int, body: bytes, keys: Sequence[str]) -> dict[str, str]:
    """The headers of a delivery, signed with each of the secrets: while one replaces another, either proves it."""
    content = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_signature(key, content)}" for key in keys),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
