"""What people are told of registration is plain, true, and nobody's fault."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.registration.estimate import NOT_KNOWN, Estimate
from tidegate.core.registration.modes import Cause, RegistrationMode
from tidegate.http.accounts.wording import length, newcomers, span, why

SENTENCES = re.compile(r"([A-Z][^.]*\.)( [A-Z][^.]*\.){0,2}\Z")
MODES = tuple(RegistrationMode)


@pytest.mark.parametrize(("mode", "cause"), list(itertools.product(MODES, Cause)))
def test_whatever_the_reason_it_is_told_in_whole_sentences_and_without_a_word_of_ours(
    mode: RegistrationMode, cause: Cause
) -> None:
    told = why(mode, (cause,))
    assert SENTENCES.match(told), told
    assert not re.search(r"bot|attack|abus|spam|suspicious|mode|throttl|sorry|_", told, re.IGNORECASE), told


@pytest.mark.parametrize("mode", MODES)
def test_without_any_reason_that_can_be_told_something_true_is_said(mode: RegistrationMode) -> None:
    for causes in ((), (Cause.DIAGNOSIS,), (Cause.CALM,)):
        assert SENTENCES.match(why(mode, causes))


def test_what_limits_is_told_first_of_what_can_be() -> None:
    causes = (Cause.DIAGNOSIS, Cause.LOW_HEADROOM, Cause.SIGN_UP_RATE)
    assert why(RegistrationMode.THROTTLED, causes).startswith("Those who have an account use almost all")


def test_the_settings_are_a_rule_and_no_trouble() -> None:
    assert why(RegistrationMode.INVITE, (Cause.SETTINGS,)) == "This service takes new people by invitation."
    assert "for now" not in why(RegistrationMode.CLOSED, (Cause.SETTINGS,))


@pytest.mark.parametrize(
    ("p50_s", "p90_s", "told"),
    [
        (15, 45, "less than a minute"),
        (30, 90, "1 to 2 minutes"),
        (60, 61, "1 to 2 minutes"),
        (180, 480, "3 to 8 minutes"),
        (300, 300, "about 5 minutes"),
        (61, 60.5, "1 to 2 minutes"),
        (3600, 7199, "60 to 120 minutes"),
        (3600, 7200, "1 to 2 hours"),
        (1800, 21600, "1 to 6 hours"),
        (28800, 28800, "about 8 hours"),
    ],
)
def test_a_wait_is_told_as_people_say_it(p50_s: float, p90_s: float, told: str) -> None:
    assert span(Estimate(p50_s, p90_s, is_known=True)) == told


@given(st.floats(0, 200_000), st.floats(0, 200_000))
def test_what_is_told_is_never_less_than_what_is_promised(first: float, second: float) -> None:
    """Rounding errs to the longer side."""
    p50_s, p90_s = sorted((first, second))
    told = span(Estimate(p50_s, p90_s, is_known=True))
    assert told is not None
    numbers = [int(one) for one in re.findall(r"\d+", told)] or [1]
    unit_s = 3600 if "hour" in told else 60
    assert numbers[-1] * unit_s >= p90_s
    assert (numbers[-1] - 1) * unit_s <= p90_s
    assert numbers == sorted(numbers)


def test_what_is_not_known_is_not_told() -> None:
    assert span(NOT_KNOWN) is None


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "1 second"),
        (59.0, "59 seconds"),
        (60.0, "1 minute"),
        (300.0, "5 minutes"),
        (5399.0, "90 minutes"),
        (5400.0, "2 hours"),
        (86_400.0, "24 hours"),
        (604_800.0, "7 days"),
    ],
)
def test_a_time_is_told_as_people_say_it(seconds: float, told: str) -> None:
    assert length(seconds) == told


KNOWN = Estimate(180.0, 480.0, is_known=True)


@pytest.mark.parametrize(
    ("mode", "estimate", "is_calm", "in_line", "told"),
    [
        (RegistrationMode.OPEN, KNOWN, True, 0, ""),
        (RegistrationMode.OPEN, KNOWN, False, 0, "New accounts are let in one after the other at present."),
        (RegistrationMode.OPEN, KNOWN, False, 9, "New accounts: there is a line at present, 3 to 8 minutes."),
        (RegistrationMode.WAITING_ROOM, NOT_KNOWN, False, 9, "New accounts are let in one after the other at present."),
        (RegistrationMode.WAITING_ROOM, KNOWN, False, 9, "New accounts: there is a line at present, 3 to 8 minutes."),
        (RegistrationMode.INVITE, KNOWN, False, 9, "New accounts need an invitation for now."),
        (RegistrationMode.CLOSED, KNOWN, False, 9, "There are no new accounts for now."),
    ],
)
def test_other_pages_say_it_in_one_line(
    mode: RegistrationMode, estimate: Estimate, is_calm: bool, in_line: int, told: str
) -> None:
    assert newcomers(mode, estimate, is_calm=is_calm, in_line=in_line) == told
