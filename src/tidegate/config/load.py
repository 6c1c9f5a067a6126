"""Reads settings: defaults, then the TOML file, then the environment, then the command line.

`TIDEGATE_ENGINE_SLOTS=8` sets `engine.slots`. Every error names the key, the
value and the fix.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from tidegate.config.engine_settings import EngineUpstream
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

_TABLES = {"engines": EngineUpstream}
"""Arrays of tables, and what each table is."""

_SECRET_KEYS = {"models.hub_token", "database_url", "firewall.webhook_secret", "engines[].key_env", "engines[].url"}
"""Where a secret belongs, or is put by mistake."""


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
    for name, key, text in _environment_values(environment):
        _set(values, key, text, source=name)
    for dotted, value in (overrides or {}).items():
        if value is not None:
            _set(values, tuple(dotted.split(".")), value, source=dotted)
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(str(error), values)) from None
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
        settings = msgspec.convert({"data_dir": found} if found else {}, Settings, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(str(error), {"data_dir": found})) from None
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
            msg = f"{name}: no such setting{_suggest(name, known, _PREFIX)}"
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


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, (str, Path)):
        return Path(value)
    raise NotImplementedError  # So msgspec wants to be told of a type that is not known here.


def _explain(message: str, values: dict[str, Any]) -> str:
    what, _, where = message.partition(" - at `$")
    key = where.strip("`").lstrip(".")
    unknown = re.search(r"unknown field `([^`]+)`", what)
    if unknown:
        full = ".".join(filter(None, (key, unknown[1])))
        at = re.search(r"\[\d+\]", full)
        suggestion = _suggest(_anywhere(full), _names())
        return f"{full}: no such setting{suggestion.replace('[]', at[0]) if at else suggestion}"
    value: Any = values
    for part in re.findall(r"[^.\[\]]+", key):
        if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = value.get(part) if isinstance(value, dict) else None
    # A table of the wrong kind is not shown either when a secret belongs into it.
    place = _anywhere(key)
    is_secret = any(secret == place or secret.startswith((f"{place}.", f"{place}[")) for secret in _SECRET_KEYS)
    shown = "" if is_secret or value is None else f" = {value!r}"
    return f"{key or 'settings'}{shown}: {what[:1].lower()}{what[1:]}"


def _anywhere(key: str) -> str:
    """A dotted key without the numbers of the tables that it leads through."""
    return re.sub(r"\[\d+\]", "[]", key)


def _names() -> set[str]:
    """Every setting and every table, as they are written with dots."""
    names = {".".join(key[:length]) for key in setting_keys() for length in range(1, len(key) + 1)}
    return names | {f"{table}[].{field}" for table, kind in _TABLES.items() for field in kind.__struct_fields__}


def _suggest(name: str, known: Iterable[str], prefix: str = "") -> str:
    # Without the prefix that all of them share: it would make any two of them look alike.
    rests = {one.removeprefix(prefix) for one in known}
    given = name.removeprefix(prefix)
    close = [one for one in difflib.get_close_matches(given, sorted(rests), n=len(rests)) if _is_slip(given, one)]
    return f"; did you mean {prefix}{close[0]}?" if close else "; see docs/reference/configuration.md"


def _is_slip(given: str, meant: str) -> bool:
    """Whether also what follows the words that both begin with is alike: `gate.foo` is no slip of `gate.allow`."""
    differing = (at for at, pair in enumerate(zip(given, meant, strict=False)) if pair[0] != pair[1])
    differing_at = next(differing, min(len(given), len(meant)))
    word_at = max(given.rfind(mark, 0, differing_at) for mark in "._") + 1
    is_alike = bool(difflib.get_close_matches(given[word_at:], [meant[word_at:]]))
    return is_alike and given.count(".") == meant.count(".")


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
    return msgspec.structs.replace(
        settings,
        data_dir=_absolute(data_dir, home),
        server=msgspec.structs.replace(server, tls_cert=tls_cert, tls_key=tls_key),
        models=msgspec.structs.replace(settings.models, cache_dir=_absolute(cache_dir, home)),
        firewall=msgspec.structs.replace(
            firewall, socket=_absolute(firewall.socket, home), map_file=map_file and _absolute(map_file, home)
        ),
    )


def _absolute(path: Path, home: Path) -> Path:
    if path.parts[:1] == ("~",):
        path = home.joinpath(*path.parts[1:])
    return path.absolute()
