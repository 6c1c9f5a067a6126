"""A source is held by its own bucket and by those of the networks that it is in."""

from __future__ import annotations

import pytest

from tidegate.core.admission.sources import Sources

AT = 1.8e9


def keys(number: int, network: int = 0, widest: int = 0) -> tuple[bytes, bytes, bytes]:
    return bytes([widest, network, number]), bytes([widest, network]), bytes([widest])


def passed(sources: Sources, number: int) -> int:
    """How many of so many addresses of one network get a request through."""
    return sum(sources.take(keys(one), AT) == 0.0 for one in range(number))


def test_one_address_gets_its_burst_and_its_neighbour_the_same() -> None:
    sources = Sources((1.0, 3.0), (1.0, 100.0), 100)

    assert [sum(sources.take(keys(one), AT) == 0.0 for _ in range(9)) for one in (1, 2)] == [3, 3]


def test_many_addresses_of_one_network_get_no_more_than_the_network() -> None:
    assert passed(Sources((1.0, 3.0), (1.0, 10.0), 100), 200) == 10


def test_a_48_gets_four_times_what_a_56_gets() -> None:
    sources = Sources((1.0, 3.0), (2.0, 10.0), 1000)

    counts = [sum(sources.take(keys(one, network), AT) == 0.0 for one in range(50)) for network in range(9)]

    assert counts == [10, 10, 10, 10, 0, 0, 0, 0, 0]
    assert sources.wait_s(keys(0, 8), AT) == pytest.approx(1 / 8, abs=1e-5)


def test_what_the_network_refuses_is_not_taken_from_the_address_nor_remembered() -> None:
    sources = Sources((1.0, 3.0), (1.0, 1.0), 100)
    sources.take(keys(1), AT)

    for _ in range(9):
        assert sources.take(keys(2), AT) == pytest.approx(1.0, abs=1e-5)
    assert sources.remembered == (1, 1, 1)
    assert sources.take(keys(2)[:1], AT) == 0.0


def test_the_wait_is_that_of_the_bucket_that_takes_longest() -> None:
    sources = Sources((10.0, 1.0), (0.5, 1.0), 100)
    sources.take(keys(1), AT)

    assert sources.take(keys(1), AT) == pytest.approx(2.0, abs=1e-5)


def test_other_budgets_count_from_now_and_what_was_taken_stays_taken() -> None:
    sources = Sources((1.0, 3.0), (1.0, 10.0), 100)
    assert passed(sources, 8) == 8
    sources.reshape((1.0, 3.0), (1.0, 12.0), 2)

    assert passed(sources, 200) == 4
    assert sources.remembered == (2, 1, 1)
