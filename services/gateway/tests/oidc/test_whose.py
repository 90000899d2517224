"""Whose account it is that somebody logs in to."""

import contextlib
import sqlite3
from typing import Any

import msgspec
import pytest

from shared.testing.provider import IdentityProvider

SUB = "248289761001"


@pytest.mark.parametrize(
    ("claim", "person", "username"),
    [
        ("preferred_username", {"preferred_username": "Editor"}, "editor"),
        ("preferred_username", {"preferred_username": "stranger"}, None),
        ("preferred_username", {"preferred_username": "edi\0tor"}, None),
        ("preferred_username", {"preferred_username": ""}, None),
        ("preferred_username", {}, None),
        ("preferred_username", {"preferred_username": "admin"}, None),  # who may choose a name could choose that one
        ("preferred_username", {"email": "editor", "email_verified": True}, None),
        ("email", {"email": "editor", "email_verified": True}, "editor"),
        ("email", {"email": "editor", "email_verified": False}, None),
        ("email", {"email": "editor"}, None),
        ("email", {"preferred_username": "editor"}, None),
        ("", {"preferred_username": "editor", "email": "editor", "email_verified": True}, None),
    ],
)
async def test_whose_account_it_is_the_first_time(
    at_provider: Any, provider: IdentityProvider, open_stage: Any, claim: str, person: dict[str, Any], username: str | None
) -> None:
    provider.person = {"sub": SUB, **person}
    async with open_stage(msgspec.structs.replace(at_provider, oidc_claim=claim)) as stage:
        visitor = stage.visitor()
        answer = await visitor.log_in()
        assert answer.status_code == (302 if username else 401), answer.text
        assert await visitor.who() == username
        if not username:
            assert answer.json()["type"] == "urn:roster:problem:wrong-credentials"


async def test_an_account_is_of_one_person_and_stays_theirs(stage: Any) -> None:
    await stage.visitor().log_in()
    stage.provider.person = {"sub": "another", "preferred_username": "editor"}
    assert (await stage.visitor().log_in()).status_code == 401
    stage.provider.person = {"sub": SUB, "preferred_username": "viewer"}  # renamed there
    visitor = stage.visitor()
    await visitor.log_in()
    assert await visitor.who() == "editor"


async def test_an_admin_links_and_unlinks(stage: Any) -> None:
    admin = await stage.house.browser().log_in("admin")
    accounts = {one["username"]: one for one in (await admin.get("/v1/accounts")).json()["items"]}
    subject, path = f"{stage.provider.url} {SUB}", f"/v1/accounts/{accounts['admin']['id']}"
    changed = await admin("PATCH", path, json={"oidc_subject": subject}, headers={"Content-Type": "application/merge-patch+json"})
    assert changed.status_code == 200, changed.text
    assert changed.json()["oidc_subject"] == subject
    visitor = stage.visitor()
    await visitor.log_in()
    assert await visitor.who() == "admin"
    other = f"/v1/accounts/{accounts['viewer']['id']}"
    taken = await admin("PATCH", other, json={"oidc_subject": subject}, headers={"Content-Type": "application/merge-patch+json"})
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "oidc_subject")
    wrong = await admin("PATCH", other, json={"oidc_subject": SUB}, headers={"Content-Type": "application/merge-patch+json"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "oidc_subject")
    await admin("PATCH", path, json={"oidc_subject": None}, headers={"Content-Type": "application/merge-patch+json"})
    visitor = stage.visitor()
    await visitor.log_in()
    assert await visitor.who() == "editor"  # by the claim, as nobody's account was theirs


async def test_a_disabled_account_is_refused(stage: Any) -> None:
    await stage.visitor().log_in()
    admin = await stage.house.browser().log_in("admin")
    for one in (await admin.get("/v1/accounts")).json()["items"]:
        if one["username"] != "admin":
            await admin("PATCH", f"/v1/accounts/{one['id']}", json={"disabled": True})
    visitor = stage.visitor()
    assert (await visitor.log_in()).status_code == 401
    stage.provider.person = {"sub": "another", "preferred_username": "viewer"}  # not linked, and disabled too
    assert (await visitor.log_in()).status_code == 401
    assert await visitor.who() is None


async def test_who_links_and_who_logs_in_is_in_the_log(stage: Any, at_provider: Any) -> None:
    await stage.visitor().log_in()
    await stage.visitor().log_in()
    with contextlib.closing(sqlite3.connect(at_provider.database_url.removeprefix("sqlite:///"))) as database:
        rows = database.execute("SELECT entity, kind, actor FROM changes ORDER BY seq").fetchall()[-3:]
        (account,) = database.execute("SELECT id FROM accounts WHERE username = 'editor'").fetchone()
    actor = f"account:{account}"
    assert rows == [("account", "updated", actor), ("session", "created", actor), ("session", "created", actor)]
