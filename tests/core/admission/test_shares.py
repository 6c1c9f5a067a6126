"""Classes have guaranteed shares and borrow what others leave."""

from __future__ import annotations

import pytest

from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.shares import ClassShares
from tidegate.core.standing.classes import Standing

SHARES = AdmissionPlan().shares


def serve(shares: ClassShares, asking: list[Standing], rounds: int) -> dict[Standing, float]:
    got = dict.fromkeys(asking, 0.0)
    for _ in range(rounds):
        one = min(asking, key=lambda standing: shares.tag(standing, 10.0))
        shares.went(one)
        shares.charge(one, 10.0, 0.0)
        got[one] += 10.0
    return got


def test_classes_that_all_ask_get_what_was_guaranteed() -> None:
    got = serve(ClassShares(SHARES), list(Standing), 1000)
    for standing in Standing:
        assert got[standing] / sum(got.values()) == pytest.approx(SHARES[standing], abs=0.01)


def test_a_class_that_comes_back_banked_nothing_and_owes_nothing() -> None:
    shares = ClassShares(SHARES)
    serve(shares, [Standing.NEWCOMER], 1000)
    shares.asks(Standing.ESTABLISHED)
    got = serve(shares, [Standing.ESTABLISHED, Standing.NEWCOMER], 62)
    assert got[Standing.ESTABLISHED] == pytest.approx(500.0, abs=20.0)
    assert shares.finish(Standing.ESTABLISHED) >= shares.virtual_time - 20.0


def test_a_class_without_a_share_lives_on_what_is_left_and_is_not_starved_for_ever() -> None:
    shares = ClassShares({Standing.ESTABLISHED: 1.0})
    got = serve(shares, [Standing.ESTABLISHED, Standing.SUSPECT], 3000)
    assert 0.0 < got[Standing.SUSPECT] <= 60.0


def test_a_class_can_count_on_its_share_and_on_what_others_leave() -> None:
    shares = ClassShares(SHARES)
    assert shares.rate(Standing.NEWCOMER, 100.0, 0.0) == 100.0
    shares.charge(Standing.ESTABLISHED, 1500.0, 0.0)
    assert shares.rate(Standing.NEWCOMER, 100.0, 0.0) == pytest.approx(50.0)
    shares.charge(Standing.ESTABLISHED, 6000.0, 0.0)
    assert shares.rate(Standing.NEWCOMER, 100.0, 0.0) == pytest.approx(12.0)
    shares.charge(Standing.NEWCOMER, 6000.0, 0.0)
    assert shares.rate(Standing.ESTABLISHED, 100.0, 0.0) == pytest.approx(88.0), "worse classes only keep their share"


def test_use_is_forgotten_as_time_goes_by_and_not_when_the_clock_steps_back() -> None:
    shares = ClassShares(SHARES)
    shares.charge(Standing.ESTABLISHED, 1500.0, 100.0)
    assert shares.rate(Standing.NEWCOMER, 100.0, 50.0) == pytest.approx(50.0)
    shares.charge(Standing.ESTABLISHED, 0.0, 50.0)
    assert shares.rate(Standing.NEWCOMER, 100.0, 100.0) == pytest.approx(50.0)
    assert shares.rate(Standing.NEWCOMER, 100.0, 1000.0) == pytest.approx(100.0)


def test_parts_of_the_places_are_shared_among_those_who_ask() -> None:
    shares = ClassShares(SHARES)
    asking = [Standing.ESTABLISHED, Standing.NEWCOMER]
    assert shares.parts(asking, 4)[Standing.ESTABLISHED] == pytest.approx(4 * 0.5 / 0.62)
    assert sum(shares.parts(list(Standing), 4).values()) == pytest.approx(4.0)
