"""How fast the engine works off what was let in."""

from __future__ import annotations

import pytest

from tidegate.core.capacity.drain import Drain


def work(drain: Drain, rate: float, seconds: int, start: float = 0.0, *, is_full: bool = True) -> float:
    now = start
    for _ in range(seconds * 10):
        now += 0.1
        drain.did(rate / 10, now, is_full=is_full)
    return now


def test_a_full_engine_teaches_its_rate_both_ways() -> None:
    drain = Drain(50.0)
    now = work(drain, 80.0, 20)
    assert drain.rate == pytest.approx(80.0, rel=0.05)
    work(drain, 30.0, 40, now)
    assert drain.rate == pytest.approx(30.0, rel=0.05)


def test_an_engine_with_room_only_teaches_that_it_can_do_more() -> None:
    drain = Drain(50.0)
    now = work(drain, 10.0, 20, is_full=False)
    assert drain.rate == 50.0
    work(drain, 80.0, 20, now, is_full=False)
    assert drain.rate == pytest.approx(80.0, rel=0.05)


def test_rest_is_not_slowness() -> None:
    drain = Drain(50.0)
    now = work(drain, 50.0, 5)
    drain.rested()
    drain.did(1.0, now + 2.0, is_full=True)
    work(drain, 50.0, 5, now + 2.0)
    assert drain.rate == pytest.approx(50.0, rel=0.05)


@pytest.mark.parametrize("step_s", [-100.0, 100.0])
def test_a_clock_that_steps_teaches_nothing(step_s: float) -> None:
    drain = Drain(50.0)
    now = work(drain, 50.0, 5)
    drain.did(1.0, now + step_s, is_full=True)
    assert drain.rate == pytest.approx(50.0, rel=0.05)


def test_an_engine_that_stands_is_believed_to_move_a_little() -> None:
    """Every wait is divided by this."""
    drain = Drain(1.0)
    work(drain, 0.0, 100)
    assert drain.rate == 1.0
