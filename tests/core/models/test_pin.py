"""Rounding is never taken for another model, and another model is not taken for the pinned one."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.generation.call import ChatCall, TextCall
from tidegate.core.models.pin import (
    DIFFERENT_FROM,
    FARTHEST,
    PROMPTS,
    SAME_BELOW,
    Different,
    Drifted,
    NotComparable,
    NotComparableReason,
    Part,
    Pin,
    Position,
    Reading,
    Same,
    compare,
    distance,
    joined,
    likest,
    positions,
)

WORDS = 12
LISTED = 8


class Model:
    """A model of twelve words, whose logits after any words before are its own; `noise` moves each by at most that."""

    def __init__(self, seed: int, noise: float = 0.0, noise_seed: int = 0, flatness: float = 1.0) -> None:
        self.seed, self.noise, self.noise_seed, self.flatness = seed, noise, noise_seed, flatness

    def reading(self, prompt: int) -> Reading:
        said: tuple[int, ...] = ()
        read: list[Position] = []
        for _ in range(3):
            logprobs = self._logprobs(prompt, said)
            ranked = sorted(range(WORDS), key=lambda word: -logprobs[word])
            likely = {str(word): logprobs[word] for word in ranked[:LISTED]}
            read.append(Position(str(ranked[0]), likely))
            said = (*said, ranked[0])
        return joined(read)

    def readings(self) -> list[Reading]:
        return [self.reading(prompt) for prompt in range(len(PROMPTS))]

    def _logprobs(self, prompt: int, said: tuple[int, ...]) -> list[float]:
        own = random.Random(f"{self.seed} {prompt} {said}")
        rounding = random.Random(f"{self.noise_seed} {prompt} {said}")
        logits = [own.gauss(0, self.flatness) + rounding.uniform(-self.noise, self.noise) for _ in range(WORDS)]
        total = math.log(sum(map(math.exp, logits)))
        return [logit - total for logit in logits]


seeds = st.integers(0, 10_000)
# Down to models that find all words nearly alike: there rounding changes which word is chosen.
flatnesses = st.sampled_from([0.001, 0.05, 1.0, 4.0])


@given(seeds, seeds, seeds, flatnesses, st.floats(0, SAME_BELOW / 2 * 0.999))
def test_rounding_below_a_fortieth_of_a_nat_is_the_same(
    seed: int, one: int, other: int, flatness: float, noise: float
) -> None:
    """The bound on false alarms: no distance exceeds twice what a logit moved."""
    # Both sides are rounded, each by half of it.
    pinned, found = Model(seed, noise / 2, one, flatness), Model(seed, noise / 2, other, flatness)
    verdict = compare(pinned.readings(), found.readings())

    assert isinstance(verdict, Same)
    assert verdict.distance <= 2 * noise + 1e-9


@given(seeds, seeds, flatnesses, st.floats(0, DIFFERENT_FROM / 2 * 0.999))
def test_rounding_below_a_twentieth_of_a_nat_is_no_other_model(
    seed: int, other: int, flatness: float, noise: float
) -> None:
    verdict = compare(Model(seed, 0, 0, flatness).readings(), Model(seed, noise, other, flatness).readings())

    assert not isinstance(verdict, Different)


@given(seeds, seeds)
def test_another_model_is_different_also_past_the_template(one: int, other: int) -> None:
    verdict = compare(Model(one).readings(), Model(other).readings())

    if one == other:
        assert verdict == Same(0.0)
    else:
        assert isinstance(verdict, Different)
        assert verdict.part is Part.WEIGHTS


@given(seeds, seeds.filter(bool))
def test_what_moves_only_prompts_that_pass_through_the_template_is_put_down_to_it(seed: int, shift: int) -> None:
    pinned, other = Model(seed).readings(), Model(seed + shift).readings()
    mixed = [
        before if part is Part.WEIGHTS else now for (part, _), before, now in zip(PROMPTS, pinned, other, strict=True)
    ]
    verdict = compare(pinned, mixed)

    assert isinstance(verdict, Different)
    assert verdict.part is Part.TEMPLATE


def one_position(*logprobs: float) -> Reading:
    return Reading((Position("0", {str(place): logprob for place, logprob in enumerate(logprobs)}),))


def of_all(reading: Reading) -> list[Reading]:
    return [reading] * len(PROMPTS)


def test_what_is_more_than_rounding_and_less_than_another_model_has_drifted() -> None:
    verdict = compare(of_all(one_position(-1.0, -2.0)), of_all(one_position(-1.07, -2.07)))

    assert isinstance(verdict, Drifted)
    assert verdict.distance == pytest.approx(0.07)
    assert verdict.part is Part.WEIGHTS


def test_a_token_that_is_not_listed_counts_as_far_as_it_must_have_moved() -> None:
    before = Reading((Position("a", {"a": -0.5, "b": -1.0}),))
    now = Reading((Position("a", {"a": -0.5, "c": -3.0}),))

    # b fell by 2 at least, to below c; c may have been there before, just below b.
    assert distance(before, now) == pytest.approx((0 + 2 + 0) / 3)


def test_after_another_word_nothing_is_compared() -> None:
    before = Reading((Position("a", {"a": -0.7, "b": -0.7}), Position("x", {"x": -0.1})))
    now = Reading((Position("b", {"a": -0.7, "b": -0.7}), Position("y", {"y": -9.0})))

    assert distance(before, now) == 0


def test_an_answer_that_ends_sooner_is_compared_as_far_as_it_goes() -> None:
    whole = Reading((Position("a", {"a": -0.7}), Position("x", {"x": -0.1})))

    assert distance(whole, Reading(whole.positions[:1])) == 0


def test_no_answer_where_there_was_one_is_the_farthest_and_none_before_says_nothing() -> None:
    some = one_position(-1.0)

    assert distance(some, Reading()) == FARTHEST
    assert distance(Reading(), some) == 0
    assert isinstance(compare([some, some, some], [some, Reading(), some]), Different)


def test_without_log_probabilities_nothing_can_be_said() -> None:
    none, some = of_all(Reading()), of_all(one_position(-1.0))

    for pinned, found in ((none, some), (some, none)):
        assert compare(pinned, found) == NotComparable(NotComparableReason.NO_LOGPROBS)


def said(*tokens: tuple[str, float]) -> dict[str, Any]:
    return {"token": tokens[0][0], "logprob": tokens[0][1], "top_logprobs": [_one(*token) for token in tokens]}


def _one(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": [1], "id": 7}


def test_what_an_engine_says_in_the_apis_form_is_read() -> None:
    found = positions({"content": [said(("a", -0.5), ("b", -1.5)), said(("c", -0.1))]})

    assert found == (Position("a", {"a": -0.5, "b": -1.5}), Position("c", {"c": -0.1}))


@pytest.mark.parametrize(
    "nonsense", [None, 1, "words", [], {}, {"content": None}, {"content": 3}, {"content": [{"token": 1}]}]
)
def test_what_is_not_in_the_apis_form_says_nothing(nonsense: object) -> None:
    assert positions(nonsense) == ()


def test_no_engine_can_make_a_reading_large_or_endless() -> None:
    huge = [("x" * 10_000 + str(number), -float(number)) for number in range(1000)]
    (found,) = positions({"content": [said(*huge)]})[:1]

    assert len(found.likely) <= 17
    assert max(map(len, (found.chosen, *found.likely))) <= 64
    assert len(positions({"content": [said(("a", -1.0))] * 1000})) == 6
    assert len(joined([found] * 1000).positions) == 6


@pytest.mark.parametrize(
    ("given_logprob", "kept"),
    [(-math.inf, -FARTHEST), (math.nan, -FARTHEST), (-1e300, -FARTHEST), (math.inf, 0.0), (3.0, 0.0), (-2.0, -2.0)],
)
def test_a_log_probability_is_a_number_within_bounds(given_logprob: float, kept: float) -> None:
    (found,) = positions({"content": [said(("a", given_logprob))]})

    assert found.likely == {"a": kept}


def test_the_likeliest_of_tokens_that_look_alike_stands_for_them() -> None:
    (found,) = positions({"content": [said(("�", -0.5), ("�", -3.0))]})

    assert found.likely == {"�": -0.5}


def test_a_pin_of_other_prompts_is_of_no_use() -> None:
    pin = Pin(model="m", pinned_at_s=1.0, readings=tuple(of_all(one_position(-1.0))))
    assert pin.is_usable

    assert not Pin(model="m", pinned_at_s=1.0, readings=pin.readings[1:]).is_usable
    assert not Pin(model="m", pinned_at_s=1.0, readings=pin.readings, prompts_version=0).is_usable


def test_the_prompts_are_short_greedy_and_show_template_and_weights() -> None:
    for part, call in PROMPTS:
        assert isinstance(call, TextCall) is (part is Part.WEIGHTS)
        assert call.sampling.temperature == 0.0
        assert call.sampling.max_tokens is not None
        assert call.sampling.max_tokens <= 6
    systems = [
        any(turn.role == "system" for turn in call.messages) for _, call in PROMPTS if isinstance(call, ChatCall)
    ]
    assert sorted(systems) == [False, True], "a default system prompt shows only where there is none of ours"


# ---------------------------------------------------------------- one of several


def test_a_server_is_judged_by_the_pin_that_it_is_most_like() -> None:
    near, far = of_all(one_position(-1.0, -2.0)), of_all(one_position(-9.0, -9.0))
    found = of_all(one_position(-1.07, -2.07))

    for pins in ([near, far], [far, near]):
        verdict = likest(pins, found)
        assert isinstance(verdict, Drifted)
        assert verdict.distance == pytest.approx(0.07)
    assert isinstance(likest([far], found), Different)


def test_a_prompt_that_a_new_server_does_not_take_is_no_sign_of_another_model() -> None:
    """As a pin of its own it would be: what it took before, it has to take."""
    pinned = of_all(one_position(-1.0, -2.0))
    found = [
        reading if part is Part.TEMPLATE else Reading() for (part, _), reading in zip(PROMPTS, pinned, strict=True)
    ]

    assert likest([pinned], found) == Same(0.0)
    assert isinstance(compare(pinned, found), Different)


def test_a_new_server_without_log_probabilities_is_like_none() -> None:
    pinned = of_all(one_position(-1.0, -2.0))

    assert likest([pinned, pinned], of_all(Reading())) == NotComparable(NotComparableReason.NO_LOGPROBS)
    other = [Reading(), *pinned[1:]]
    assert isinstance(likest([of_all(Reading()), pinned], other), Same)
