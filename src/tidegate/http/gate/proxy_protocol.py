"""The PROXY protocol header with which a trusted proxy begins a connection, versions 1 and 2.

By https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt: the receiver is
told to expect the header and must not guess whether there is one. So a trusted
peer's connection begins with a valid header or is closed without a word; an
untrusted peer's is never read here, and what it sends is HTTP or an error.

Nothing of it is kept: version 1 ends within 107 bytes, version 2 says its
length, of which at most `HEADER_LIMIT_BYTES` are accepted. Checksums and other
extensions (TLVs) are skipped.

Ours because it is the framing that matters here: what the library on PyPI takes
is a whole header and nothing behind it, and that is most of the work.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from tidegate.http.gate.clients import packed, unmapped

HEADER_LIMIT_BYTES: Final = 4096
LINE_LIMIT_BYTES: Final = 107  # section 2.1, the CRLF included

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_LINE_START: Final = b"PROXY "
_HEADER = struct.Struct("!12sBBH")  # signature, version and command, family and transport, length of the rest
_PROXY, _LOCAL = 0x21, 0x20
_UNSPEC, _TCP4, _TCP6 = 0x00, 0x11, 0x21
_ADDRESSES = {_TCP4: struct.Struct("!4s4sHH"), _TCP6: struct.Struct("!16s16sHH")}
_LINE = re.compile(rb"PROXY TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})\r\n")
_UNKNOWN_LINE = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")
_PORT_MOST: Final = 65535


class ProxyHeader:
    """Reads one connection's header. Use it until it answers, then never again."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, data: bytes) -> tuple[bytes | None, bytes] | None:
        """Take the next bytes; None while more are needed, then the client's address and the bytes behind the header.

        The address is packed (4 or 16 bytes), None when the proxy speaks for itself or does not
        know: then the peer is the client. Raises ValueError for anything else than a valid header.
        """
        data = self._kept + data
        size = min(len(data), len(_SIGNATURE))
        if data[:size] == _SIGNATURE[:size]:
            answer = _read_binary(data)
        elif data[: len(_LINE_START)] == _LINE_START[: len(data)]:
            answer = _read_line(data)
        else:
            msg = "no PROXY protocol header"
            raise ValueError(msg)
        # Never more than the limits: whoever has not answered by then has raised.
        self._kept = b"" if answer else data
        return answer


def _read_line(data: bytes) -> tuple[bytes | None, bytes] | None:
    end = data.find(b"\n", 0, LINE_LIMIT_BYTES) + 1
    if not end:
        if len(data) >= LINE_LIMIT_BYTES:
            msg = "a PROXY line of more than 107 bytes"
            raise ValueError(msg)
        return None
    line, rest = data[:end], data[end:]
    if _UNKNOWN_LINE.fullmatch(line):
        return None, rest
    found = _LINE.fullmatch(line)
    if found is None or max(int(found[4]), int(found[5])) > _PORT_MOST:
        msg = "not a PROXY line"
        raise ValueError(msg)
    is_ipv6 = found[1] == b"6"
    source, target = (packed(text.decode("ascii")) for text in (found[2], found[3]))
    if source is None or target is None or any((b":" in text) != is_ipv6 for text in (found[2], found[3])):
        msg = "not the addresses that a PROXY line announces"
        raise ValueError(msg)
    return source, rest


def _read_binary(data: bytes) -> tuple[bytes | None, bytes] | None:
    if len(data) < _HEADER.size:
        return None
    _, version_and_command, family, size = _HEADER.unpack_from(data)
    if version_and_command not in {_PROXY, _LOCAL}:
        msg = "neither version 2 nor a command that it knows"
        raise ValueError(msg)
    end = _HEADER.size + size
    if end > HEADER_LIMIT_BYTES:
        msg = f"a PROXY header of {end} bytes"
        raise ValueError(msg)
    # Before the rest is waited for: a header that cannot become valid is not worth the wait.
    layout = _ADDRESSES.get(family)
    if version_and_command == _PROXY and (layout.size > size if layout else family != _UNSPEC):
        msg = "not TCP, or shorter than its addresses"
        raise ValueError(msg)
    if len(data) < end:
        return None
    rest = data[end:]
    if version_and_command == _LOCAL or layout is None:
        return None, rest
    source: bytes = layout.unpack_from(data, _HEADER.size)[0]
    return unmapped(source), rest
