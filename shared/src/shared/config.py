"""Settings: defaults, then a file, then the environment, then files that the environment names; later wins.

`EMPLOYEES_SETTINGS` names the file (JSON, YAML, TOML or INI by its ending); `EMPLOYEES_PORT` sets the field `port`;
`EMPLOYEES_IDENTITY_KEYS_FILE` sets `identity_keys` to what that file holds (a secret that is mounted). Unknown keys and wrong
values are refused with one message that lists them all.
"""

import configparser
import dataclasses
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

import msgspec
import yaml

from shared.faults import in_words
from shared.shedding import LEAST, MOST

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Bytes = Annotated[int, msgspec.Meta(ge=1, le=1 << 40)]
SECRETS: Final = ("secret", "private", "signing", "session_keys", "password", "token")
Kind = TypeVar("Kind", bound="ServiceSettings")


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every service has; a service adds fields of its own. Sizes in bytes, times as named."""

    host: str = "127.0.0.1"
    port: Port = 8000
    database_url: str = ""
    readers: Count = 4
    migrate: bool = True
    open: bool = False
    identity_keys: str = ""
    identity_issuer: str = "gateway"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    access_log: bool = True
    metrics: bool = True
    docs: bool = True
    max_body: Bytes = 64 * 1024
    max_upload: Bytes = 4 * 1024**3
    request_timeout_ms: Annotated[int, msgspec.Meta(ge=50, le=600_000)] = 10_000
    concurrency_least: Count = LEAST
    concurrency_most: Count = MOST
    lame_duck: Annotated[int, msgspec.Meta(ge=0, le=60)] = 2
    graceful_timeout: Annotated[int, msgspec.Meta(ge=0, le=600)] = 12

    def certificate(self) -> tuple[str, str] | None:
        """The files of the certificate, with its chain, and of its key that TLS is spoken with; None for plain HTTP."""
        return None


class SettingsError(Exception):
    """All that is wrong with the settings, one line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclasses.dataclass(frozen=True)
class Layered(Generic[Kind]):
    """Settings, and where each field's value comes from: `default`, a file's path, or a variable's name."""

    settings: Kind
    sources: Mapping[str, str]

    def lines(self) -> list[str]:
        """`field = value  (source)`, secrets masked."""
        return [f"{name} = {_shown(name, getattr(self.settings, name))}  ({source})" for name, source in self.sources.items()]


def load(kind: type[Kind], prefix: str, environ: Mapping[str, str] | None = None) -> Kind:
    """The settings in force. Raises SettingsError listing every fault."""
    return explain(kind, prefix, environ).settings


def explain(kind: type[Kind], prefix: str, environ: Mapping[str, str] | None = None) -> Layered[Kind]:
    """As `load`, with where each value comes from."""
    environ = os.environ if environ is None else environ
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    sources = dict.fromkeys(fields, "default")
    faults: list[str] = []
    for source, name, raw in _layers(prefix, environ, set(fields), faults):
        if name not in fields:
            faults.append(f"{source}: unknown setting {name!r}")
            continue
        try:
            values[name] = _value(raw, fields[name].type)
            sources[name] = source
        except msgspec.ValidationError as error:
            faults.append(f"{source}: {name}: {in_words(str(error), fields[name].type)}")
    if faults:
        raise SettingsError(faults)
    try:
        return Layered(msgspec.convert(values, kind), sources)
    except msgspec.ValidationError as error:
        raise SettingsError([str(error)]) from error


def _layers(prefix: str, environ: Mapping[str, str], fields: set[str], faults: list[str]) -> list[tuple[str, str, Any]]:
    """(source, field, raw value), weakest first."""
    found: list[tuple[str, str, Any]] = []
    named = f"{prefix}_SETTINGS"
    if path := environ.get(named):
        try:
            found += [(path, name, value) for name, value in _read_file(Path(path)).items()]
        except (OSError, ValueError, yaml.YAMLError, configparser.Error) as error:
            faults.append(f"{named}: {path}: {_one_line(error)}")
    files: list[tuple[str, str, Any]] = []
    for variable in sorted(environ):
        if not variable.startswith(f"{prefix}_") or variable == named:
            continue
        name = variable.removeprefix(f"{prefix}_").lower()
        if name in fields or not name.endswith("_file"):
            found.append((variable, name, environ[variable]))
            continue
        try:
            files.append((variable, name.removesuffix("_file"), Path(environ[variable]).read_text("utf-8").strip()))
        except (OSError, ValueError) as error:
            faults.append(f"{variable}: {_one_line(error)}")
    return found + files


def _read_file(path: Path) -> dict[str, Any]:
    text = path.read_text("utf-8")
    match path.suffix:
        case ".json":
            found = msgspec.json.decode(text)
        case ".yaml" | ".yml":
            found = yaml.safe_load(text) or {}
        case ".toml":
            found = tomllib.loads(text)
        case ".ini":
            parser = configparser.ConfigParser(interpolation=None)
            parser.read_string(text)
            found = {name: value for section in parser.values() for name, value in section.items()}
        case other:
            raise ValueError(f"the ending {other!r} is none of .json, .yaml, .toml, .ini")
    if not isinstance(found, dict):
        raise ValueError("not a table of settings")
    return found


def _value(raw: Any, kind: Any) -> Any:
    """Text becomes what its field needs; `true` and `false` for booleans, lists as `a,b` or as JSON."""
    if not isinstance(raw, str):
        return msgspec.convert(raw, kind)
    try:
        return msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError:
        if raw.startswith(("[", "{")):
            return msgspec.convert(msgspec.json.decode(raw), kind)
        if raw.lower() in ("true", "false"):
            return msgspec.convert(raw.lower() == "true", kind)
        if raw.lower() in ("null", "none"):
            raise
        try:
            return msgspec.convert(raw, kind, strict=False)
        except msgspec.ValidationError as error:
            if not str(error).startswith("Expected `array`"):
                raise
            return msgspec.convert([part.strip() for part in raw.split(",")], kind)


def _shown(name: str, value: Any) -> str:
    if value and any(word in name for word in SECRETS):
        return "********"
    if name.endswith("_url") and isinstance(value, str) and "@" in value:
        head, _, tail = value.rpartition("@")
        scheme, _, userinfo = head.partition("://")
        return repr(f"{scheme}://{userinfo.partition(':')[0]}:********@{tail}" if ":" in userinfo else value)
    return repr(value)


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())
