"""Says what is wrong with a setting in one sentence: its key, its value, what is allowed, and where to mend it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import inspect

from tidegate.config.allowed import allowed

_SECRET_KEYS: Final = frozenset(
    {
        *("models.hub_token", "database_url", "firewall.webhook_secret", "engines[].key_env", "engines[].url"),
        "mail.password",
    }
)
"""Where a secret belongs, or is put by mistake."""

_MOST_SHOWN: Final = 80
_BY_RANGE_OR_KIND: Final = ("Expected ", "Invalid enum value")
_MOST_LISTED: Final = 12


def sentence(
    message: str, values: Mapping[str, Any], root: type[msgspec.Struct], origins: Mapping[str, str] | None = None
) -> str:
    """Turn what msgspec says of `values`, which are no `root`, into words.

    `origins` names the environment variables that settings were taken from.
    """
    what, _, where = message.partition(" - at `$")
    key = where.strip("`").lstrip(".")
    unknown = re.search(r"unknown field `([^`]+)`", what)
    if unknown:
        full = _joined(key, unknown[1])
        return f"{full}: no such setting{_meant(full, root)}"
    missing = re.search(r"missing required field `([^`]+)`", what)
    if missing:
        full = _joined(key, missing[1])
        return f"{full}: is missing; set it to {allowed_at(full, root)}"
    if not what.startswith(_BY_RANGE_OR_KIND):
        return _joined(key, what)  # A table's own check: it names the setting, the value and the fix itself.
    value = _value(values, key)
    origin = next((f" (in {name})" for start, name in (origins or {}).items() if _is_in(key, start)), "")
    shown = "" if value is None or _may_be_secret(key) else f" = {_shown(value)}"
    return f"{key or 'settings'}{shown}{origin}: expected {_expected(key, value, root)}"


def allowed_at(key: str, root: type[msgspec.Struct]) -> str:
    """Say in words what this setting of `root` may be."""
    return allowed(_declared(key, root))


def suggestion(name: str, known: Iterable[str], prefix: str = "") -> str | None:
    """Find the one that may have been meant. What all begin with, the `prefix`, would make any two look alike."""
    rests = {one.removeprefix(prefix) for one in known}
    given = name.removeprefix(prefix)
    close = [one for one in difflib.get_close_matches(given, sorted(rests), n=len(rests)) if _is_slip(given, one)]
    return prefix + close[0] if close else None


def _meant(full: str, root: type[msgspec.Struct]) -> str:
    place = _anywhere(full)
    table, _, name = place.rpartition(".")
    names = names_of(root)
    # The very word, where only one other table has it: `port` is server.port.
    elsewhere = [one for one in names if one.rpartition(".")[2] == name]
    found = suggestion(place, names) or (elsewhere[0] if len(elsewhere) == 1 else None)
    if found is not None:
        at = re.search(r"\[\d+\]", full)
        found = found.replace("[]", at[0]) if at else found.replace("engines[].", "[[engines]] ")
        return f"; did you mean {found}?"
    beside = sorted(one.rpartition(".")[2] for one in names if table and one.rpartition(".")[0] == table)
    if 0 < len(beside) <= _MOST_LISTED:
        return f"; there are {', '.join(beside)}"
    return "; see docs/reference/configuration.md"


def _expected(key: str, value: object, root: type[msgspec.Struct]) -> str:
    declared = _declared(key, root)
    if isinstance(value, dict) and key == "engines":
        return "a table for each server: write [[engines]], not [engines]"
    if isinstance(value, str) and isinstance(_bare(declared), inspect.VarTupleType) and not _may_be_secret(key):
        return f"a list: write [{_shown(value)}]"
    if isinstance(_bare(declared), inspect.StructType) and "[" not in key:
        return f"a table: write [{key}], and its settings below"
    default = _default(key, root)
    words = allowed(declared)
    if default is None or isinstance(default, (msgspec.Struct, tuple)) or default == "":
        return words
    return f"{words}; left out, it is {_shown(default)}"


def _declared(key: str, root: type[msgspec.Struct]) -> inspect.Type:
    """How the setting of this key is declared."""
    kind = _told(root)
    for part in re.findall(r"[^.\[\]]+", key):
        bare = _bare(kind)
        if isinstance(bare, inspect.VarTupleType) and part.isdecimal():
            kind = bare.item_type
        elif isinstance(bare, inspect.StructType):
            kind = next(field.type for field in bare.fields if field.encode_name == part)
    return kind


def _bare(kind: inspect.Type) -> inspect.Type:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    return kind


def _default(key: str, root: type[msgspec.Struct]) -> object:
    if "[" in key:
        return None
    value: object = root()
    for part in filter(None, key.split(".")):
        value = getattr(value, part)
    return str(value) if isinstance(_bare(_declared(key, root)), inspect.CustomType) else value


def _value(values: Mapping[str, Any], key: str) -> Any:
    value: Any = values
    for part in re.findall(r"[^.\[\]]+", key):
        if isinstance(value, (list, tuple)) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value).removesuffix(".0")
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _may_be_secret(key: str) -> bool:
    # A table of the wrong kind is not shown either when a secret belongs into it.
    place = _anywhere(key)
    return any(secret == place or secret.startswith((f"{place}.", f"{place}[")) for secret in _SECRET_KEYS)


def _is_in(key: str, start: str) -> bool:
    return key == start or key.startswith((f"{start}.", f"{start}["))


def _joined(table: str, name: str) -> str:
    return ".".join(filter(None, (table, name)))


def _anywhere(key: str) -> str:
    """A dotted key without the numbers of the tables that it leads through."""
    return re.sub(r"\[\d+\]", "[]", key)


@lru_cache(maxsize=4)
def names_of(root: type[msgspec.Struct]) -> tuple[str, ...]:
    """Every setting and every table, as they are written with dots; `[]` stands for the number of a table."""
    return tuple(_names(_told(root), ""))


@lru_cache(maxsize=4)
def _told(root: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(root)


def _names(kind: inspect.Type, prefix: str) -> Iterable[str]:
    for field in kind.fields if isinstance(kind, inspect.StructType) else ():
        name, bare = f"{prefix}{field.encode_name}", _bare(field.type)
        yield name
        if isinstance(bare, inspect.VarTupleType):
            name, bare = f"{name}[]", _bare(bare.item_type)
        yield from _names(bare, f"{name}.")


def _is_slip(given: str, meant: str) -> bool:
    """Whether also what follows the words that both begin with is alike: `gate.foo` is no slip of `gate.allow`."""
    differing = (at for at, pair in enumerate(zip(given, meant, strict=False)) if pair[0] != pair[1])
    differing_at = next(differing, min(len(given), len(meant)))
    word_at = max(given.rfind(mark, 0, differing_at) for mark in "._") + 1
    is_alike = bool(difflib.get_close_matches(given[word_at:], [meant[word_at:]]))
    return is_alike and given.count(".") == meant.count(".")
