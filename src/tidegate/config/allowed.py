"""What each setting may be, in words: read off its declaration, so that the two cannot differ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import inspect

_WORDS: Final[dict[type[inspect.Type], str]] = {
    inspect.BoolType: "true or false",
    inspect.CustomType: "a path in quotes",  # The only kind that is not msgspec's own.
}


def allowed(kind: inspect.Type) -> str:
    """Say in words what may stand there. A declaration's own words (`Meta(extra={"allowed": ...})`) come first."""
    if isinstance(kind, inspect.Metadata):
        given = (kind.extra or {}).get("allowed")
        return given if isinstance(given, str) else allowed(kind.type)
    if isinstance(kind, inspect.UnionType):
        return " or ".join(allowed(one) for one in kind.types if not isinstance(one, inspect.NoneType))
    if isinstance(kind, inspect.LiteralType):
        return one_of(map(str, kind.values))
    match kind:
        case inspect.IntType() | inspect.FloatType():
            return _number(kind)
        case inspect.StrType():
            return _text(kind)
        case inspect.VarTupleType():
            return _list(kind)
    return _WORDS.get(type(kind), "a table of settings")


def one_of(words: Iterable[str]) -> str:
    """Name the only values that there are, as they are written."""
    *most, last = [repr(word) for word in words]
    return f"{', '.join(most)} or {last}"


def _number(kind: inspect.IntType | inspect.FloatType) -> str:
    what = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
    if kind.gt is not None:
        return f"{what} above {_plain(kind.gt)}" + (f", {_plain(kind.le)} at most" if kind.le is not None else "")
    if kind.ge is not None and kind.le is not None:
        return f"{what} from {_plain(kind.ge)} to {_plain(kind.le)}"
    return what


def _text(kind: inspect.StrType) -> str:
    if kind.max_length is not None:
        return f"text in quotes, 1 to {kind.max_length} characters"
    return "text in quotes" + (" that is not empty" if kind.min_length else "")


def _list(kind: inspect.VarTupleType) -> str:
    inner = kind.item_type
    while isinstance(inner, inspect.Metadata):
        inner = inner.type
    if isinstance(inner, inspect.StructType):
        return "a table for each, under double brackets"
    most = "" if kind.max_length is None else f", {kind.max_length} at most"
    return f"a list, such as ['one', 'two']{most}"


def _plain(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else str(bound)
