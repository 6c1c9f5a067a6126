"""What of the server behind can be reached through the gate, and what kind of work each address is.

Only what is listed: servers of models also have addresses that show what others
ask, that load other models or stop the server, and none of these asks who calls.
An operator may list more. Whatever is posted to an address is taken for work of
the engine; what is only read is not.

An address is served as it is written here, and no other way to write it: what the
server behind would read as another address is not found at all.
"""

from __future__ import annotations

from typing import Final

import httptools

from tidegate.core.admission.facts import Lane
from tidegate.http.gate.lanes import Entry, Wanted

_ASKED: Final = (
    *("/chat/completions", "/completions", "/embeddings", "/responses", "/messages", "/messages/count_tokens"),
    *("/rerank", "/moderations", "/audio/transcriptions", "/audio/translations", "/audio/speech"),
    "/images/generations",
)
_OLLAMAS_ASKED: Final = ("/api/chat", "/api/generate", "/api/embed", "/api/embeddings", "/api/show")
_JUDGED: Final = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/embeddings")
"""Where every server that wants keys wants one; some leave what is not below /v1 open."""
_OLLAMAS_JUDGED: Final = ("/api/chat", "/api/generate")
_READ: Final = ("/models",)
_OLLAMAS_READ: Final = ("/api/tags", "/api/version")
_READ_BELOW: Final = ("/v1/models/", "/models/")

_INFERENCE: Final = Entry(lane=Lane.INFERENCE, wanted=Wanted.KEY, requires_credential=True, is_for_programs=True)
_CALL: Final = Entry(lane=Lane.CALL, wanted=Wanted.KEY, requires_credential=True, is_for_programs=True)
_HEALTH: Final = Entry(lane=Lane.HEALTH)
_NOWHERE: Final = Entry(lane=Lane.PAGE, is_for_programs=True)
_PREFLIGHT: Final = Entry(lane=Lane.CALL)
_READING: Final = frozenset({b"GET", b"HEAD"})
_OWN: Final = frozenset({b"/healthz", b"/readyz"})


class Addresses:
    """The addresses that are passed on. `more` are prefixes, such as `/api/v1/` or `/` for all there is."""

    def __init__(self, more: tuple[str, ...] = ()) -> None:
        """Know them all."""
        both = [prefix + path for prefix in ("/v1", "") for path in _ASKED]
        self._asked = {path.encode() for path in (*both, *_OLLAMAS_ASKED)}
        self._telling = {path.encode() for path in (*_JUDGED, *_OLLAMAS_JUDGED)}
        read = [prefix + path for prefix in ("/v1", "") for path in _READ]
        self._read = {path.encode() for path in (*read, *_OLLAMAS_READ)}
        self._read_below = tuple(path.encode() for path in _READ_BELOW)
        self._more = tuple(path.encode() for path in more)

    def find(self, method: bytes, url: bytes) -> Entry:
        """The kind of work that a request asks for, by its first line."""
        path = url.partition(b"?")[0]
        if b"#" in path or not path.startswith(b"/"):
            # Others may read it as this address and a fragment, or a whole URL: so does the application behind.
            path = _path_of(url)
        if path in _OWN:
            return _HEALTH
        if method == b"POST" and path in self._asked:
            return _INFERENCE
        if method == b"OPTIONS":
            return _PREFLIGHT
        if not is_plain(path):
            return _NOWHERE
        is_read = path in self._read or path.startswith(self._read_below)
        if method in _READING and (is_read or path.startswith(self._more)):
            return _CALL
        return _INFERENCE if path.startswith(self._more) else _NOWHERE

    def tells(self, path: bytes) -> bool:
        """Whether the answer of an address tells if a key is accepted: some are open to anybody on any server."""
        return path in self._telling

    def methods(self, path: bytes) -> tuple[str, ...]:
        """By which methods an address is passed on."""
        found = {name for name in ("GET", "POST") if self.find(name.encode(), path) not in {_NOWHERE, _HEALTH}}
        return tuple(sorted(found))

    @staticmethod
    def is_served(entry: Entry) -> bool:
        """Whether a request of this kind is passed on."""
        return entry is _INFERENCE or entry is _CALL


def _path_of(url: bytes) -> bytes:
    try:
        path: bytes | None = httptools.parse_url(url).path
    except httptools.HttpParserInvalidURLError:
        return b""
    return path or b""


def is_plain(path: bytes) -> bool:
    """Whether everybody reads an address the same way: nothing in it is encoded, doubled, or leads upwards."""
    is_odd = b"%" in path or b"//" in path or b"\\" in path or b";" in path or b"/." in path
    return path.startswith(b"/") and not is_odd
