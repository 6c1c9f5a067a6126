"""Addresses are counted by who can hold them, and lists answer as the networks they were written as."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.admission.addresses import Networks, keys_of

PACKED = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))


def packed(text: str) -> bytes:
    return ip_address(text).packed


def test_an_ipv4_address_counts_for_itself_and_its_24() -> None:
    assert keys_of(packed("192.0.2.7")) == (packed("192.0.2.7"), packed("192.0.2.7")[:3])
    assert keys_of(packed("192.0.2.7"))[1] == keys_of(packed("192.0.2.200"))[1]
    assert keys_of(packed("192.0.2.7"))[1] != keys_of(packed("192.0.3.7"))[1]


def test_an_ipv6_address_counts_for_its_64_its_56_and_its_48() -> None:
    near, next_64, next_56, next_48 = (
        keys_of(packed(text)) for text in ("2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:100::1", "2001:db8:1::1")
    )

    assert near == keys_of(packed("2001:db8::ffff:ffff:ffff:ffff"))
    assert [ours == theirs for ours, theirs in zip(near, next_64, strict=True)] == [False, True, True]
    assert [ours == theirs for ours, theirs in zip(near, next_56, strict=True)] == [False, False, True]
    assert [ours == theirs for ours, theirs in zip(near, next_48, strict=True)] == [False, False, False]


def test_an_ipv4_address_written_as_ipv6_is_that_ipv4_address() -> None:
    assert keys_of(packed("::ffff:192.0.2.7")) == keys_of(packed("192.0.2.7"))
    assert packed("::ffff:192.0.2.7") in Networks(["192.0.2.0/24"])
    assert packed("192.0.2.7") in Networks(["::ffff:192.0.2.0/120"])
    assert packed("::ffff:192.0.2.7") not in Networks(["::/0"])


@given(address=PACKED)
def test_keys_of_one_width_are_equal_only_for_addresses_of_one_network(address: bytes) -> None:
    keys = keys_of(address)
    text = ip_address(address)
    if isinstance(text, IPv6Address):
        assert [IPv6Network((key.ljust(16, b"\0"), 8 * len(key))) for key in keys] == [
            ip_network(f"{text}/{bits}", strict=False) for bits in (64, 56, 48)
        ]
    else:
        assert [IPv4Network((key.ljust(4, b"\0"), 8 * len(key))) for key in keys] == [
            ip_network(f"{text}/{bits}", strict=False) for bits in (32, 24)
        ]


def test_an_empty_list_holds_nobody() -> None:
    assert packed("0.0.0.0") not in Networks()
    assert packed("::") not in Networks()


@pytest.mark.parametrize(
    ("text", "why"),
    [("10.0.0.1/8", "host bits"), ("10.0.0.0/33", "10.0.0.0/33"), ("example.org", "example.org"), ("", "''")],
)
def test_what_is_no_network_is_refused_with_its_text(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Networks(["192.0.2.0/24", text])


NETWORKS_4 = st.builds(
    lambda number, bits: IPv4Network((number, bits), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32)
)
NETWORKS_6 = st.builds(
    lambda number, bits: IPv6Network((number, bits), strict=False), st.integers(0, 2**128 - 1), st.integers(0, 128)
)


@given(
    networks=st.lists(st.one_of(NETWORKS_4, NETWORKS_6), max_size=20),
    address=PACKED,
    at=st.integers(0, 19),
    beside=st.sampled_from([-1, 0, 1]),
)
def test_a_compiled_list_agrees_with_its_networks(
    networks: list[IPv4Network | IPv6Network], address: bytes, at: int, beside: int
) -> None:
    compiled = Networks(str(network) for network in networks)
    asked = [ip_address(address)]
    if networks:
        network = networks[at % len(networks)]
        for edge in (network.network_address, network.broadcast_address):
            number = int(edge) + beside
            if 0 <= number < 1 << edge.max_prefixlen:
                asked.append(IPv4Address(number) if edge.version == 4 else IPv6Address(number))

    for one in asked:
        counted = getattr(one, "ipv4_mapped", None) or one
        assert (one.packed in compiled) is any(counted in network for network in networks)


def test_ten_thousand_networks_are_compiled_and_answered() -> None:
    deny = Networks(
        [f"10.{number >> 8}.{number & 255}.0/26" for number in range(5000)]
        + [f"2001:db8:{number:x}::/48" for number in range(5000)]
    )

    assert packed("10.19.135.63") in deny
    assert packed("10.19.135.64") not in deny
    assert packed("2001:db8:1387::1") in deny
    assert packed("2001:db8:1388::1") not in deny


@pytest.mark.parametrize(
    ("network", "is_touched"),
    [
        ("192.0.2.0/24", True),
        ("192.0.2.8/32", False),
        ("192.0.0.0/16", True),
        ("192.0.3.0/24", False),
        ("10.9.8.0/24", True),
        ("9.0.0.0/8", False),
        ("2001:db8:1::/64", True),
        ("2001:db9::/64", False),
        ("::/0", True),
    ],
)
def test_a_network_is_touched_when_any_of_its_addresses_is_listed(network: str, is_touched: bool) -> None:
    listed = Networks(["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"])
    assert listed.touches(ip_network(network)) is is_touched
    assert not Networks().touches(ip_network(network))
