"""The gateway's settings."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from gateway.addresses import is_safe
from gateway.resilience.calls import REQUESTS, TRANSFERS
from shared.config import Port, ServiceSettings, SettingsError, load
from shared.identity import KeyFault, read_private_key
from shared.pool import Origin

PREFIX: Final = "GATEWAY"
MIN_KEY: Final = 32
CALLBACK: Final = "/v1/login/callback"
USUAL: Final = {"http": ":80", "https": ":443"}

Places = Annotated[int, Meta(ge=1, le=10_000)]
PerMinute = Annotated[int, Meta(ge=0, le=1_000_000_000)]
"""Requests; 0 is any number."""
Seconds = Annotated[int, Meta(ge=1, le=31_536_000)]


_NAME: Final = {"expected": "1 to 64 letters, digits, _ and -"}
_NAMES: Final = {"expected": "letters, digits, _ and -, with dots between"}


class Settings(ServiceSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the gateway may be told; times in seconds unless their name says otherwise."""

    port: Port = 8000
    database_url: str = "sqlite:///var/gateway.db"
    request_timeout_ms: Annotated[int, Meta(ge=50, le=10_000)] = 2_000
    employees_url: str = "http://127.0.0.1:8001"
    teams_url: str = "http://127.0.0.1:8002"
    signing_key: str = ""
    session_keys: str = ""
    session_idle: Seconds = 1_800
    session_absolute: Seconds = 43_200
    tls_certificate: str = ""
    tls_key: str = ""
    trusted_proxies: tuple[str, ...] = ()
    metrics_from: tuple[str, ...] = ()
    """Networks, besides this machine, from which /metrics, and the details of /readyz, may be read."""
    origins: tuple[str, ...] = ()
    admin_password_file: str = "var/admin-password"  # noqa: S105 - a path
    pool_size: Annotated[int, Meta(ge=1, le=1_000)] = 144
    feed_streams: Annotated[int, Meta(ge=1, le=100_000)] = 1_000
    """How many readers one process streams changes to at a time."""
    nats_url: str = ""
    """nats://host:port, several with commas: where changes are relayed to. Empty: nowhere."""
    nats_stream: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}(?!\n)$", extra=_NAME)] = "ROSTER"
    nats_subject: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(?!\n)$", max_length=100, extra=_NAMES)] = "roster"
    """What the subjects of relayed changes begin with."""
    webhook_private: bool = False
    """Whether webhooks may be delivered to private addresses, and over http."""
    webhook_attempts: Annotated[int, Meta(ge=1, le=1_000)] = 20
    """After so many failures in a row a webhook is disabled."""
    webhook_retry: Annotated[float, Meta(gt=0, le=3600)] = 5.0
    """Seconds before the second attempt; each further pause is twice as long, up to an hour."""
    connect_timeout_ms: Annotated[int, Meta(ge=10, le=10_000)] = 250
    upstream_requests: Places = REQUESTS
    upstream_transfers: Places = TRANSFERS
    upstream_feeds: Places = 200
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_redirect_uri: str = ""
    oidc_claim: Literal["", "preferred_username", "email"] = ""
    redis_url: str = ""
    rate_limit: PerMinute = 30_000
    log_in_limit: PerMinute = 5
    log_in_limit_address: PerMinute = 20
    feed_wait: Annotated[int, Meta(ge=0, le=60)] = 20
    """How long a request for the feed of employees waits for news."""
    feed_retry: Annotated[float, Meta(gt=0, le=3600)] = 2.0
    """The longest pause after a request for the feed that failed."""

    def certificate(self) -> tuple[str, str] | None:
        return (self.tls_certificate, self.tls_key) if self.tls_certificate else None


def load_settings() -> Settings:
    """What the environment says. Raises SettingsError naming every fault."""
    settings = load(Settings, PREFIX)
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Refuse (SettingsError) what types alone can't."""
    faults = [*_key_faults(settings), *_address_faults(settings), *_limit_faults(settings), *_oidc_faults(settings)]
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        absent, given = ("KEY", "CERTIFICATE") if settings.tls_certificate else ("CERTIFICATE", "KEY")
        faults.append(f"GATEWAY_TLS_{absent}: is needed where GATEWAY_TLS_{given} is given")
    if settings.open:
        faults.append("GATEWAY_OPEN: the gateway is never open: it is who tells callers apart")
    if faults:
        raise SettingsError(faults)


def session_keys(settings: Settings) -> list[str]:
    """The keys of sessions; the first signs, all verify."""
    return settings.session_keys.replace(",", " ").split()


def networks(texts: Sequence[str]) -> Sequence[IPv4Network | IPv6Network]:
    """Networks as settings name them. Raises ValueError."""
    return [ip_network(text) for text in texts]


def _key_faults(settings: Settings) -> list[str]:
    faults = []
    keys = session_keys(settings)
    if not keys:
        faults.append("GATEWAY_SESSION_KEYS: at least one key is needed; the first signs, all verify")
    if any(len(key) < MIN_KEY for key in keys):
        faults.append(f"GATEWAY_SESSION_KEYS: every key needs at least {MIN_KEY} characters")
    try:
        read_private_key(settings.signing_key)
    except KeyFault as fault:
        faults.append(f"GATEWAY_SIGNING_KEY: {fault}")
    return faults


def _limit_faults(settings: Settings) -> list[str]:
    needed = 2 * settings.upstream_requests + settings.upstream_transfers
    if settings.pool_size < needed:
        return [f"GATEWAY_POOL_SIZE: at least {needed} are needed: a connection for each of the reads, writes and transfers under way"]
    return []


def _server_faults(settings: Settings) -> list[str]:
    """Faults of the addresses of NATS and Redis."""
    faults = []
    if not all(_names_server(text, "nats", "tls") for text in settings.nats_url.replace(",", " ").split()):
        faults.append("GATEWAY_NATS_URL: an address is not nats://host:port or tls://host:port")
    if settings.redis_url and not _names_server(settings.redis_url, "redis", "rediss"):
        faults.append("GATEWAY_REDIS_URL: is not redis://[user:password@]host[:port][/database], or rediss:// for TLS")
    return faults


def _names_server(text: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an address in brackets that is none
        return False


def _origin_fault(text: str) -> str | None:
    try:
        parts = urlsplit(text)
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https") or not parts.netloc or text != f"{parts.scheme}://{parts.netloc}":
        return f"{text!r} is not scheme://host[:port]"
    if text != text.lower() or "@" in text or text.endswith(USUAL[parts.scheme]):
        return f"{text!r} is not as browsers say it: small letters, no user, no port that is the usual one"
    return None


def _oidc_faults(settings: Settings) -> list[str]:
    told = {name: getattr(settings, name) for name in ("oidc_client_id", "oidc_redirect_uri")}
    if not settings.oidc_issuer:
        given = [name for name in (*told, "oidc_client_secret", "oidc_claim") if getattr(settings, name)]
        return [f"GATEWAY_OIDC_ISSUER: is needed where GATEWAY_{name.upper()} is given" for name in given[:1]]
    faults = [f"GATEWAY_{name.upper()}: is needed where GATEWAY_OIDC_ISSUER is given" for name, value in told.items() if not value]
    if not is_safe(settings.oidc_issuer, settings.oidc_issuer) or set("?#") & set(settings.oidc_issuer):
        faults.append("GATEWAY_OIDC_ISSUER: is not https://host[:port][/path] (or http:// at a loopback address, to try it)")
    uri = settings.oidc_redirect_uri
    if uri and (not is_safe(uri, uri) or urlsplit(uri).path != CALLBACK or set("?#") & set(uri)):
        faults.append(f"GATEWAY_OIDC_REDIRECT_URI: is not https://host[:port]{CALLBACK} (or http:// at a loopback address)")
    return faults


def _address_faults(settings: Settings) -> list[str]:
    faults = _server_faults(settings)
    for name in ("trusted_proxies", "metrics_from"):
        try:
            networks(getattr(settings, name))
        except ValueError as error:
            faults.append(f"GATEWAY_{name.upper()}: {error}")
    faults += [f"GATEWAY_ORIGINS: {fault}" for text in settings.origins if (fault := _origin_fault(text))]
    for name in ("employees_url", "teams_url"):
        try:
            Origin.parse(getattr(settings, name))
        except ValueError as error:
            faults.append(f"GATEWAY_{name.upper()}: {error}")
    return faults
