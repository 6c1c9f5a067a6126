"""The header before the first request: what is valid says who calls, everything else is an error, nothing is kept."""

from __future__ import annotations

import ipaddress
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.http.gate.proxy_protocol import HEADER_LIMIT_BYTES, LINE_LIMIT_BYTES, ProxyHeader

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
CLIENT = bytes((203, 0, 113, 9))


def line(text: str) -> bytes:
    return f"PROXY {text}\r\n".encode()


def binary(rest: bytes, *, command: int = 0x21, family: int = 0x11, size: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest) if size is None else size) + rest


def ends(client: str, server: str = "10.0.0.1") -> bytes:
    return ipaddress.ip_address(client).packed + ipaddress.ip_address(server).packed + struct.pack("!HH", 4711, 443)


VALID = {
    line("TCP4 203.0.113.9 10.0.0.1 4711 443"): CLIENT,
    line("TCP4 255.255.255.255 255.255.255.255 65535 65535"): b"\xff" * 4,
    line("TCP6 2001:db8::9 fd00::1 4711 0"): ipaddress.ip_address("2001:db8::9").packed,
    line("TCP6 ::ffff:203.0.113.9 ::1 1 2"): CLIENT,
    line("UNKNOWN"): None,
    line("UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535"): None,
    binary(ends("203.0.113.9")): CLIENT,
    binary(ends("203.0.113.9") + b"\x04\x00\x01x" + b"\x05\x00\x02id"): CLIENT,
    binary(ends("203.0.113.9") + b"not a TLV"): CLIENT,
    binary(ends("2001:db8::9", "fd00::1"), family=0x21): ipaddress.ip_address("2001:db8::9").packed,
    binary(ends("::ffff:203.0.113.9", "::1"), family=0x21): CLIENT,
    binary(b"", command=0x20, family=0): None,
    binary(ends("203.0.113.9"), command=0x20): None,
    binary(b"anything", family=0): None,
    binary(b"x" * (HEADER_LIMIT_BYTES - 16), family=0): None,
}

INVALID = {
    "http": REQUEST,
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "empty line": b"\r\n\r\nGET / HTTP/1.1",
    "lower case": b"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
    "no addresses": line("TCP4"),
    "another family": line("TCP4 2001:db8::9 fd00::1 1 2"),
    "another family still": line("TCP6 203.0.113.9 10.0.0.1 1 2"),
    "datagrams": line("UDP4 203.0.113.9 10.0.0.1 1 2"),
    "no IPv4 address": line("TCP4 203.0.113.256 10.0.0.1 1 2"),
    "octal": line("TCP4 203.0.113.09 10.0.0.1 1 2"),
    "a port too large": line("TCP4 203.0.113.9 10.0.0.1 65536 2"),
    "the other port too large": line("TCP4 203.0.113.9 10.0.0.1 1 99999"),
    "a port with a sign": line("TCP4 203.0.113.9 10.0.0.1 +1 2"),
    "a port with a zero before it": line("TCP4 203.0.113.9 10.0.0.1 01 2"),
    "a port too few": line("TCP4 203.0.113.9 10.0.0.1 1"),
    "a word too many": line("TCP4 203.0.113.9 10.0.0.1 1 2 3"),
    "two spaces": line("TCP4  203.0.113.9 10.0.0.1 1 2"),
    "no carriage return": b"PROXY TCP4 203.0.113.9 10.0.0.1 1 2\n",
    "a zone": line("TCP6 fe80::1%eth0 fd00::1 1 2"),
    "unknown with a tail": line("UNKNOWNS"),
    "a line without end": b"PROXY UNKNOWN " + b"x" * LINE_LIMIT_BYTES,
    "a line too long": line("UNKNOWN " + "x" * LINE_LIMIT_BYTES),
    "version 1 in binary": binary(ends("203.0.113.9"), command=0x11),
    "a command that nobody knows": binary(ends("203.0.113.9"), command=0x22),
    "binary datagrams": binary(ends("203.0.113.9"), family=0x12),
    "a Unix socket": binary(b"/x".ljust(216, b"\0"), family=0x31),
    "shorter than an IPv4 pair": binary(ends("203.0.113.9")[:-1]),
    "shorter than an IPv6 pair": binary(ends("203.0.113.9"), family=0x21),
    "longer than the limit": binary(b"", family=0, size=HEADER_LIMIT_BYTES - 15),
    "far longer than the limit": binary(ends("203.0.113.9"), size=65535),
    "longer than the limit from the proxy itself": binary(b"", command=0x20, size=65535),
}


@pytest.mark.parametrize(("header", "client"), VALID.items())
def test_a_valid_header_says_who_calls_and_leaves_the_request(header: bytes, client: bytes | None) -> None:
    assert ProxyHeader().feed(header + REQUEST) == (client, REQUEST)
    assert ProxyHeader().feed(header) == (client, b"")


@pytest.mark.parametrize(("header", "client"), VALID.items())
def test_a_header_may_come_in_pieces_of_any_size(header: bytes, client: bytes | None) -> None:
    for size in (1, 5, 13):
        reader = ProxyHeader()
        pieces = [header[at : at + size] for at in range(0, len(header), size)]
        assert [reader.feed(piece) for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
        assert reader.feed(pieces[-1] + REQUEST) == (client, REQUEST)


@pytest.mark.parametrize("data", INVALID.values(), ids=INVALID.keys())
def test_anything_else_is_an_error_also_in_pieces(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        ProxyHeader().feed(data)
    with pytest.raises(ValueError, match=r"."):
        list(map(ProxyHeader().feed, (data[at : at + 1] for at in range(len(data)))))


def test_an_error_comes_with_the_first_byte_that_cannot_be_right() -> None:
    """Whoever has forgotten to send the header is not left waiting, and a long one is not waited for."""
    for data in (b"G", b"\r\r", b"PROXX", SIGNATURE + b"\x21\x11\xff\xff"):
        reader = ProxyHeader()
        assert reader.feed(data[:-1]) is None
        with pytest.raises(ValueError, match=r"."):
            reader.feed(data[-1:])


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\x00"])
)
def test_no_bytes_whatever_make_it_fail_otherwise(data: bytes, start: bytes) -> None:
    try:
        answer = ProxyHeader().feed(start + data)
    except ValueError:
        return
    if answer is not None:
        assert data.endswith(answer[1])
        assert answer[0] is None or len(answer[0]) in {4, 16}


@given(st.ip_addresses(), st.integers(0, 65535))
def test_both_versions_name_the_same_client(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> None:
    family, number, other = ("TCP4", 0x11, "10.0.0.1") if address.version == 4 else ("TCP6", 0x21, "fd00::1")
    first = ProxyHeader().feed(line(f"{family} {address} {other} {port} 443"))
    second = ProxyHeader().feed(binary(ends(str(address), other), family=number))
    assert first == second
    assert first is not None
    shown = getattr(address, "ipv4_mapped", None) or address
    assert first[0] == socket.inet_pton(socket.AF_INET if shown.version == 4 else socket.AF_INET6, str(shown))
