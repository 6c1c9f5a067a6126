"""Which kind of work a request asks for, told by its method and address before anything else is looked at.

Made of the route tables that are served, and of the same patterns: an address
that leads to a route leads to its lane, however it is written.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

import httptools
import msgspec
from starlette.routing import compile_path

from tidegate.core.admission.facts import Lane
from tidegate.core.events import RouteKind
from tidegate.http.routes import Route


class Wanted(StrEnum):
    """Which credential counts: a route's door looks at one only, an open address may be shown either."""

    KEY = "key"
    SESSION = "session"
    EITHER = "either"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate must know of a route. `is_for_programs`: pages of other sites may read its answers."""

    lane: Lane
    wanted: Wanted = Wanted.EITHER
    requires_credential: bool = False
    is_for_programs: bool = False


_NOWHERE: Final = Entry(lane=Lane.PAGE)
_NOWHERE_IN_API: Final = Entry(lane=Lane.PAGE, is_for_programs=True)
# A browser asks before it calls, and shows nobody's key or session in doing so.
_PREFLIGHT: Final = Entry(lane=Lane.CALL)

_Methods = dict[bytes, Entry]


class Lanes:
    """Every served address. Knows nothing of what is not served: that is a cheap page for anybody."""

    def __init__(self, tables: Iterable[tuple[Iterable[Route[Any]], Iterable[str]]]) -> None:
        """Take the tables, each with the prefixes that it is served under."""
        self._plain: dict[bytes, _Methods] = {}
        patterns: dict[str, _Methods] = {}
        for table, prefixes in tables:
            for route in table:
                for prefix in prefixes:
                    self._add(prefix + route.path, route, patterns)
        self._patterns = [(compile_path(path)[0], methods) for path, methods in patterns.items()]

    def _add(self, path: str, route: Route[Any], patterns: dict[str, _Methods]) -> None:
        methods = patterns.setdefault(path, {}) if "{" in path else self._plain.setdefault(path.encode(), {})
        methods[route.method.encode()] = entry = _entry(route)
        if route.method == "GET":
            methods[b"HEAD"] = entry

    def find(self, method: bytes, url: bytes) -> Entry:
        """The route of a request, by method and address as its first line has them."""
        methods = self._plain.get(url)
        if methods is not None:
            found = methods.get(method)
            if found is not None:
                return found
        if method == b"OPTIONS":
            return _PREFLIGHT
        return self._search(method, url)

    def _search(self, method: bytes, url: bytes) -> Entry:
        path = path_of(url)
        methods = self._plain.get(path.encode("utf-8", "surrogatepass"))
        if methods is None:
            methods = next((methods for pattern, methods in self._patterns if pattern.match(path)), None)
        if methods is not None and method in methods:
            return methods[method]
        return _NOWHERE_IN_API if path.startswith("/v1/") else _NOWHERE


def path_of(url: bytes) -> str:
    """The path as the application will see it: decoded, and matched by patterns that overlook one last newline."""
    try:
        path: str = httptools.parse_url(url).path.decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
        # uvicorn will refuse it; another server may have its own idea of it, and has seen to it that it is a path.
        path = url.partition(b"?")[0].decode("latin-1")
    if "%" in path:
        path = urllib.parse.unquote(path)
    return path.removesuffix("\n")


def _entry(route: Route[Any]) -> Entry:
    wanted = Wanted.EITHER
    if route.scope is not None:
        wanted = Wanted.KEY
    elif route.role is not None:
        wanted = Wanted.SESSION
    return Entry(
        lane=lane_of(route),
        wanted=wanted,
        requires_credential=wanted is not Wanted.EITHER,
        is_for_programs=wanted is Wanted.KEY,
    )


def lane_of(route: Route[Any]) -> Lane:
    """The lane that a route names, or else the one of its kind."""
    if route.lane is not None:
        return route.lane
    if route.kind is RouteKind.CHAT:
        return Lane.INFERENCE
    is_call = route.kind is RouteKind.OTHER and (route.scope is not None or route.role is not None)
    return Lane.CALL if is_call else Lane.PAGE
