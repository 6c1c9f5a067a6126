"""Which address a request comes from, when trusted proxies stand in front.

A proxy names the caller in X-Forwarded-For or in Forwarded (RFC 7239): each
hop appends the address that it saw, so the list is true from the right as far
as the hops are trusted, and everything left of that is whatever the caller
wrote. The client is therefore the rightmost address that is not a trusted
proxy's. What an untrusted peer says is not read at all.

The walk ends early at an element that names no address (garbage, nothing,
`unknown`, an obfuscated `_name`) and after `MOST_HOPS`: then the last trusted
hop before it is the client. It also is when all of them are trusted.

When both headers are there, only one of them is our proxy's and the other may
have passed through from the caller; nothing tells which is which. So they count
only where they agree. If they do not, the peer itself is the client: a caller
who adds a header of its own is counted among all others who did, under the
proxy's address, and never under the address of anybody else.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from tidegate.core.admission.addresses import Networks

MOST_HOPS: Final = 32
ELEMENT_LIMIT_BYTES: Final = 512

_X_FORWARDED_FOR: Final = b"x-forwarded-for"
_FORWARDED: Final = b"forwarded"
_NAME_SIZES: Final = frozenset((len(_X_FORWARDED_FOR), len(_FORWARDED)))
_MAPPED: Final = b"\0" * 10 + b"\xff\xff"  # RFC 4291 section 2.5.5.2
_IPV4_BYTES: Final = 4

# RFC 7239 section 4 with RFC 9110 section 5.6: token=token or token="quoted", separated by semicolons.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*"'
_PAIR = re.compile(rb"[ \t]*(%b)=(%b|%b)[ \t]*(?:;|\Z)" % (_TOKEN, _TOKEN, _QUOTED))
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_HIDDEN_QUOTE = re.compile(rb"\\[\"\\]")
# An address with or without a port; brackets only around IPv6, a port after IPv6 only with brackets.
_NODE = re.compile(rb"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?|([0-9A-Fa-f:.]+)")


def packed(text: str) -> bytes | None:
    """An address as 4 or 16 bytes, an IPv4-mapped one as 4; None for what is no address."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        return unmapped(socket.inet_pton(family, text.partition("%")[0]))
    except (OSError, ValueError):
        return None


def unmapped(address: bytes) -> bytes:
    """The IPv4 address that an IPv4-mapped IPv6 address stands for; any other as it is."""
    return address[len(_MAPPED) :] if len(address) > _IPV4_BYTES and address.startswith(_MAPPED) else address


class Clients:
    """Knows the trusted proxies, and finds the client behind them."""

    def __init__(self, trusted: tuple[IPv4Network | IPv6Network, ...]) -> None:
        """Any number of networks; one look-up costs one bisection."""
        self._trusted = Networks(map(str, trusted))
        self._has_trusted = bool(self._trusted)

    def trusts(self, peer: bytes) -> bool:
        """Whether a packed address is a trusted proxy's."""
        return self._has_trusted and peer in self._trusted

    def client(self, peer: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        """The client's packed address: the peer's own, unless a trusted proxy names another."""
        peer = unmapped(peer)
        if not self.trusts(peer):
            return peer
        lists: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            if len(name) in _NAME_SIZES and (lowered := name.lower()) in {_X_FORWARDED_FOR, _FORWARDED}:
                lists.setdefault(lowered, []).append(value)
        found = [self._walk(peer, _READERS[name](lines)) for name, lines in lists.items()]
        return found[0] if found and found.count(found[0]) == len(found) else peer

    def _walk(self, peer: bytes, named: Iterator[bytes | None]) -> bytes:
        hop = peer
        for _, address in zip(range(MOST_HOPS), named, strict=False):
            if address is None:
                return hop
            hop = address
            if not self.trusts(hop):
                return hop
        return hop


def _x_forwarded_for(lines: list[bytes]) -> Iterator[bytes | None]:
    """Read X-Forwarded-For from the right."""
    for line in reversed(lines):
        # One more than may be read: the rest of a long line stays in one piece, unread.
        for element in reversed(line.rsplit(b",", MOST_HOPS)):
            yield _address(element.strip(b" \t"))


def _forwarded(lines: list[bytes]) -> Iterator[bytes | None]:
    """Read Forwarded from the right."""
    for line in reversed(lines):
        end = len(line)
        while end >= 0:
            begin = _last_element_at(line, end)
            yield None if begin is None else _named(line[begin:end])
            if begin is None:
                return
            end = begin - 1


_READERS: Final = {_X_FORWARDED_FOR: _x_forwarded_for, _FORWARDED: _forwarded}


def _last_element_at(line: bytes, end: int) -> int | None:
    """Where the last element before `end` begins; None when it is too long.

    A comma within quotes separates nothing. Read from the left, one quote left open by the
    caller would swallow what our proxy has appended; read from the right it cannot.
    """
    floor = max(0, end - ELEMENT_LIMIT_BYTES)
    # Once, and counted on from comma to comma: a caller may have written nothing but commas and quotes.
    window = _HIDDEN_QUOTE.sub(b"__", line[floor:end])
    cut, quotes = len(window), 0
    while True:
        comma = window.rfind(b",", 0, cut)
        quotes += window.count(b'"', comma + 1, cut)
        if comma < 0:
            return 0 if floor == 0 else None
        if quotes % 2 == 0:
            return floor + comma + 1
        cut = comma


def _named(element: bytes) -> bytes | None:
    """The address in the `for` of one element of Forwarded."""
    found, at = None, 0
    while at < len(element):
        pair = _PAIR.match(element, at)
        if pair is None:
            return None
        at = pair.end()
        if pair[1].lower() == b"for":
            if found is not None:
                return None  # Twice in one element: RFC 7239 section 4 forbids it.
            found = pair[2]
    if found is None:
        return None
    if found.startswith(b'"'):
        found = _QUOTED_PAIR.sub(rb"\1", found[1:-1])
    return _address(found)


def _address(node: bytes) -> bytes | None:
    match = _NODE.fullmatch(node)
    if match is None:
        return None
    bracketed, plain, bare = match.groups()
    if bracketed is not None and b":" not in bracketed:
        return None
    return packed((bracketed or plain or bare).decode("ascii"))
