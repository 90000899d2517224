"""What the gateway may be told."""

from typing import Any

import msgspec
import pytest

from gateway import config, create_app
from gateway.config import Settings
from shared.config import SettingsError


def test_good_settings_pass(settings: Settings) -> None:
    config.check(settings)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"session_keys": ""}, "SESSION_KEYS"),
        ({"session_keys": "short"}, "SESSION_KEYS"),
        ({"session_keys": "k" * 40 + ",short"}, "SESSION_KEYS"),
        ({"signing_key": ""}, "SIGNING_KEY"),
        ({"signing_key": "{}"}, "SIGNING_KEY"),
        ({"trusted_proxies": ("10.0.0.1/8",)}, "TRUSTED_PROXIES"),
        ({"metrics_from": ("monitoring",)}, "METRICS_FROM"),
        ({"origins": ("https://a.example/",)}, "ORIGINS"),
        ({"origins": ("a.example",)}, "ORIGINS"),
        ({"origins": ("https://A.example",)}, "ORIGINS"),
        ({"origins": ("https://a.example:443",)}, "ORIGINS"),
        ({"origins": ("*",)}, "ORIGINS"),
        ({"origins": ("https://[a",)}, "ORIGINS"),
        ({"redis_url": "127.0.0.1:6379"}, "REDIS_URL"),
        ({"redis_url": "http://127.0.0.1:6379"}, "REDIS_URL"),
        ({"redis_url": "redis://"}, "REDIS_URL"),
        ({"redis_url": "redis://h:six"}, "REDIS_URL"),
        ({"redis_url": "redis://h:99999"}, "REDIS_URL"),
        ({"redis_url": "redis://[h"}, "REDIS_URL"),
        ({"nats_url": "127.0.0.1:4222"}, "NATS_URL"),
        ({"nats_url": "nats://"}, "NATS_URL"),
        ({"nats_url": "nats://h:4222,http://h:4222"}, "NATS_URL"),
        *(
            ({"employees_url": url}, "EMPLOYEES_URL")
            for url in ("ftp://x", "http://", "http://h/x", "http://u:p@h:1", "http://h:99999", "unix://h")
        ),
        ({"teams_url": ""}, "TEAMS_URL"),
        ({"pool_size": 143}, "POOL_SIZE: at least 144"),
        ({"upstream_requests": 65}, "POOL_SIZE: at least 146"),
        ({"upstream_transfers": 17}, "POOL_SIZE: at least 145"),
        ({"open": True}, "OPEN"),
    ],
)
def test_a_wrong_setting_is_named_at_start(settings: Settings, change: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        create_app(msgspec.structs.replace(settings, **change))


def test_keys_are_listed_by_comma_or_line() -> None:
    assert config.session_keys(Settings(session_keys="a,b\nc")) == ["a", "b", "c"]
