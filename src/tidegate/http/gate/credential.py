"""Finds in a request's headers who it says it is from, and whether this service has ever said so.

What is genuine is remembered by its text, so that a known caller costs one
look-up; a forgery is not remembered, or it would be memory for anybody to fill.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tidegate.core.admission.facts import Bearing
from tidegate.core.credentials import Forged, Genuine, Kind, ServerKeys, read
from tidegate.core.entering import devices
from tidegate.core.entering.devices import Device
from tidegate.http import cookies
from tidegate.http.gate.lanes import Wanted

Headers = Sequence[tuple[bytes, bytes]]
"""As ASGI has them: names in lower case."""

MOST_REMEMBERED: Final = 8192
_SESSION: Final = cookies.SESSION.encode()
_DEVICE: Final = cookies.DEVICE.encode()
_TICKET: Final = cookies.TICKET.encode()
_API_KEY: Final = Kind.API_KEY
_NOTHING: Final = Bearing.NOTHING
_FORGED: Final = Bearing.FORGED
_MOST_COOKIES: Final = 64  # A browser sends two at most; a flood would send thousands to be looked through.


class Credentials:
    """Reads keys and sessions."""

    shown_in = frozenset({b"authorization", b"cookie"})

    def __init__(self, server_keys: ServerKeys, *, most: int = MOST_REMEMBERED) -> None:
        """Remember at most so many genuine ones; the first remembered are the first forgotten."""
        self._server_keys = server_keys
        self._most = most
        self._genuine: dict[tuple[Kind, bytes], Genuine] = {}

    def find(self, headers: Headers, wanted: Wanted) -> Genuine | Bearing:
        """The genuine credential that counts on a route, or what there is instead."""
        lines: list[bytes] = []
        shown = _NOTHING
        for name, value in headers:
            if name == b"authorization" and wanted is not Wanted.SESSION:
                found = self._of_key(value)
                # The first one counts, as at the door behind this.
                if wanted is Wanted.KEY or not isinstance(found, Bearing):
                    return found
                shown = found if found is _FORGED else shown
            elif name == b"cookie" and wanted is not Wanted.KEY:
                lines.append(value)
        text = _cookie(b";".join(lines), _SESSION) if lines else None
        if text is None:
            return shown
        return self._read(Kind.SESSION, text) or _FORGED

    @property
    def remembered(self) -> int:
        """How many genuine credentials are remembered."""
        return len(self._genuine)

    def _of_key(self, value: bytes) -> Genuine | Bearing:
        word, _, text = value.partition(b" ")
        if not text or (word != b"Bearer" and word.lower() != b"bearer"):
            return _NOTHING
        return self._read(_API_KEY, text.strip()) or _FORGED

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


class Marks:
    """Reads the marks of devices: nothing of them is remembered, each costs one hash."""

    def __init__(self, server_keys: ServerKeys, lasts_s: float) -> None:
        """They count for so long after they were made."""
        self._server_keys = server_keys
        self._lasts_s = lasts_s

    def find(self, headers: Headers, now: float) -> tuple[Device, ...]:
        """Those that a request shows, at most a few, the one used last first."""
        lines = [value for name, value in headers if name == b"cookie" and _DEVICE in value]
        text = _cookie(b";".join(lines), _DEVICE) if lines else None
        if text is None:
            return ()
        return devices.read(text.decode("latin-1"), self._server_keys, now=now, lasts_s=self._lasts_s)


class Turns:
    """Reads tickets of the waiting room. `is_turn` tells what one is known by whose turn has come."""

    def __init__(self, is_turn: Callable[[str], bytes | None]) -> None:
        """Nothing is remembered: each costs two hashes."""
        self._is_turn = is_turn

    def find(self, headers: Headers) -> bytes | None:
        """What the ticket is known by that a request shows, if its turn has come."""
        lines = [value for name, value in headers if name == b"cookie" and _TICKET in value]
        text = _cookie(b";".join(lines), _TICKET) if lines else None
        return None if text is None else self._is_turn(text.decode("latin-1"))


def _cookie(value: bytes, wanted: bytes) -> bytes | None:
    """A cookie as the door behind this reads it.

    By its whole name, the one that no other host can plant before the plain
    one, and of those that come twice the last: a cookie that somebody else
    planted must not stand in a person's way.
    """
    plain = None
    sought = wanted + b"="
    at = len(value)
    for _ in range(_MOST_COOKIES):
        at = value.rfind(sought, 0, at)
        if at < 0:
            break
        end = at + len(sought)
        name = value[value.rfind(b";", 0, at) + 1 : end - 1].strip()
        text = value[end:].partition(b";")[0].strip(b' \t"')
        if name == b"__Host-" + wanted:
            return text
        if name == wanted and plain is None:
            plain = text
    return plain
