"""Who tries again, and when."""

from __future__ import annotations

from random import Random

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._models import FinalRequestOptions

from tests.lab.actors.playing import in_turn, play, refused, well
from tests.lab.actors.scenarios import dice
from tidegate.lab.actors.retrying import CURRENT, EARLIER, Bug, Hand, Retries, asking, by_hand
from tidegate.lab.acts import Asked, Chat, Group, Life, Need, Outcome, Page, Who

SOMEBODY = Who(name="somebody", group=Group.NEW, address=11 << 24, has_account=True)
QUESTION = Chat(prompt_tokens=50, answer_tokens=20)
CLIENT = openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9/v1")


def an_outcome(status: int = 429, *, told: float | None = None, is_final: bool = False) -> Outcome:
    return Outcome(
        asked_at_s=0.0,
        ended_at_s=0.0,
        status=status,
        retry_after_s=told,
        is_final=is_final,
        is_complete=status == 200,
    )


def _life(retries: Retries, what: Asked = QUESTION) -> Life:
    yield from asking(SOMEBODY, what, Need.CHAT, retries, dice())


@given(
    status=st.sampled_from([400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504]),
    told=st.none() | st.sampled_from([0.0, 0.25, 1.0, 59.0, 61.0, 119.5, 120.0, 120.5, 300.0, 86_400.0]),
    tries=st.integers(1, 4),
    is_final=st.booleans(),
)
def test_a_current_sdk_waits_as_the_installed_one_does(
    status: int, told: float | None, tries: int, is_final: bool
) -> None:
    headers = {} if told is None else {"retry-after": str(told), "retry-after-ms": str(told * 1000.0)}
    if is_final:
        headers["x-should-retry"] = "false"
    response = httpx2.Response(status, headers=headers)
    left = CLIENT.max_retries + 1 - tries

    wait_s = CURRENT.wait_s(tries, an_outcome(status, told=told, is_final=is_final), Random(tries))

    assert (wait_s is not None) == (left > 0 and CLIENT._should_retry(response))
    if wait_s is not None:
        theirs = CLIENT._calculate_retry_timeout(left, FinalRequestOptions(method="post", url="/"), response.headers)
        is_rolled = told is None or told <= 0.0
        assert wait_s == pytest.approx(theirs, rel=0.34 if is_rolled else 1e-9)
        assert not is_rolled or 0.75 * 0.5 * 2 ** (tries - 1) <= wait_s <= 0.5 * 2 ** (tries - 1)


def test_jitter_takes_up_to_a_quarter_off() -> None:
    waits = [CURRENT.wait_s(2, an_outcome(), Random(seed)) or 0.0 for seed in range(500)]

    assert 0.75 <= min(waits) < 0.76
    assert 0.99 < max(waits) <= 1.0


def test_an_sdk_goes_on_where_no_answer_came() -> None:
    assert CURRENT.wait_s(1, an_outcome(0), dice()) is not None


def test_an_earlier_sdk_keeps_a_minute_and_goes_by_its_own_waits_beyond() -> None:
    assert EARLIER.wait_s(1, an_outcome(told=60.0), dice()) == 60.0
    assert 0.0 < (EARLIER.wait_s(1, an_outcome(told=61.0), dice()) or 0.0) <= 0.5


def test_a_question_that_is_tried_again_says_so_and_ends_once_counted_from_the_first_try() -> None:
    played = play([_life(CURRENT)], in_turn(refused(), refused(503, 7.0), well))

    retries = [heard.what.retry for heard in played.asks if isinstance(heard.what, Chat)]
    assert retries == [0, 1, 2]
    assert played.asks[2].at_s - played.asks[1].at_s == 7.0
    (ended,) = played.ends
    assert (ended.need, ended.since_s, ended.tries) == (Need.CHAT, 0.0, 3)
    assert ended.outcome.is_complete
    assert ended.outcome.asked_at_s == played.asks[2].at_s


def test_an_sdk_stops_after_two_retries() -> None:
    played = play([_life(CURRENT)], refused())

    assert len(played.asks) == 3
    assert not played.ends[0].outcome.is_complete


def test_a_bug_asks_at_once_whatever_it_is_told_until_it_works() -> None:
    played = play([_life(Bug())], in_turn(*[refused(429, 60.0)] * 30, well))

    assert len(played.asks) == 31
    assert played.asks[-1].at_s == pytest.approx(30 * 0.05)
    assert len(play([_life(Bug(most_retries=5))], refused()).asks) == 6


def test_a_hand_heeds_what_it_is_told_and_is_a_little_late() -> None:
    hand = Hand(presses=2, heeds=True)

    assert (hand.wait_s(1, an_outcome(told=30.0), dice()) or 0.0) > 30.0
    assert hand.wait_s(1, an_outcome(told=130.0), dice()) is None
    assert hand.wait_s(3, an_outcome(), dice()) is None
    assert 0.0 < (hand.wait_s(1, an_outcome(), dice()) or 0.0) < 30.0
    assert (Hand(presses=2, heeds=False).wait_s(1, an_outcome(told=1e6), dice()) or 0.0) < 30.0


@pytest.mark.parametrize("outcome", [an_outcome(0), an_outcome(200), an_outcome(is_final=True)])
def test_a_hand_does_not_press_after_leaving_nor_when_served_nor_when_it_is_no_use(outcome: Outcome) -> None:
    assert Hand(presses=2, heeds=True).wait_s(1, outcome, dice()) is None


def test_hands_tell_nobody_how_often_they_pressed() -> None:
    played = play([_life(Hand(presses=1, heeds=True))], refused())

    assert [heard.what for heard in played.asks] == [QUESTION, QUESTION]
    assert len(play([_life(CURRENT, Page())], refused()).asks) == 3


def test_most_people_press_again_and_most_heed() -> None:
    rolled = dice()
    hands = [by_hand(rolled) for _ in range(2000)]

    assert [sum(hand.presses == presses for hand in hands) / 2000 for presses in (0, 1, 2)] == pytest.approx(
        [0.2, 0.5, 0.3], abs=0.04
    )
    assert sum(hand.heeds for hand in hands) / 2000 == pytest.approx(0.85, abs=0.03)
