"""Loopback addresses for everybody's own."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from tidegate.lab.live.addresses import MOST_NETWORKS, Addresses

ADDRESSES = st.lists(st.integers(0, (1 << 32) - 1), max_size=50)


@given(ADDRESSES)
def test_who_shares_an_address_or_a_network_still_does_and_nobody_else(given: list[int]) -> None:
    dealt = Addresses()
    moved = {address: int(ipaddress.ip_address(dealt.of(address))) for address in given}

    for one in given:
        assert moved[one] >> 24 == 127
        assert moved[one] >> 16 != 127 << 8  # 127.0.x.x is the service's own.
        for other in given:
            assert (moved[one] == moved[other]) == (one == other)
            assert (moved[one] >> 8 == moved[other] >> 8) == (one >> 8 == other >> 8)
        assert dealt.of(one) == str(ipaddress.ip_address(moved[one]))
    assert dealt.crowded == 0


def test_later_networks_share_with_earlier_ones_when_there_are_no_more() -> None:
    dealt = Addresses(most_networks=2)
    first, second, third = (dealt.of(network << 8 | 7) for network in (10, 11, 12))

    assert first != second
    assert third in {first, second}
    assert dealt.crowded == 1


def test_the_last_network_is_none_that_the_kernel_keeps_for_itself() -> None:
    dealt = Addresses()
    last = [dealt.of(network << 8 | 255) for network in range(MOST_NETWORKS)][-1]

    assert last == "127.254.254.255"
