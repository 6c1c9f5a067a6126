"""Is it still the same model? Judged by how likely it finds the words that follow a few fixed prompts.

A *reading* is what an engine answered to one of the prompts below: its most
likely first tokens, each with the log-probabilities of those that it weighed.
The readings of a model that is known to be right are its *pin*; later readings
are compared with it. Other weights, another quantisation, another chat template
or a system prompt that somebody puts before ours move these numbers.

The distance of two readings is the mean, over all tokens that either of them
lists at positions with the same words before them, of how far the
log-probability moved (natural logarithm); a token that one of them does not
list counts as far as it must have moved at least. From the first position at
which the two go on with different words, the rest is not compared.

What can never happen is a false alarm by rounding. If no logit of the model
moves by more than e, no log-probability moves by more than 2 e and no distance
exceeds 2 e: below 0.025 the verdict is Same, and below 0.05 never Different,
whichever of two equally likely words was chosen. (But for a model that is as
likely to say nothing at all: an answer without a first token is the farthest.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from tidegate.core.generation.call import Call, ChatCall, Sampling, TextCall, Turn

SAME_BELOW: Final = 0.05
DIFFERENT_FROM: Final = 0.1
FARTHEST: Final = 20.0
"""No distance is larger: also that of an answer that is not there at all."""

PROMPTS_VERSION: Final = 1
"""Counts up when the prompts change: readings of other prompts cannot be compared."""

_POSITIONS = 6
_LIKELY = 8
_TOKEN_CHARS = 64

_GREEDY = Sampling(max_tokens=3, temperature=0.0, seed=1, logprobs=True, top_logprobs=_LIKELY)
# A template that puts the date before a chat would be another one each morning; those of Llama 3 take it from here.
_ON_A_FIXED_DAY = {"date_string": "26 Jul 2024"}


class Part(StrEnum):
    """What a prompt passes through on its way to the weights."""

    WEIGHTS = "weights"
    TEMPLATE = "template"


PROMPTS: Final[tuple[tuple[Part, Call], ...]] = (
    # Without a system message of ours: one that the template adds, or somebody before the engine, shows.
    (
        Part.TEMPLATE,
        ChatCall(
            messages=[Turn(role="user", content="Who are you?")],
            sampling=_GREEDY,
            template_arguments=_ON_A_FIXED_DAY,
        ),
    ),
    # With all that a template marks: a system message, both sides, more than one turn.
    (
        Part.TEMPLATE,
        ChatCall(
            messages=[
                Turn(role="system", content="Answer in one word."),
                Turn(role="user", content="What floats?"),
                Turn(role="assistant", content="Cork."),
                Turn(role="user", content="What sinks?"),
            ],
            sampling=_GREEDY,
            template_arguments=_ON_A_FIXED_DAY,
        ),
    ),
    # Past the template: tells other weights from another template.
    (Part.WEIGHTS, TextCall(prompt="The harbour master opened the gate when the tide", sampling=_GREEDY)),
)
"""Our own words, the same for everybody."""


class Position(msgspec.Struct, frozen=True):
    """One token of an answer, and the log-probabilities of those that could have stood there, itself among them."""

    chosen: str
    likely: dict[str, float]


class Reading(msgspec.Struct, frozen=True):
    """What was answered to one prompt. Without positions: nothing, or no log-probabilities with it."""

    positions: tuple[Position, ...] = ()


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """How a model answered when it was known to be right.

    `sha256` is that of the file, where there is one; `server` where it was, if that is elsewhere.
    """

    model: str
    pinned_at_s: float
    readings: tuple[Reading, ...]
    sha256: str = ""
    server: str = ""
    prompts_version: int = PROMPTS_VERSION

    @property
    def is_usable(self) -> bool:
        """Whether it was made with the prompts of today."""
        return self.prompts_version == PROMPTS_VERSION and len(self.readings) == len(PROMPTS)


class NotComparableReason(StrEnum):
    """Why nothing can be said."""

    NO_LOGPROBS = "no_logprobs"
    UNSTEADY = "unsteady"


class Same(msgspec.Struct, frozen=True):
    """It answers as it was pinned."""

    distance: float


class Drifted(msgspec.Struct, frozen=True):
    """More than rounding, less than another model: an update of the engine, a date in the chat template."""

    distance: float
    part: Part


class Different(msgspec.Struct, frozen=True):
    """It is not what was pinned. `part`: another template or system prompt is enough to explain it, or is not."""

    distance: float
    part: Part


class NotComparable(msgspec.Struct, frozen=True):
    """There is nothing to compare."""

    reason: NotComparableReason


Verdict = Same | Drifted | Different | NotComparable


class _Likely(msgspec.Struct):
    token: str
    logprob: float


class _Chosen(_Likely):
    top_logprobs: list[_Likely] = []


class _Chunk(msgspec.Struct):
    content: list[_Chosen] | None = None


def positions(logprobs: Any) -> tuple[Position, ...]:
    """Read what an engine says of the tokens of one piece; what it does not say in the API's form is left out."""
    try:
        said = msgspec.convert(logprobs, _Chunk).content or []
    except msgspec.ValidationError:
        return ()
    return tuple(_position(one) for one in said[:_POSITIONS])


def joined(pieces: Sequence[Position]) -> Reading:
    """One reading of all the pieces of an answer."""
    return Reading(tuple(pieces[:_POSITIONS]))


def _position(said: _Chosen) -> Position:
    likely: dict[str, float] = {}
    for one in (*said.top_logprobs[: 2 * _LIKELY], said):
        # Parts of a character look alike: the likeliest of them stands for all.
        likely.setdefault(one.token[:_TOKEN_CHARS], _bounded(one.logprob))
    return Position(said.token[:_TOKEN_CHARS], likely)


def _bounded(logprob: float) -> float:
    return -FARTHEST if math.isnan(logprob) else min(0.0, max(-FARTHEST, logprob))


def compare(pinned: Sequence[Reading], found: Sequence[Reading]) -> Verdict:
    """Judge the readings of all prompts at once."""
    if not any(reading.positions for reading in pinned) or not any(reading.positions for reading in found):
        return NotComparable(NotComparableReason.NO_LOGPROBS)
    farthest = dict.fromkeys(Part, 0.0)
    for (part, _), before, now in zip(PROMPTS, pinned, found, strict=True):
        farthest[part] = max(farthest[part], distance(before, now))
    most = max(farthest.values())
    if most < SAME_BELOW:
        return Same(most)
    # Other weights move the answers to all prompts, the template only those that pass through it.
    part = Part.WEIGHTS if farthest[Part.WEIGHTS] >= SAME_BELOW else Part.TEMPLATE
    return Different(most, part) if most >= DIFFERENT_FROM else Drifted(most, part)


def likest(pinned: Sequence[Sequence[Reading]], found: Sequence[Reading]) -> Verdict:
    """Judge a server that has no pin yet by the pins of others: what the one of them says that it is most like.

    What it does not answer at all is left out: another make of server may take no plain texts.
    """
    verdicts = [
        compare([before if now.positions else Reading() for before, now in zip(one, found, strict=True)], found)
        for one in pinned
    ]
    return min(verdicts, key=lambda one: math.inf if isinstance(one, NotComparable) else one.distance)


def distance(before: Reading, now: Reading) -> float:
    """How far one prompt's answer moved, in nats a token; see the head of this file."""
    if before.positions and not now.positions:
        return FARTHEST
    moved: list[float] = []
    # The end of an answer is no token that engines list: where one of the two ends sooner, nothing is compared.
    for one, other in zip(before.positions, now.positions, strict=False):
        tokens = one.likely.keys() | other.likely.keys()
        moved.extend(abs(_at(one.likely, other.likely, token)) for token in tokens)
        if one.chosen != other.chosen:
            break
    return sum(moved) / len(moved) if moved else 0.0


def _at(one: Mapping[str, float], other: Mapping[str, float], token: str) -> float:
    """How far a token moved at least: what is not listed is no likelier than the least of what is."""
    here, there = one.get(token), other.get(token)
    if here is not None and there is not None:
        return here - there
    listed, rest = (here, other) if here is not None else (there, one)
    assert listed is not None, "a token of neither"
    return max(0.0, listed - min(rest.values()))
