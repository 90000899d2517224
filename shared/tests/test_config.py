"""Settings: which layer wins, and what is said of those that can't be taken."""

import json
from pathlib import Path

import pytest

from shared.config import ServiceSettings, SettingsError, explain, load


class Settings(ServiceSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    color: str = "blue"
    signing_key: str = ""
    names: tuple[str, ...] = ()
    limit: int | None = None


FILES = {
    "settings.json": '{"port": 9001, "color": "red"}',
    "settings.yaml": "port: 9001\ncolor: red\n",
    "settings.toml": 'port = 9001\ncolor = "red"\n',
    "settings.ini": "[notes]\nport = 9001\ncolor = red\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_each_kind_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FILES[name], "utf-8")
    found = load(Settings, "NOTES", {"NOTES_SETTINGS": str(tmp_path / name)})
    assert (found.port, found.color) == (9001, "red")


def test_later_layers_win(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"port": 1, "color": "one", "host": "h"}', "utf-8")
    (tmp_path / "color").write_text("three\n", "utf-8")
    environ = {
        "NOTES_SETTINGS": str(tmp_path / "s.json"),
        "NOTES_PORT": "2",
        "NOTES_COLOR": "two",
        "NOTES_COLOR_FILE": str(tmp_path / "color"),
    }
    found = explain(Settings, "NOTES", environ)
    assert (found.settings.host, found.settings.port, found.settings.color, found.settings.readers) == ("h", 2, "three", 4)
    assert found.sources["host"] == str(tmp_path / "s.json")
    assert found.sources["port"] == "NOTES_PORT"
    assert found.sources["color"] == "NOTES_COLOR_FILE"
    assert found.sources["readers"] == "default"


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("port = 'x'\nshade = 1\n", "utf-8")
    environ = {
        "NOTES_SETTINGS": str(tmp_path / "s.toml"),
        "NOTES_READERS": "0",
        "NOTES_PROT": "1",
        "NOTES_COLOR_FILE": "/does/not/exist",
        "NOTES_LOG_LEVEL": "loud",
        "OTHER_PORT": "1",
    }
    with pytest.raises(SettingsError) as caught:
        load(Settings, "NOTES", environ)
    told = "\n".join(caught.value.faults)
    assert len(caught.value.faults) == 6
    assert all(word in told for word in ("port", "shade", "NOTES_READERS", "prot", "NOTES_COLOR_FILE", "NOTES_LOG_LEVEL"))


def test_what_may_stand_there_instead_is_told() -> None:
    with pytest.raises(SettingsError) as caught:
        load(Settings, "NOTES", {"NOTES_LOG_LEVEL": "loud", "NOTES_OPEN": "yes"})
    assert caught.value.faults == [
        "NOTES_LOG_LEVEL: log_level: Invalid enum value 'loud'; it is one of debug, error, info, warning",
        "NOTES_OPEN: open: Expected true or false",
    ]


@pytest.mark.parametrize(("name", "text"), [("s.xml", "<a/>"), ("s.json", "{"), ("s.json", "[]"), ("s.toml", "="), ("s.yaml", "a: [")])
def test_a_file_that_is_none_is_told(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(SettingsError, match="NOTES_SETTINGS"):
        load(Settings, "NOTES", {"NOTES_SETTINGS": str(tmp_path / name)})


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("NOTES_OPEN", "true", "open", True),
        ("NOTES_OPEN", "False", "open", False),
        ("NOTES_COLOR", "7", "color", "7"),
        ("NOTES_COLOR", "true", "color", "true"),
        ("NOTES_NAMES", "a, b", "names", ("a", "b")),
        ("NOTES_NAMES", '["a"]', "names", ("a",)),
        ("NOTES_LIMIT", "5", "limit", 5),
    ],
)
def test_text_becomes_what_its_field_needs(variable: str, text: str, field: str, value: object) -> None:
    assert getattr(load(Settings, "NOTES", {variable: text}), field) == value


def test_secrets_are_masked() -> None:
    key = json.dumps({"d": "hidden"})
    lines = explain(Settings, "NOTES", {"NOTES_SIGNING_KEY": key, "NOTES_DATABASE_URL": "postgresql://me:hidden@db/notes"}).lines()
    assert "hidden" not in "\n".join(lines)
    assert "database_url = 'postgresql://me:********@db/notes'  (NOTES_DATABASE_URL)" in lines
