"""Reads settings: defaults, then the TOML file, then the environment, then the command line.

`TIDEGATE_ENGINE_SLOTS=8` sets `engine.slots`. Every error names the key, the
value and the fix.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from tidegate.config import mistakes
from tidegate.config.settings import Settings

_PREFIX = "TIDEGATE_"

_FOREIGN = {
    "TIDEGATE_DATA": ("data_dir",),
    "TIDEGATE_MODELS": ("models", "cache_dir"),
    "PIP_INDEX_URL": ("models", "index_url"),
    "HF_ENDPOINT": ("models", "hub_endpoint"),
    "HF_TOKEN": ("models", "hub_token"),
}
"""Variables with a name of their own; ours are set later and win."""

_NOT_SETTINGS = {"TIDEGATE_CONFIG"}

_TABLES = frozenset({"engines"})
"""Arrays of tables."""


class SettingsError(Exception):
    """A setting is not usable. The message names the key, the value and the fix."""


def load_settings(
    config_path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Read all settings once; `overrides` maps dotted keys to values and wins. Raises SettingsError."""
    environment = os.environ if environment is None else environment
    values = _read_file(config_path) if config_path else {}
    origins: dict[str, str] = {}
    for name, key, text in _environment_values(environment):
        _set(values, key, text, source=name)
        origins[".".join(key)] = name
    for dotted, value in (overrides or {}).items():
        if value is not None:
            _set(values, tuple(dotted.split(".")), value, source=dotted)
            origins.pop(dotted, None)
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=decode_path)
    except msgspec.ValidationError as error:
        raise SettingsError(mistakes.sentence(str(error), values, Settings, origins)) from None
    return _expand(settings, environment)


def load_data_dir(
    config_path: Path | None = None, environment: Mapping[str, str] | None = None, data_dir: Path | None = None
) -> Path:
    """Where the instance is, of settings that may not be usable otherwise. Raises SettingsError when that is not told.

    `data_dir` is what the command line says, if it does.
    """
    environment = os.environ if environment is None else environment
    found: object = data_dir
    for name in ("TIDEGATE_DATA_DIR", "TIDEGATE_DATA"):
        found = found or environment.get(name)
    if not found and config_path is not None:
        found = _read_file(config_path, _before_tables).get("data_dir")
    try:
        settings = msgspec.convert({"data_dir": found} if found else {}, Settings, dec_hook=decode_path)
    except msgspec.ValidationError as error:
        raise SettingsError(mistakes.sentence(str(error), {"data_dir": found}, Settings)) from None
    return _expand(settings, environment).data_dir


def _before_tables(text: str) -> str:
    """The beginning of a TOML file, where what belongs to no table stands; mistakes are mostly made further on."""
    return re.split(r"^[ \t]*\[", text, maxsplit=1, flags=re.MULTILINE)[0]


def _read_file(path: Path, part: Callable[[str], str] = str) -> dict[str, Any]:
    try:
        return tomllib.loads(part(path.read_text("utf-8")))
    except OSError as error:
        msg = f"{path}: {error.strerror or error}; name a readable TOML file with --config"
        raise SettingsError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: not valid TOML: {error}"
        raise SettingsError(msg) from error


def _environment_values(environment: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for name, key in _FOREIGN.items():
        if environment.get(name):
            yield name, key, environment[name]
    known = {_PREFIX + "_".join(key).upper(): key for key in setting_keys()}
    for name, text in sorted(environment.items()):
        if not name.startswith(_PREFIX) or name in _FOREIGN or name in _NOT_SETTINGS:
            continue
        if name not in known:
            rest = name.removeprefix(_PREFIX)
            in_a_table = [one for one, key in known.items() if key[-1].upper() == rest]
            meant = in_a_table[0] if len(in_a_table) == 1 else mistakes.suggestion(name, known, _PREFIX)
            fix = f"did you mean {meant}?" if meant else "see docs/reference/configuration.md"
            msg = f"{name}: no such setting; {fix}"
            raise SettingsError(msg)
        key = known[name]
        if key[0] in _TABLES:
            yield name, key, _tables(name, text)
            continue
        is_list = isinstance(_default(key), tuple)
        yield name, key, [part.strip() for part in text.split(",") if part.strip()] if is_list else text  # type: ignore[misc]


def _tables(name: str, text: str) -> Any:
    try:
        return tomllib.loads(f"tables = {text}")["tables"]
    except tomllib.TOMLDecodeError:
        msg = f'{name}: not an array of tables in TOML, such as [{{url = "http://127.0.0.1:8000"}}]'
        raise SettingsError(msg) from None


def _default(key: tuple[str, ...]) -> object:
    value: object = Settings()
    for part in key:
        value = getattr(value, part)
    return value


def setting_keys() -> Iterator[tuple[str, ...]]:
    """Every key there is, as a path from the root."""
    for name, kind in get_type_hints(Settings).items():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield from ((name, field) for field in kind.__struct_fields__)
        else:
            yield (name,)


def _set(values: dict[str, Any], key: tuple[str, ...], value: object, *, source: str) -> None:
    table = values
    for part in key[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            msg = f"{part}: expected a table of settings, because {source} sets one in it"
            raise SettingsError(msg)
    table[key[-1]] = value


def decode_path(kind: type, value: object) -> object:
    """Read what msgspec does not know by itself, for its `dec_hook`."""
    if kind is not Path:
        raise NotImplementedError  # So msgspec wants to be told of a type that is not known here.
    # An empty one would be the folder that the program happens to be started in.
    if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
        msg = "Expected a path"
        raise ValueError(msg)
    return Path(value)


def _expand(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """Resolve `~` and the XDG base directories (https://specifications.freedesktop.org/basedir-spec/)."""
    home = Path(environment.get("HOME") or Path.home())
    defaults = Settings()
    data_dir, cache_dir = settings.data_dir, settings.models.cache_dir
    data_home, cache_home = (Path(environment.get(name, "")) for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"))
    # The specification: a relative path here is invalid and is to be ignored.
    if data_dir == defaults.data_dir and data_home.is_absolute():
        data_dir = data_home / "tidegate"
    if cache_dir == defaults.models.cache_dir and cache_home.is_absolute():
        cache_dir = cache_home / "tidegate" / "models"
    server = settings.server
    tls_cert, tls_key = (path and _absolute(path, home) for path in (server.tls_cert, server.tls_key))
    firewall, map_file = settings.firewall, settings.firewall.map_file
    mail, password_file = settings.mail, settings.mail.password_file
    return msgspec.structs.replace(
        settings,
        data_dir=_absolute(data_dir, home),
        server=msgspec.structs.replace(server, tls_cert=tls_cert, tls_key=tls_key),
        models=msgspec.structs.replace(settings.models, cache_dir=_absolute(cache_dir, home)),
        firewall=msgspec.structs.replace(
            firewall, socket=_absolute(firewall.socket, home), map_file=map_file and _absolute(map_file, home)
        ),
        mail=msgspec.structs.replace(mail, password_file=password_file and _absolute(password_file, home)),
    )


def _absolute(path: Path, home: Path) -> Path:
    if path.parts[:1] == ("~",):
        path = home.joinpath(*path.parts[1:])
    return path.absolute()
