"""Proxies to be measured beside, each on one core and with one upstream; `make bench-peers` installs them.

Plain proxies get the settings that serve them best: kept connections to the upstream, no access log. Those with which faults are compared
get what their makers recommend against faults.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.machine import SERVER_CORE
from bench.scene import Scene
from shared.testing.processes import Process

FASTIFY: Final = Path(__file__).parent / "fastify"


def nginx(scene: Scene, upstream: Process) -> Process:
    """`proxy_pass` over 64 kept connections, in one process."""
    block = "proxy_pass http://upstream; proxy_http_version 1.1; proxy_set_header Connection '';"
    return scene.started(
        _nginx(scene, f"upstream upstream {{ server 127.0.0.1:{upstream.port}; keepalive 64; }}", f"location / {{ {block} }}")
    )


def nginx_upstream(scene: Scene, core: int, body: str) -> Process:
    """What all gateways ask: answers any employee by id with `body`, in which $1 stands for the id. Escapes of nginx are the caller's."""
    place = f"location ~ ^/v1/employees/([0-9]+)$ {{ default_type application/json; add_header ETag '\"1\"'; return 200 '{body}'; }}"
    process = _nginx(scene, "", f"{place} location = /readyz {{ return 200; }}")
    process.core = core
    return scene.started(process)


def _nginx(scene: Scene, outside: str, inside: str) -> Process:
    folder = scene.subfolder("nginx")
    process = _pinned("nginx", folder)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    (folder / "nginx.conf").write_text(
        f"""
        daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr; worker_rlimit_nofile 4096;
        events {{ worker_connections 2048; }}
        http {{
            access_log off; keepalive_requests 1000000000; keepalive_timeout 75s;
            {" ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)}
            {outside}
            server {{ listen 127.0.0.1:{process.port}; {inside} }}
        }}
        """,
        "utf-8",
    )
    process.command = [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    return process


def fastify(scene: Scene, upstream: Process) -> Process:
    """`@fastify/http-proxy`, plain."""
    process = _pinned("fastify", scene.subfolder("fastify"))
    process.command = [program("node"), str(FASTIFY / "server.js"), str(process.port), upstream.url]
    return scene.started(process)


def envoy(scene: Scene, upstream: Process, *, careful: bool = False) -> Process:
    """One worker; `careful` adds retries within a budget, time limits, outlier detection and circuit breakers."""
    folder = scene.subfolder("envoy")
    process = _pinned("envoy", folder)
    (folder / "envoy.yaml").write_text(
        _ENVOY % (process.port, _CAREFUL_ROUTE if careful else "", _CAREFUL_CLUSTER if careful else "", upstream.port), "utf-8"
    )
    options = ["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error"]
    process.command = [program("envoy"), "-c", str(folder / "envoy.yaml"), *options]
    return scene.started(process)


def traefik(scene: Scene, upstream: Process, *, careful: bool = False) -> Process:
    """The file provider, no access log; `careful` adds the middlewares retry and circuitBreaker, and time limits."""
    folder = scene.subfolder("traefik")
    process = _pinned("traefik", folder)
    process.env["GOMAXPROCS"] = "1"
    middlewares = "middlewares: [breaker, retry]" if careful else ""
    (folder / "routes.yaml").write_text(_TRAEFIK % (middlewares, upstream.url, _CAREFUL_TRAEFIK if careful else ""), "utf-8")
    static = {
        "entryPoints.web.address": f"127.0.0.1:{process.port}",
        "providers.file.filename": str(folder / "routes.yaml"),
        "global.checkNewVersion": "false",
        "global.sendAnonymousUsage": "false",
        "log.level": "ERROR",
    }
    process.command = [program("traefik"), *(f"--{name}={value}" for name, value in static.items())]
    return scene.started(process)


Proxy = Callable[[Scene, Process], Process]
PLAIN: Final[dict[str, Proxy]] = {"nginx": nginx, "Envoy": envoy, "Traefik": traefik, "fastify": fastify}
NEEDED: Final = {"nginx": "nginx", "Envoy": "envoy", "Traefik": "traefik", "fastify": "node"}


def missing(*programs: str) -> list[str]:
    """Those that can't be run here."""
    return [name for name in programs if find(name) is None or (name == "node" and not (FASTIFY / "node_modules").is_dir())]


def find(name: str) -> str | None:
    """Where a program is: beside this Python, on the path, or where Debian puts what is for its administrator."""
    return next(
        (found for place in (str(Path(sys.executable).parent), None, "/usr/sbin") if (found := shutil.which(name, path=place))), None
    )


def program(name: str) -> str:
    """The same; FileNotFoundError for what is not there."""
    found = find(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: make bench-peers")
    return found


def _pinned(name: str, folder: Path) -> Process:
    process = Process(name, [], folder)
    process.core = SERVER_CORE
    return process


_ENVOY: Final = """
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: %d}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: "/"}
                route:
                  cluster: upstream
                  %s
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: upstream
    connect_timeout: 0.25s
    %s
    load_assignment:
      cluster_name: upstream
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}
"""
_CAREFUL_ROUTE: Final = """timeout: 2s
                  retry_policy: {retry_on: "5xx,reset,connect-failure", num_retries: 1, per_try_timeout: 0.9s}"""
_CAREFUL_CLUSTER: Final = """outlier_detection: {consecutive_5xx: 5, base_ejection_time: 5s, max_ejection_percent: 100}
    circuit_breakers: {thresholds: [{retry_budget: {budget_percent: {value: 20}, min_retry_concurrency: 3}}]}"""
_TRAEFIK: Final = """
http:
  routers:
    all: {rule: "PathPrefix(`/`)", service: upstream, entryPoints: [web], %s}
  services:
    upstream: {loadBalancer: {servers: [{url: "%s"}], serversTransport: kept}}
  serversTransports:
    kept: {maxIdleConnsPerHost: 64, forwardingTimeouts: {dialTimeout: 250ms, responseHeaderTimeout: 2s}}
%s
"""
_CAREFUL_TRAEFIK: Final = """
  middlewares:
    retry: {retry: {attempts: 2, initialInterval: 25ms}}
    breaker: {circuitBreaker: {expression: "NetworkErrorRatio() > 0.30"}}
"""
