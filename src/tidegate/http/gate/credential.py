"""Finds in a request's headers who it says it is from, and whether this service has ever said so.

What is genuine is remembered by its text, so that a known caller costs one
look-up; a forgery is not remembered, or it would be memory for anybody to fill.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tidegate.core.admission.facts import Bearing
from tidegate.core.credentials import Forged, Genuine, Kind, ServerKeys, read
from tidegate.http import cookies
from tidegate.http.gate.lanes import Wanted

Headers = Sequence[tuple[bytes, bytes]]
"""As ASGI has them: names in lower case."""

MOST_REMEMBERED: Final = 8192
_COOKIE: Final = cookies.SESSION.encode() + b"="
_API_KEY: Final = Kind.API_KEY
_NOTHING: Final = Bearing.NOTHING
_FORGED: Final = Bearing.FORGED
_MOST_COOKIES: Final = 4  # A browser sends two at most; a flood would send a thousand to be checked.


class Credentials:
    """Reads keys and sessions."""

    def __init__(self, server_keys: ServerKeys, *, most: int = MOST_REMEMBERED) -> None:
        """Remember at most so many genuine ones; the first remembered are the first forgotten."""
        self._server_keys = server_keys
        self._most = most
        self._genuine: dict[tuple[Kind, bytes], Genuine] = {}

    def find(self, headers: Headers, wanted: Wanted) -> Genuine | Bearing:
        """The genuine credential that counts on a route, or what there is instead."""
        shown = _NOTHING
        for name, value in headers:
            if name == b"authorization" and wanted is not Wanted.SESSION:
                found = self._of_key(value)
            elif name == b"cookie" and wanted is not Wanted.KEY:
                found = self._of_cookies(value)
            else:
                continue
            if not isinstance(found, Bearing):
                return found
            if found is _FORGED:
                shown = found
        return shown

    @property
    def remembered(self) -> int:
        """How many genuine credentials are remembered."""
        return len(self._genuine)

    def _of_key(self, value: bytes) -> Genuine | Bearing:
        word, _, text = value.partition(b" ")
        if not text or (word != b"Bearer" and word.lower() != b"bearer"):
            return _NOTHING
        return self._read(_API_KEY, text.strip()) or _FORGED

    def _of_cookies(self, value: bytes) -> Genuine | Bearing:
        shown = Bearing.NOTHING
        for text in _sessions(value):
            found = self._read(Kind.SESSION, text)
            if found is not None:
                return found
            shown = Bearing.FORGED
        return shown

    def _read(self, kind: Kind, text: bytes) -> Genuine | None:
        known = self._genuine.get((kind, text))
        if known is not None:
            return known
        found = read(text.decode("latin-1"), kind, self._server_keys)
        if isinstance(found, Forged):
            return None
        if len(self._genuine) >= self._most:
            del self._genuine[next(iter(self._genuine))]
        self._genuine[kind, text] = found
        return found


def _sessions(value: bytes) -> Iterator[bytes]:
    """The values of the session's cookie under either name, as lenient as the door that reads them later."""
    at = 0
    for _ in range(_MOST_COOKIES):
        at = value.find(_COOKIE, at)
        if at < 0:
            return
        at += len(_COOKIE)
        end = value.find(b";", at)
        yield (value[at:] if end < 0 else value[at:end]).strip(b' \t"')
