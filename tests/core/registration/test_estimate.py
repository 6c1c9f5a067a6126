"""What people are told about their wait, and how it is corrected by what became of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.registration.calibration import Calibration, Correction
from tidegate.core.registration.estimate import Prospect, estimate, rounded_up_s
from tidegate.core.registration.outflow import Outflow, Rate

STEADY = Prospect(ahead=119, rate=1.0, weight=170.0)


def told(prospect: Prospect, high: float = 1.5) -> tuple[float, float]:
    said = estimate(prospect, Correction(high))
    assert said.is_known
    return said.p50_s, said.p90_s


def with_(**fields: float) -> Prospect:
    return Prospect(**{name: getattr(STEADY, name) for name in STEADY.__struct_fields__} | fields)


def test_a_steady_line_is_worked_off_at_its_rate() -> None:
    assert told(STEADY) == (120.0, 240.0)
    assert told(STEADY, 0.0) == (120.0, 120.0)


@pytest.mark.parametrize(
    "longer",
    [
        with_(ahead=200),
        with_(rate=0.5),
        with_(part=0.2, beside=1000),
        with_(part=0.2, beside=100, beside_per_s=5.0),
        with_(overtaking_per_s=0.9, open_s=300.0),
        with_(lag_s=60.0),
    ],
)
def test_it_takes_longer_when_more_are_ahead_or_less_goes_out(longer: Prospect) -> None:
    assert told(longer)[0] > told(STEADY)[0]


def test_who_knows_less_says_a_wider_range() -> None:
    assert told(with_(weight=2.0))[1] > told(STEADY)[1]


def test_people_who_give_up_make_it_shorter() -> None:
    assert told(with_(leaving_per_s=0.02))[0] < told(STEADY)[0]


def test_who_waits_alone_beside_a_short_lane_gets_its_part_soon() -> None:
    assert told(with_(part=0.2, beside=10))[0] == rounded_up_s(130.0)


def test_overtaking_ends_with_the_window() -> None:
    assert told(with_(overtaking_per_s=0.9, open_s=60.0))[0] == rounded_up_s(120.0 + 0.9 * 60.0)


def test_when_nothing_goes_out_it_says_the_longest_wait() -> None:
    assert told(with_(rate=0.0)) == (172_800.0, 172_800.0)


@given(
    st.integers(0, 100_000),
    st.floats(1e-6, 1e3),
    st.floats(0.0, 1e4),
    st.floats(0.0, 3.0),
    st.floats(0.0, 0.1),
    st.floats(0.0, 100.0),
)
def test_a_range_is_never_wider_than_three_to_one_nor_upside_down(
    ahead: int, rate: float, weight: float, high: float, leaving: float, overtaking: float
) -> None:
    said = estimate(
        Prospect(
            ahead=ahead,
            rate=rate,
            weight=weight,
            part=0.2,
            beside=50,
            leaving_per_s=leaving,
            overtaking_per_s=overtaking,
            open_s=200.0,
            lag_s=20.0,
        ),
        Correction(high),
    )
    assert 0.0 < said.p50_s <= said.p90_s <= 3.0 * said.p50_s


@given(st.floats(0.1, 100_000.0))
def test_a_wait_is_rounded_up_to_what_one_would_say(wait_s: float) -> None:
    said = rounded_up_s(wait_s)
    assert wait_s <= said <= max(30.0, 1.55 * wait_s)
    assert rounded_up_s(said) == said


def test_promises_that_are_missed_widen_later_ones_and_kept_ones_narrow_them_less() -> None:
    calibration = Calibration()
    assert (calibration.coverage, calibration.ratio) == (None, None)
    first = calibration.correction.high
    calibration.came_in(100.0, 60.0, 120.0)
    narrower = calibration.correction.high
    calibration.came_in(121.0, 60.0, 120.0)
    wider = calibration.correction.high
    assert narrower < first < wider
    assert wider - narrower > 5 * (first - narrower)
    assert (calibration.kept, calibration.missed, calibration.coverage, calibration.ratio) == (1, 1, 0.5, 2.0)


def test_nobody_can_push_the_correction_beyond_its_bounds() -> None:
    calibration = Calibration()
    for _ in range(10_000):
        calibration.came_in(1e6, 60.0, 120.0)
    assert calibration.correction.high == 3.0
    for _ in range(10_000):
        calibration.came_in(0.0, 60.0, 120.0)
    assert calibration.correction.high == 0.0


def test_a_rate_is_right_from_its_first_minute_and_follows_a_change() -> None:
    rate = Rate(120.0)
    assert rate.per_s == 0.0
    for _ in range(60):
        rate.pass_by(1.0)
        rate.count(2.0)
    assert rate.per_s == pytest.approx(2.0, rel=0.05)
    for _ in range(600):
        rate.pass_by(1.0)
        rate.count(0.5)
    assert rate.per_s == pytest.approx(0.5, rel=0.15)


def test_while_nobody_waits_nothing_is_learned_of_how_fast_it_would_go() -> None:
    outflow = Outflow()
    for second in range(60):
        outflow.pass_by(float(second), (3, 4))
        outflow.let_in(1)
    before = outflow.admitted.per_s
    outflow.pass_by(10_000.0, (0, 0))
    assert outflow.admitted.per_s == before
    outflow.forget()
    assert (outflow.seen, outflow.admitted.per_s) == (0, 0.0)
