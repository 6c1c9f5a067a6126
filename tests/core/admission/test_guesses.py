"""Who tries one key after the other is slowed, and then refused; who slips is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.admission.guesses import REFUSED_S, Guesses, Held


def tried(times: int, *, every_s: float = 1.0) -> tuple[Guesses, float]:
    guesses, now = Guesses(100), 1000.0
    for _ in range(times):
        guesses.missed(b"here", now)
        now += every_s
    return guesses, now - every_s


def test_a_few_slips_cost_nothing() -> None:
    guesses, now = tried(5)
    assert guesses.held(b"here", now) is None
    assert guesses.held(b"elsewhere", now) is None


def test_each_guess_beyond_doubles_the_pause_and_then_it_is_refused_for_an_hour() -> None:
    waits = []
    for times in (6, 7, 8, 13, 15):
        guesses, now = tried(times, every_s=0.0)
        held = guesses.held(b"here", now)
        assert held is not None
        assert not held.is_refused
        waits.append(held.wait_s)
    assert waits == [2.0, 4.0, 8.0, 256.0, 300.0]
    guesses, now = tried(20, every_s=0.0)
    assert guesses.held(b"here", now) == Held(REFUSED_S, is_refused=True)
    assert guesses.held(b"here", now + REFUSED_S) is None


def test_one_slip_a_minute_is_never_held() -> None:
    guesses, now = tried(1000, every_s=60.0)
    assert guesses.held(b"here", now) is None


def test_a_clock_that_steps_back_forgives_nothing() -> None:
    guesses, now = tried(20, every_s=0.0)
    guesses.missed(b"here", now - 500.0)
    held = guesses.held(b"here", now)
    assert held is not None
    assert held.wait_s >= REFUSED_S


@given(st.lists(st.integers(0, 50)), st.integers(1, 10))
def test_no_more_sources_are_remembered_than_was_said(sources: list[int], most: int) -> None:
    guesses = Guesses(most)
    for at, source in enumerate(sources):
        guesses.missed(bytes([source]), float(at))
        assert len(guesses) <= most
    guesses.reshape(1)
    assert len(guesses) <= 1
