"""The first account, and finding it again."""

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.__main__ import run
from gateway.admin import AdminFault, keep_password, reset_admin
from gateway.passwords import Passwords
from gateway.revocations import InDatabase
from shared.db import StoreError
from shared.testing.databases import postgresql_database
from shared.testing.redis import RedisServer


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: Any, settings: Any, tmp_path: Path) -> Any:
    """Settings with an empty database, of each kind."""
    if request.param == "sqlite":
        yield msgspec.structs.replace(settings, database_url=f"sqlite:///{tmp_path}/new/gateway.db")
        return
    with postgresql_database() as url:
        yield msgspec.structs.replace(settings, database_url=url)


def read(path: Path) -> str:
    return path.read_text().strip()


def read_and_check(path: Path) -> str:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return read(path)


def files_beside(path: Path) -> list[str]:
    return [one.name for one in path.parent.iterdir() if "password" in one.name]


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


@pytest.fixture
def passwords() -> Any:
    found = Passwords(1)
    yield found
    found.close()


@pytest.fixture
def path(settings: Any) -> Path:
    """The file, with what was once the password."""
    found = Path(settings.admin_password_file)
    found.write_text("what it once was\n")
    return found


async def test_a_lost_password_is_replaced_while_the_gateway_serves(
    house: Any, admin: Any, settings: Any, passwords: Any, path: Path, capfd: Any
) -> None:
    """The account may have been demoted, disabled and linked meanwhile."""
    db = house.app.extensions["db"]
    house.employees.on("GET /v1/employees/7", json={"id": 7, "status": "active", "version": 1, "created_at": "2020"})
    await admin("PATCH", "/v1/accounts/2", json={"role": "admin"})
    other = await house.browser().log_in("editor")
    await other("PATCH", "/v1/accounts/3", json={"role": "viewer", "disabled": True, "employee_id": 7})
    await reset_admin(db, passwords, settings, InDatabase())
    password = read_and_check(path)
    assert capfd.readouterr().err.count(password) == 1
    again = await house.browser().log_in("admin", password)
    account = (await again.get("/v1/accounts/3")).json()
    assert (account["role"], account["disabled"], account["employee_id"]) == ("admin", False, None)
    assert (await admin.get("/v1/session")).status_code == 401
    assert files_beside(path) == [path.name]


async def test_the_file_is_for_the_account_admin_alone(house: Any, settings: Any, passwords: Any, path: Path, capfd: Any) -> None:
    await reset_admin(house.app.extensions["db"], passwords, settings, InDatabase(), "EDITOR")
    told = capfd.readouterr().err
    assert (files_beside(path), read(path)) == ([path.name], "what it once was")
    assert str(path) not in told
    await house.browser().log_in("editor", told.partition("the password ")[2].partition(";")[0])


@pytest.mark.parametrize("username", ["root", "admi\nn", "", "a" * 500, "with space", "--username", "ä\x00b", "\ud800"])
async def test_an_account_that_is_not_there_is_a_clear_fault(house: Any, settings: Any, passwords: Any, path: Path, username: str) -> None:
    with pytest.raises(AdminFault, match="there is no account '") as told:
        await reset_admin(house.app.extensions["db"], passwords, settings, InDatabase(), username)
    assert "\n" not in str(told.value)
    assert (files_beside(path), read(path)) == ([path.name], "what it once was")
    admin = await house.browser().log_in("admin")
    assert (await admin.get("/v1/accounts?count=true")).json()["total"] == 3


async def test_a_reset_that_fails_leaves_the_file_as_it_was(house: Any, settings: Any, passwords: Any, path: Path) -> None:
    db = house.app.extensions["db"]
    await db.close()
    with pytest.raises(StoreError):
        await reset_admin(db, passwords, settings, InDatabase())
    assert (files_beside(path), read(path)) == ([path.name], "what it once was")


def test_the_command_resets_what_the_settings_name(settings: Any, tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    for name in ("database_url", "signing_key", "session_keys", "admin_password_file"):
        monkeypatch.setenv(f"GATEWAY_{name.upper()}", getattr(settings, name))
    assert run(["reset-admin", "nobody"]) == 1
    assert capfd.readouterr().err == "gateway: there is no account 'nobody': nothing was changed\n"
    assert run(["reset-admin"]) == 0
    assert capfd.readouterr().err.count(read_and_check(Path(settings.admin_password_file))) == 1
    monkeypatch.setenv("GATEWAY_ADMIN_PASSWORD_FILE", str(tmp_path / "gateway.db" / "admin-password"))
    assert run(["reset-admin", "admin"]) == 1
    assert "can't be written" in capfd.readouterr().err
    monkeypatch.setenv("GATEWAY_SESSION_KEYS", "short")
    assert run(["reset-admin"]) == 1
    assert "SESSION_KEYS" in capfd.readouterr().err


def test_the_command_tells_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in ((["--help"], ("serve", "create-admin", "reset-admin")), (["reset-admin", "--help"], ("username",))):
        with pytest.raises(SystemExit) as ended:
            run(arguments)
        assert ended.value.code == 0
        told = capsys.readouterr().out
        assert [word for word in words if word not in told] == []


def test_the_command_takes_the_arguments_that_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config"]) == 0
    assert "port = " in capsys.readouterr().out


async def test_a_reset_counts_at_gateways_that_share_a_redis(
    settings: Any, open_house: Any, redis: RedisServer, monkeypatch: Any, capfd: Any
) -> None:
    shared = msgspec.structs.replace(settings, redis_url=redis.url)
    for name in ("database_url", "signing_key", "session_keys", "admin_password_file", "redis_url"):
        monkeypatch.setenv(f"GATEWAY_{name.upper()}", getattr(shared, name))
    async with open_house(shared) as house:
        admin = await house.browser().log_in("admin")
        assert (await admin.get("/v1/accounts")).status_code == 200
        assert await asyncio.to_thread(run, ["reset-admin"]) == 0
        house.clock.now += 1
        assert (await admin.get("/v1/accounts")).status_code == 401
        password = read(Path(settings.admin_password_file))
        redis.kill()
        assert await asyncio.to_thread(run, ["reset-admin"]) == 1
        assert "nothing was changed" in capfd.readouterr().err
        redis.start()
        await house.browser().log_in("admin", password)
