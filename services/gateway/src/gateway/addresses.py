"""Where an OpenID provider, and who comes back from it, may be."""

from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


def is_safe(url: str, issuer: str) -> bool:
    """Whether an address may be the provider's: https, or plain http to this machine where the issuer itself is such a one."""
    try:
        parts, own = urlsplit(url), urlsplit(issuer)
        port = parts.port
    except ValueError:
        return False
    local = parts.scheme == own.scheme == "http" and parts.hostname in LOOPBACK and own.hostname in LOOPBACK
    readable = url.isascii() and url.isprintable() and " " not in url
    return readable and (parts.scheme == "https" or local) and bool(parts.hostname) and port != 0 and "@" not in parts.netloc
