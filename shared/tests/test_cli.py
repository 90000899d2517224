"""`python -m <service> …` as its users see it."""

import argparse
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.cli import main
from shared.identity import Caller, Minter, Trust, Verifier, read_private_key, read_public_keys
from shared.testing import notes


def run(*arguments: str) -> int:
    return main("notes", notes.create_app, notes.Settings, arguments)


def add_greeting(commands: Any) -> None:
    greeting = commands.add_parser("greet", help="say hello")
    greeting.add_argument("whom")
    greeting.set_defaults(run=greet)


def greet(settings: notes.Settings, arguments: argparse.Namespace) -> None:
    if arguments.whom == "nobody":
        raise OSError("there is\nnobody")
    sys.stdout.write(f"hello {arguments.whom} at {settings.port}\n")


def test_config_prints_what_is_in_force(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NOTES_PORT", "9007")
    assert run("config") == 0
    printed = capsys.readouterr().out
    assert "port = 9007  (NOTES_PORT)\n" in printed
    assert "readers = 4  (default)\n" in printed


def test_a_wrong_setting_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NOTES_PORT", "x")
    assert run("config") == 1
    assert capsys.readouterr().err.startswith("notes: NOTES_PORT: port: ")


def test_keys_that_follow_one_another_can_be_told_apart(tmp_path: Path) -> None:
    """As in a rotation: who verifies knows the old one and the new one."""
    made = [tmp_path / "old", tmp_path / "new"]
    assert [run("keys", str(folder)) for folder in made] == [0, 0]
    known = [json.loads((folder / "notes.public.json").read_text("utf-8"))["keys"][0] for folder in made]
    verifier = Verifier("notes", [Trust("gateway", json.dumps({"keys": known}))])
    for folder in made:
        minter = Minter("gateway", (folder / "notes.private.json").read_text("utf-8"))
        assert verifier.verify(minter.mint(Caller("account:1", "ada", "viewer", "gateway"), "notes")).subject == "account:1"


def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    assert run("keys", str(tmp_path / "keys")) == 0
    private = tmp_path / "keys" / "notes.private.json"
    text = private.read_text("utf-8")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert read_private_key(text).kid in read_public_keys((tmp_path / "keys" / "notes.public.json").read_text("utf-8"))
    assert "d" not in json.loads((tmp_path / "keys" / "notes.public.json").read_text("utf-8"))["keys"][0]
    assert run("keys", str(tmp_path / "keys")) == 0
    assert private.read_text("utf-8") == text


def test_what_a_service_writes_is_for_its_own_user(tmp_path: Path) -> None:
    """Databases above all, which hold people and hashes of passwords: a folder made by hand lets everyone in."""
    before = os.umask(0o022)
    try:
        run("keys", str(tmp_path))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "notes.public.json").stat().st_mode) == 0o600


def test_a_service_may_have_commands_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    def run_own(*arguments: str) -> int:
        return main("notes", notes.create_app, notes.Settings, arguments, own=add_greeting)

    assert run_own("greet", "ada") == 0
    assert capsys.readouterr().out == "hello ada at 8099\n"
    assert run_own("greet", "nobody") == 1
    assert capsys.readouterr().err == "notes: there is nobody\n"
    with pytest.raises(SystemExit):
        run_own("--help")
    assert "say hello" in capsys.readouterr().out
