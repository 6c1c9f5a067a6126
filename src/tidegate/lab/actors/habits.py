"""How people use a chat: how many questions, how long they are, how long somebody reads and thinks in between.

Between an answer and the next question somebody reads and then does something else: thinks, types, looks away.
Reading takes as many words as the answer has at the reader's speed, where people skim: of long answers they
read what fits into half of the scenario's `think_s`. The rest is lognormal, so that both together come to
`think_s` in the median. What failed is not read.
"""

from __future__ import annotations

import math
from random import Random
from typing import Final

import msgspec

from tidegate.lab.scenario import People
from tidegate.lab.traces.lengths import Lengths, lengths

WORDS_PER_S: Final = 4.0
"""Silent reading of English non-fiction: 238 words a minute (Brysbaert 2019)."""

WORDS_A_TOKEN: Final = 0.75
"""Of English text, about, for tokenizers of today. Assumed."""

READING_SPREAD: Final = 0.3
"""Sigma of reading: most adults read 175 to 300 words a minute (Brysbaert 2019), and not all of an answer."""

THINKING_SPREAD: Final = 0.8
"""Sigma of the rest. Assumed: a long tail, as of pauses between pages (Liu, White and Dumais 2010)."""

PROGRAM_S: Final = 1.0
PROGRAM_SPREAD: Final = 0.5
"""A program's pause between an answer and the next question (median, sigma). Assumed."""

SDK_TIMEOUT_S: Final = 600.0
"""How long a program waits for an answer: the default of the stock SDKs."""

MAX_TOKENS: Final = 1024
"""What clients ask for at the most, unless the answer is longer."""

_MOST_QUESTIONS: Final = 10_000
_SAME: Final = 0.01
_GREETINGS: Final = 40
_MOST_TIMES_MEAN: Final = 8.0


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """See the head of this file. `read_part` is how much of an answer is read, `rest_s` the median of the rest."""

    lengths: Lengths
    turns: float
    patience_s: float
    read_part: float
    rest_s: float

    def questions(self, dice: Random) -> int:
        """How many a session has: geometric, so that nobody can tell from those asked how many are to come."""
        if self.turns <= 1.0:
            return 1
        drawn = math.log(1.0 - dice.random()) / math.log1p(-1.0 / self.turns)
        return min(1 + int(drawn), _MOST_QUESTIONS)

    def pause_s(self, answer_tokens: int, dice: Random, *, is_program: bool = False) -> float:
        """How long after an answer the next question comes."""
        if is_program:
            return PROGRAM_S * math.exp(dice.gauss(0.0, PROGRAM_SPREAD))
        read_s = answer_tokens * WORDS_A_TOKEN / WORDS_PER_S * self.read_part
        if read_s:
            read_s *= math.exp(dice.gauss(0.0, READING_SPREAD))
        return read_s + self.rest_s * math.exp(dice.gauss(0.0, THINKING_SPREAD))

    def mean_pause_s(self, *, is_program: bool = False) -> float:
        """Its mean, over all answers."""
        if is_program:
            return PROGRAM_S * _mean(PROGRAM_SPREAD)
        read_s = self.lengths.mean_answer * WORDS_A_TOKEN / WORDS_PER_S * self.read_part
        return read_s * _mean(READING_SPREAD) + self.rest_s * _mean(THINKING_SPREAD)

    def left_s(self, dice: Random, *, is_program: bool) -> float:
        """How long it still is to the next question for somebody met between two: a long pause is met more often."""
        most_s = _MOST_TIMES_MEAN * self.mean_pause_s(is_program=is_program)
        while True:
            pause_s = self.pause_s(self.lengths.draw(dice)[1], dice, is_program=is_program)
            if dice.random() * most_s < pause_s:
                return pause_s * dice.random()


def habits(people: People) -> Habits:
    """Build those of a scenario's people."""
    drawn = lengths(people.lengths)
    whole_s = drawn.mean_answer * WORDS_A_TOKEN / WORDS_PER_S
    read_part = min(1.0, 0.5 * people.think_s / whole_s)
    return Habits(
        lengths=drawn,
        turns=people.turns,
        patience_s=people.patience_s,
        read_part=read_part,
        rest_s=people.think_s - whole_s * read_part,
    )


def body(dice: Random) -> int:
    """Draw the fingerprint of a question: its own but for greetings, of which some are alike to the letter.

    Of the questions of a conversation trace 1 % had been asked before (Mooncake 2024, measured).
    """
    if dice.random() < _SAME:
        return 1 + int(_GREETINGS * dice.random() ** 3)
    return dice.getrandbits(62) | 1 << 62


def _mean(sigma: float) -> float:
    """What a lognormal distribution's mean is of its median."""
    return math.exp(sigma * sigma / 2.0)
