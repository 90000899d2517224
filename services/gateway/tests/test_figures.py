"""Who is told how the gateway does."""

from typing import Any

import httpx
import msgspec
import pytest

from gateway import create_app

ABROAD = {"X-Forwarded-For": "203.0.113.9"}


@pytest.fixture
def behind(settings: Any) -> Any:
    """Settings of a gateway that believes a proxy on this machine."""
    return msgspec.structs.replace(settings, trusted_proxies=("127.0.0.0/8",))


async def test_figures_and_details_are_told_on_this_machine_alone(behind: Any, open_house: Any) -> None:
    async with open_house(behind) as house:
        browser = house.browser()
        here, abroad = [await browser.get("/metrics", headers=headers) for headers in ({}, ABROAD)]
        assert (here.status_code, abroad.status_code) == (200, 403)
        assert "http_requests" in here.text
        assert abroad.json()["detail"] == "Figures are not told to this address."
        here, abroad = [await browser.get("/readyz", headers=headers) for headers in ({}, ABROAD)]
        assert (here.status_code, abroad.status_code) == (200, 200), "probes come from anywhere"
        assert here.json().keys() - abroad.json().keys() == {"details"}
        assert (await browser.get("/livez", headers=ABROAD)).status_code == 200
        await house.app.extensions["db"].close()
        assert (await browser.get("/readyz", headers=ABROAD)).status_code == 503


@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        (("203.0.113.0/24",), "203.0.113.9", 200),
        (("203.0.113.0/24",), "::ffff:203.0.113.9", 200),
        (("203.0.113.0/24",), "203.0.114.9", 403),
        (("2001:db8::/32", "203.0.113.9"), "2001:db8::1", 200),
        (("0.0.0.0/0",), "2001:db8::1", 403),
        ((), "203.0.113.9", 403),
    ],
)
async def test_figures_are_told_where_the_settings_say(
    behind: Any, open_house: Any, networks: tuple[str, ...], address: str, status: int
) -> None:
    async with open_house(msgspec.structs.replace(behind, metrics_from=networks)) as house:
        assert (await house.browser().get("/metrics", headers={"X-Forwarded-For": address})).status_code == status


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via"])
@pytest.mark.parametrize("proxies", [(), ("192.0.2.1",), ("127.0.0.0/8",)])
async def test_figures_are_not_told_through_a_proxy_that_is_not_believed(
    settings: Any, open_house: Any, header: str, proxies: tuple[str, ...]
) -> None:
    """Nor through one that is and does not say for whom it asks."""
    async with open_house(msgspec.structs.replace(settings, trusted_proxies=proxies)) as house:
        assert (await house.browser().get("/metrics", headers={header: "unknown"})).status_code == 403


async def test_figures_are_told_on_this_machine_whatever_other_networks_are_named(settings: Any, open_house: Any) -> None:
    async with open_house(msgspec.structs.replace(settings, metrics_from=("10.0.0.0/8",))) as house:
        assert (await house.browser().get("/metrics")).status_code == 200


async def test_figures_are_not_told_by_a_socket_that_is_no_networks(settings: Any) -> None:
    app = create_app(settings)
    transport = httpx.ASGITransport(app, client=None)  # type: ignore[arg-type]  # as a server has it for a unix socket
    async with httpx.AsyncClient(transport=transport, base_url="http://roster") as client:
        assert (await client.get("/metrics")).status_code == 403
