"""The one place that a pool speaks to."""

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class Origin:
    """Host and port, or the path of a unix socket; `authority` is what the Host header says."""

    host: str
    port: int
    path: str | None
    authority: str

    @classmethod
    def parse(cls, text: str, authority: str | None = None) -> "Origin":
        """Read `http://host[:port]` or `unix:///path`; anything else, also a path, query or user after a host, is a ValueError."""
        parts = urlsplit(text)
        if parts.scheme == "unix" and not parts.netloc and parts.path.startswith("/"):
            named = urlsplit("//" + (authority or "localhost"))
            path: str | None = parts.path
        elif parts.scheme == "http" and parts.hostname and parts.path in ("", "/") and "@" not in parts.netloc:
            named = urlsplit("//" + (authority or parts.netloc))
            path = None
        else:
            raise ValueError(f"not an origin (http://host:port or unix:///path): {text!r}")
        if parts.query or parts.fragment or not named.hostname or any(character <= " " for character in named.netloc):
            raise ValueError(f"not an origin (http://host:port or unix:///path): {text!r}")
        host = parts.hostname if path is None else named.hostname
        port = parts.port if path is None else named.port
        return cls(host=host or named.hostname, port=port or 80, path=path, authority=named.netloc)

    @property
    def url(self) -> str:
        """The base URL of this origin for a client that speaks in URLs."""
        return urlunsplit(("http", self.authority, "", "", ""))
