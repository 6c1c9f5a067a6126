"""How long questions and answers are."""

from __future__ import annotations

from random import Random

import msgspec


class Lengths(msgspec.Struct, frozen=True, kw_only=True):
    """Prompts and answers (tokens), each evenly from the least to the most."""

    prompt: tuple[int, int] = (40, 60)
    answer: tuple[int, int] = (16, 32)

    @property
    def mean_prompt(self) -> float:
        """Tokens of a prompt in the mean."""
        return sum(self.prompt) / 2

    @property
    def mean_answer(self) -> float:
        """Tokens of an answer in the mean."""
        return sum(self.answer) / 2

    def draw(self, dice: Random) -> tuple[int, int]:
        """Tokens of one prompt and of its answer."""
        return dice.randint(*self.prompt), dice.randint(*self.answer)


def lengths(name: str) -> Lengths:
    """Find lengths by their name."""
    return {"short": Lengths(), "chat-small": Lengths(prompt=(30, 300), answer=(40, 200))}[name]
