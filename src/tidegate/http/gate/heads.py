"""Reads plain requests for all connections on which nothing is under way: one parser for all of them.

Most of what a flood sends is one request in one piece, of which nothing is kept.
The parser here stands at the beginning of a message before and after each of
those, and belongs to no connection. What is read here is used to refuse only:
whoever is let in is read once more by their own connection's parser.

Whatever is not plain is left to that parser: a head in pieces or beyond
`PLAIN_LIMIT_BYTES`, more than one request in a piece, what cannot be read, what
would be an upgrade, a version other than 1.1, and every field by which a message
could be framed, or its connection ended, in another way than by `content-length`
and `connection: close`. So one parser, llhttp, says where a message ends, here
as there, and this one is thrown away when it does not stand at a beginning.
"""

from __future__ import annotations

from itertools import count
from typing import Final

import httptools
import msgspec

PLAIN_LIMIT_BYTES: Final = 4096
FIELD_LIMIT: Final = 100
BODY_LIMIT_BYTES: Final = 65536
"""Beyond this the connection ends with a refusal, which is not plain."""

_ODD: Final = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"proxy-connection"})
_END: Final = b"\r\n\r\n"
_VERSION: Final = b" HTTP/1.1\r\n"

# How far the marks move on while a piece is read: one for a beginning, a head, an end, and one for looking.
_HEADED: Final = 3
_ENDED: Final = 4


class Plain(msgspec.Struct, frozen=True, gc=False):
    """A request whose head is there. `body_bytes` is all of its body, `here_bytes` what of that has come.

    `is_last`: its sender wants the connection to end with it.
    """

    method: bytes
    url: bytes
    headers: list[tuple[bytes, bytes]]
    fields: dict[bytes, bytes]
    is_last: bool
    body_bytes: int
    here_bytes: int


class Heads:
    """Not to be shared between threads. What begins with `on_` is the parser's to call."""

    def __init__(self) -> None:
        """Stand at the beginning of a message."""
        self._urls: list[bytes] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._here_bytes = 0
        self.on_url = self._urls.append
        # What need only be counted is counted without a function of ours.
        self._mark = self.on_message_begin = self.on_headers_complete = self.on_message_complete = count().__next__
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._parser = new_parser(self)
        # The next request is another connection's, whatever this one said of its own.
        self._parser.set_dangerous_leniencies(lenient_keep_alive=True)
        self._urls.clear()
        self._marks = self._mark()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one more field."""
        self._headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        """Count a piece of the body."""
        self._here_bytes += len(body)

    def read(self, data: bytes) -> Plain | None:
        """The one plain request that a piece holds or begins; None when it holds anything else."""
        size = len(data)
        headers: list[tuple[bytes, bytes]] = []
        self._headers = headers
        self._here_bytes = 0
        try:
            if size <= PLAIN_LIMIT_BYTES:
                self._parser.feed_data(data)
            else:
                # What belongs to a large body is counted and not shown to the parser, which would copy it.
                head_bytes = data.find(_END, 0, PLAIN_LIMIT_BYTES) + len(_END)
                self._parser.feed_data(data[:head_bytes])
                self._here_bytes += size - head_bytes
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._begin_anew()
            return None
        marks = self._mark()
        moved, self._marks = marks - self._marks, marks
        method = self._parser.get_method()
        urls = self._urls
        if moved == _ENDED:
            url = urls.pop()
        else:
            url = urls[0] if moved == _HEADED else b""
            self._begin_anew()
        if not url or len(headers) > FIELD_LIMIT:
            return None
        fields = dict(headers)
        if not _ODD.isdisjoint(fields) or not data.startswith(_VERSION, len(method) + len(url) + 1):
            return None
        is_last = False
        if b"connection" in fields:
            wish = fields[b"connection"].lower()
            is_last = wish == b"close"
            if not is_last and wish != b"keep-alive":
                return None
        here_bytes, body_bytes = self._here_bytes, 0
        if moved != _ENDED or here_bytes:
            body_bytes = int(fields.get(b"content-length", 0))
            if not 0 < body_bytes <= BODY_LIMIT_BYTES or here_bytes > body_bytes:
                return None  # Beyond its end something else begins.
        return Plain(method, url, headers, fields, is_last, body_bytes, here_bytes)


def new_parser(told: object) -> httptools.HttpRequestParser:
    """A parser as uvicorn makes it, that calls what `told` has of its callbacks."""
    parser = httptools.HttpRequestParser(told)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser
