"""The first account."""

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.admin import AdminFault, keep_password
from shared.testing.databases import postgresql_database


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: Any, settings: Any, tmp_path: Path) -> Any:
    """Settings with an empty database, of each kind."""
    if request.param == "sqlite":
        yield msgspec.structs.replace(settings, database_url=f"sqlite:///{tmp_path}/new/gateway.db")
        return
    with postgresql_database() as url:
        yield msgspec.structs.replace(settings, database_url=url)


def read_and_check(path: Path) -> str:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return path.read_text().strip()


def keep_in(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


async def test_the_first_start_makes_the_admin_and_later_ones_do_not(fresh: Any, open_house: Any, capfd: Any) -> None:
    path = Path(fresh.admin_password_file)
    async with open_house(fresh) as house:
        password = read_and_check(path)
        assert capfd.readouterr().err.count(password) == 1
        browser = await house.browser().log_in("admin", password)
        assert (await browser.get("/v1/accounts")).json()["items"][0]["role"] == "admin"
        assert (await browser("DELETE", "/v1/session")).status_code == 204
    os.unlink(path)
    async with open_house(fresh, house.clock) as house:
        await house.browser().log_in("admin", password)
    assert os.listdir(path.parent).count(path.name) == 0
    assert password not in capfd.readouterr().err


async def test_a_password_that_was_there_before_is_used_and_not_told(fresh: Any, open_house: Any, capfd: Any) -> None:
    path = keep_in(Path(fresh.admin_password_file), "a secret that is mounted\n")
    async with open_house(fresh) as house:
        await house.browser().log_in("admin", "a secret that is mounted")
    told = capfd.readouterr().err
    assert f"made the account admin with the password that {path} holds" in told
    assert "a secret that is mounted" not in told


def test_a_password_that_is_kept_already_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "admin-password"
    first = keep_password(path, "a" * 24)
    assert keep_password(path, "b" * 24) == first == "a" * 24
    assert [one.name for one in path.parent.iterdir()] == ["admin-password"]


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 30])
def test_a_file_that_holds_no_password_is_a_clear_fault(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "admin-password"
    path.write_bytes(content)
    with pytest.raises(AdminFault, match="admin-password"):
        keep_password(path, "a" * 24)


def test_a_place_that_cannot_be_written_is_a_clear_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AdminFault, match="can't be written"):
        keep_password(tmp_path / "file" / "admin-password", "a" * 24)
