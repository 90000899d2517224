"""An unknown user and a wrong password: the same answer after the same time, so that it does not tell who has an account."""

import time
from statistics import median

import httpx

from tools.faults.load import ms
from tools.faults.scene import Broken, Figure, Scene

APART = 0.05
"""Aim: the medians differ by this share at most."""


def run(scene: Scene) -> Figure:
    roster = scene.roster({"GATEWAY_LOG_IN_LIMIT": "0", "GATEWAY_LOG_IN_LIMIT_ADDRESS": "0", "GATEWAY_RATE_LIMIT": "0"})
    roster.gateway.env["GATEWAY_REQUEST_TIMEOUT_MS"] = "10000"
    roster.start("gateway")
    unknown, wrong = [], []
    with httpx.Client(base_url=roster.gateway.url, timeout=30) as client:
        for _ in range(scene.scale.pairs):
            unknown.append(_seconds(client, "nobody"))
            wrong.append(_seconds(client, "admin"))
    apart = abs(median(unknown) / median(wrong) - 1)
    line = (
        f"{scene.scale.pairs} pairs: unknown user {median(unknown) * 1e3:.1f} ms, wrong password {median(wrong) * 1e3:.1f} ms, "
        f"{apart:.1%} apart (aim ≤ {APART:.0%})"
    )
    return Figure(line, apart <= APART)


def _seconds(client: httpx.Client, username: str) -> float:
    begun = time.perf_counter()
    answer = client.post("/v1/session", json={"username": username, "password": "not the right one"})
    seconds = time.perf_counter() - begun
    if answer.status_code != 401:
        raise Broken(f"{username}: {answer.status_code} after {ms(seconds)}: {answer.text}")
    return seconds
