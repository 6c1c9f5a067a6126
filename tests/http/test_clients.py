"""A proxy that is trusted names the client; nobody else does, and no caller can choose to be another."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.http.gate.clients import ELEMENT_LIMIT_BYTES, MOST_HOPS, Clients, packed, unmapped

PROXY = "127.0.0.1"
CLIENTS = Clients(tuple(map(ipaddress.ip_network, (PROXY, "10.0.0.0/8", "fd00::/8"))))
Address = IPv4Address | IPv6Address


def asked(*headers: tuple[str, str], peer: str = PROXY) -> str:
    """The client of a request with these headers, as text."""
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    address = packed(peer)
    assert address is not None
    return str(ipaddress.ip_address(CLIENTS.client(address, pairs)))


def listed(*values: str) -> str:
    return asked(*(("x-forwarded-for", value) for value in values))


def forwarded(*values: str) -> str:
    return asked(*(("forwarded", value) for value in values))


class Unreadable(Sequence[tuple[bytes, bytes]]):
    """Headers that must not be looked at."""

    def __getitem__(self, index: object) -> tuple[bytes, bytes]:  # type: ignore[override] # never to be called
        raise AssertionError

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        raise AssertionError

    def __len__(self) -> int:
        raise AssertionError


# ---------------------------------------------------------------- whose word counts


@pytest.mark.parametrize("peer", ["127.0.0.2", "11.0.0.1", "9.255.255.255", "fe00::1", "::1", "192.0.2.1"])
def test_what_an_untrusted_peer_says_is_not_even_read(peer: str) -> None:
    address = packed(peer)
    assert address is not None
    assert CLIENTS.client(address, Unreadable()) == address
    assert Clients(()).client(address, Unreadable()) == address


def test_the_rightmost_address_that_is_no_proxy_is_the_client() -> None:
    assert listed("203.0.113.9") == "203.0.113.9"
    assert listed("6.6.6.6, 203.0.113.9") == "203.0.113.9"
    assert listed("6.6.6.6, 203.0.113.9, 10.1.2.3, 10.3.2.1") == "203.0.113.9"
    assert listed("6.6.6.6, 203.0.113.9", "10.1.2.3") == "203.0.113.9", "a proxy may add a line of its own"
    assert listed("203.0.113.9", "6.6.6.6") == "6.6.6.6"
    assert forwarded("for=6.6.6.6, for=203.0.113.9;proto=https;by=10.1.2.3, for=10.1.2.3") == "203.0.113.9"
    assert forwarded("for=6.6.6.6, for=203.0.113.9", "for=10.1.2.3") == "203.0.113.9"


def test_a_client_that_is_a_trusted_address_itself_is_the_leftmost() -> None:
    assert listed("10.1.2.3") == "10.1.2.3"
    assert listed("10.9.9.9, 10.1.2.3") == "10.9.9.9"
    assert asked() == PROXY


def test_a_mapped_address_is_the_ipv4_address_wherever_it_stands() -> None:
    """A socket that takes both families shows IPv4 peers so; one client must not be two."""
    assert asked(("x-forwarded-for", "203.0.113.9"), peer="::ffff:127.0.0.1") == "203.0.113.9"
    assert listed("::ffff:203.0.113.9") == listed("::FFFF:cb00:7109") == "203.0.113.9"
    assert listed("203.0.113.9, [::ffff:10.1.2.3]") == "203.0.113.9", "a trusted proxy, too"
    assert CLIENTS.trusts(ipaddress.IPv6Address("::ffff:10.0.0.1").packed)
    assert CLIENTS.client(ipaddress.IPv6Address("::ffff:192.0.2.1").packed, ()) == bytes((192, 0, 2, 1))


# ---------------------------------------------------------------- how it may be written


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("  203.0.113.9\t", "203.0.113.9"),
        ("2001:db8::9", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("[2001:DB8::9]:443", "2001:db8::9"),
    ],
)
def test_x_forwarded_for_may_have_ports_and_brackets(value: str, client: str) -> None:
    assert listed(value) == listed(f"6.6.6.6,{value}") == client


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("for=203.0.113.9", "203.0.113.9"),
        ("FOR=203.0.113.9", "203.0.113.9"),
        ('for="203.0.113.9:4711"', "203.0.113.9"),
        ('for="203.0.113.9:_port"', "203.0.113.9"),
        ('For="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        ('for="[2001:db8::9]"', "2001:db8::9"),
        (r'for="20\3.0.113.9"', "203.0.113.9"),
        ("proto=http;for=203.0.113.9;by=203.0.113.43", "203.0.113.9"),
        ('host="a,b;for=6.6.6.6";for=203.0.113.9', "203.0.113.9"),
        (r'host="a\",for=6.6.6.6";for=203.0.113.9', "203.0.113.9"),
        (r'for=203.0.113.9;host="x,for=6.6.6.6;y=\\"', "203.0.113.9"),
        ("for=203.0.113.9 ; proto=https", "203.0.113.9"),
    ],
)
def test_forwarded_is_read_as_its_rfc_says(value: str, client: str) -> None:
    assert forwarded(value) == forwarded(f"for=6.6.6.6 , {value}") == client


def test_a_quote_that_the_caller_leaves_open_cannot_swallow_what_the_proxy_appends() -> None:
    for opened in ('for="', 'for=6.6.6.6;x="', 'for=6.6.6.6;x="\\', '"', 'for="6.6.6.6', '","', 'x="\\"'):
        assert forwarded(opened + ", for=203.0.113.9") == "203.0.113.9"
        assert forwarded(opened, 'for="[2001:db8::9]:80"') == "2001:db8::9"


NO_ADDRESSES = (
    *(
        "",
        "unknown",
        "_hidden",
        "203.0.113",
        "203.0.113.256",
        "203.0.113.09",
        "1.2.3.4:",
        "1.2.3.4:123456",
        "[1.2.3.4]",
    ),
    *("[2001:db8::9", "2001:db8::9]:1", "2001:db8::9:::1", "fe80::1%eth0", "unix:", "a b", '"1.2.3.4"', "1.2.3.4\x00"),
)


@pytest.mark.parametrize("garbage", NO_ADDRESSES)
def test_the_chain_ends_at_what_is_no_address_and_the_hop_before_it_is_the_client(garbage: str) -> None:
    assert listed(f"203.0.113.9, {garbage}") == PROXY
    assert listed(f"203.0.113.9, {garbage}, 10.1.2.3") == "10.1.2.3"
    assert listed(f"{garbage}, 203.0.113.9, 10.1.2.3") == "203.0.113.9", "what stands left of the client is not read"
    if '"' not in garbage and "\x00" not in garbage:
        assert forwarded(f'for=203.0.113.9, for="{garbage}", for=10.1.2.3') == "10.1.2.3"


@pytest.mark.parametrize(
    "garbage", ["", "for", "for=", "for=1.2.3.4;for=1.2.3.4", "proto=http", "for 1.2.3.4", ";", "for=[::1]"]
)
def test_an_element_of_forwarded_without_exactly_one_address_ends_the_chain(garbage: str) -> None:
    assert forwarded(f"for=203.0.113.9, {garbage}, for=10.1.2.3") == "10.1.2.3"


# ---------------------------------------------------------------- both headers


def test_both_headers_count_where_they_agree_and_else_neither() -> None:
    """One of them is the proxy's, the other may be the caller's own."""
    assert asked(("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")) == "203.0.113.9"
    assert asked(("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=6.6.6.6")) == PROXY
    assert asked(("forwarded", "for=203.0.113.9"), ("x-forwarded-for", "6.6.6.6")) == PROXY
    assert asked(("forwarded", "for=unknown"), ("x-forwarded-for", "6.6.6.6")) == PROXY


OWN = st.lists(st.tuples(st.sampled_from(["x-forwarded-for", "forwarded"]), st.text('for=,;"\\ 6.[:]x', max_size=40)))


@given(own=OWN, is_appended=st.booleans(), name=st.sampled_from(["x-forwarded-for", "forwarded"]))
@example(own=[("forwarded", "for=6.6.6.6")], is_appended=False, name="x-forwarded-for")
def test_whatever_a_caller_sends_through_a_proxy_it_is_itself_or_nobody(
    own: list[tuple[str, str]], is_appended: bool, name: str
) -> None:
    """The proxy's one line or appended element is stronger than any number of the caller's lines."""
    said = "203.0.113.9" if name == "x-forwarded-for" else 'for="203.0.113.9:1"'
    if is_appended and own and own[-1][0] == name:
        *own, (_, last) = own
        said = f"{last}, {said}"
    assert asked(*own, (name, said)) in {"203.0.113.9", PROXY}


# ---------------------------------------------------------------- against the standard library


ADDRESSES = st.one_of(
    st.ip_addresses(v=4),
    st.ip_addresses(v=6),
    st.ip_addresses(v=4, network="10.0.0.0/8"),
    st.ip_addresses(v=6, network="fd00::/8"),
    st.ip_addresses(v=6, network="::ffff:0:0/96"),
)
STYLES = st.integers(0, 3)


def canonical(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def written(address: Address, style: int, *, is_forwarded: bool) -> str:
    is_ipv6 = address.version == 6
    node = f"[{address}]" if is_ipv6 and (style % 2 or is_forwarded) else str(address)
    if style == 3:
        node += ":65535"
    if not is_forwarded:
        return node
    return f'{"For" if style else "for"}="{node}";proto=http' if is_ipv6 or style else f"for={node}"


@given(
    st.lists(st.tuples(ADDRESSES, STYLES, st.sampled_from([",", ", ", " ,\t", "\n"])), max_size=MOST_HOPS),
    st.booleans(),
)
def test_any_chain_is_walked_as_the_standard_library_would(
    chain: list[tuple[Address, int, str]], is_forwarded: bool
) -> None:
    trusted = [ipaddress.ip_network(text) for text in (PROXY, "10.0.0.0/8", "fd00::/8")]
    expected: Address = ipaddress.ip_address(PROXY)
    for address, _, _ in reversed(chain):
        expected = canonical(address)
        if not any(expected in network for network in trusted):
            break
    text = "".join(written(address, style, is_forwarded=is_forwarded) + after for address, style, after in chain)
    lines = text.rstrip(", \t\n").split("\n") if text else []
    name = "forwarded" if is_forwarded else "x-forwarded-for"
    assert asked(*((name, line) for line in lines)) == str(expected)


@given(st.one_of(st.text(max_size=20), st.from_regex(r"[0-9a-fA-F:.]{2,20}", fullmatch=True), ADDRESSES.map(str)))
def test_an_address_is_one_exactly_when_the_standard_library_says_so(text: str) -> None:
    try:
        expected = canonical(ipaddress.ip_address(text)).packed
    except ValueError:
        assert "%" in text or packed(text) is None
    else:
        assert packed(text) == expected


@given(ADDRESSES, st.integers(0, 32))
def test_a_network_is_trusted_exactly_when_the_standard_library_says_so(address: Address, length: int) -> None:
    network = ipaddress.ip_network((canonical(address).packed, length), strict=False)
    clients = Clients((network,))
    first, last = int(network.network_address), int(network.broadcast_address)
    size_bytes = network.max_prefixlen // 8
    for number in (first - 1, first, last, last + 1):
        if 0 <= number < 1 << network.max_prefixlen:
            one = number.to_bytes(size_bytes, "big")
            if unmapped(one) == one:
                assert clients.trusts(one) is (ipaddress.ip_address(one) in network)


# ---------------------------------------------------------------- bounded work


@pytest.mark.parametrize("lines", [1, 10_000])
def test_of_an_endless_chain_only_the_right_end_is_read(lines: int) -> None:
    many = 10_000 // lines
    assert listed(*[",".join(["203.0.113.9"] + ["10.0.0.1"] * many)] * lines) == (
        "10.0.0.1" if lines == 1 else "203.0.113.9"
    )
    assert listed("203.0.113.9," + ",".join(["10.0.0.1"] * (MOST_HOPS - 1))) == "203.0.113.9"
    assert listed("203.0.113.9," + ",".join(["10.0.0.1"] * MOST_HOPS)) == "10.0.0.1"
    assert forwarded("for=203.0.113.9," + ",".join(["for=10.0.0.1"] * MOST_HOPS)) == "10.0.0.1"
    assert forwarded("for=203.0.113.9," + ",".join(["for=10.0.0.1"] * (MOST_HOPS - 1))) == "203.0.113.9"


def test_an_element_of_forwarded_beyond_the_limit_ends_the_chain() -> None:
    assert forwarded(f"for=203.0.113.9;host={'a' * (ELEMENT_LIMIT_BYTES - 30)}") == "203.0.113.9"
    assert forwarded(f"for=203.0.113.9;host={'a' * ELEMENT_LIMIT_BYTES}") == PROXY


@pytest.mark.parametrize(
    "piece", [b",", b'"', b",\\", b'","', b'",', b"\\", b'for="', b"a=b;", b";", b"\t", b"10.0.0.1,", b"for=10.0.0.1,"]
)
@pytest.mark.parametrize("end", [b"", b'"', b";", b"10.0.0.1", b"for=10.0.0.1"])
def test_a_head_full_of_anything_costs_no_more_steps_than_a_long_chain(piece: bytes, end: bytes) -> None:
    """Steps are counted, not seconds: a slow machine must not fail it, and a quadratic walk must."""
    value = piece * (60_000 // len(piece)) + end
    peer = packed(PROXY)
    assert peer is not None
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        CLIENTS.client(peer, [(b"x-forwarded-for", value), (b"forwarded", value)])
    finally:
        sys.setprofile(before)
    assert steps < 6000
