"""What is asked, as text: so many tokens as wanted within a few percent, and alike where it should be.

Prompts are English words that most tokenizers know as one token. How many tokens a word comes to, and how many
stand around a message (the chat template), is learned from what the service counts.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from typing import Any, Final

import msgspec

from tidegate.lab.acts import Chat

WORDS: Final = (
    *("tide", "water", "moon", "shore", "boat", "wind", "stone", "light", "river", "gate"),
    *("sand", "wave", "night", "bird", "fish", "house", "garden", "road", "morning", "winter"),
)
MOST_TOKENS: Final = 200_000
MOST_CONVERSATIONS: Final = 10_000
MOST_KEPT_LETTERS: Final = 40_000
"""Of one conversation: a longer one begins anew."""
_STOCK_WORDS: Final = 8192
_VARIED: Final = 12
"""Of a template's words, every so manyth is a body's own."""
_OWN_WORDS: Final = 5
_BETWEEN: Final = 11.0
"""Tokens around a further message of a conversation, as ChatML has them (Qwen, SmolLM and many others)."""


class Tongue(msgspec.Struct, frozen=True):
    """How text becomes tokens: `tokens_per_word` of ours, and `around` one message."""

    tokens_per_word: float = 1.0
    around: float = 30.0

    def words(self, tokens: float, *, has_template: bool = True) -> int:
        """How many words come to so many tokens; at least one."""
        net = min(tokens, MOST_TOKENS) - (self.around if has_template else _BETWEEN)
        return max(1, round(net / self.tokens_per_word))


def learned(counted: list[tuple[int, int]]) -> Tongue:
    """What prompts of so many words came to in tokens, as a line through two of them or more."""
    least, most = min(counted), max(counted)
    per_word = (most[1] - least[1]) / (most[0] - least[0]) if most[0] > least[0] else 1.0
    per_word = min(8.0, max(0.25, per_word))
    return Tongue(tokens_per_word=per_word, around=max(0.0, least[1] - per_word * least[0]))


class Prompts:
    """Composes texts; equal for equal seeds and equal order of asking."""

    def __init__(self, seed: int, tongue: Tongue) -> None:
        """Nothing was asked yet."""
        self._seed = seed
        self._tongue = tongue
        dice = random.Random(f"{seed}/stock")  # noqa: S311 - seeded, not secret
        self._stock = dice.choices(WORDS, k=2 * _STOCK_WORDS)
        self._own = random.Random(f"{seed}/own")  # noqa: S311 - seeded, not secret

    @property
    def around(self) -> float:
        """Tokens around a message."""
        return self._tongue.around

    def text(self, chat: Chat, *, has_template: bool = True) -> str:
        """The words of a question. A `body` is the same to the letter; without one (0) it is a text of its own."""
        count = self._tongue.words(chat.prompt_tokens - chat.cached_tokens, has_template=has_template)
        if not chat.body and not chat.template:
            return self._own_text(count)
        words = self._words(self._place(f"template/{chat.template or chat.body}"), count)
        dice = self._own if not chat.body else random.Random(f"{self._seed}/body/{chat.body}")  # noqa: S311 - seeded
        for number in range(0, count, _VARIED):
            words[number] = dice.choice(WORDS)
        return " ".join(words)

    def _own_text(self, count: int) -> str:
        words = self._words(self._own.randrange(_STOCK_WORDS), count)
        own = min(count, _OWN_WORDS)
        words[:own] = self._own.choices(WORDS, k=own)
        return " ".join(words)

    def _place(self, name: str) -> int:
        return random.Random(f"{self._seed}/{name}").randrange(_STOCK_WORDS)  # noqa: S311 - seeded, not secret

    def _words(self, place: int, count: int) -> list[str]:
        words = self._stock[place : place + count]
        while len(words) < count:
            words += self._stock[: count - len(words)]
        return words


class Conversations:
    """What was said last with whom, so that the next question can go on from it."""

    def __init__(self) -> None:
        """Nobody said anything."""
        self._kept: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()

    def before(self, name: str, chat: Chat) -> list[dict[str, Any]]:
        """The messages before this question: none where nothing of it is known already."""
        return self._kept.get(name, []) if chat.cached_tokens else []

    def keep(self, name: str, messages: list[dict[str, Any]], answer: str) -> None:
        """Keep what was said; the longest unused goes first."""
        whole = [*messages, {"role": "assistant", "content": answer}]
        if sum(len(message["content"]) for message in whole) > MOST_KEPT_LETTERS:
            self._kept.pop(name, None)
            return
        self._kept[name] = whole
        self._kept.move_to_end(name)
        if len(self._kept) > MOST_CONVERSATIONS:
            self._kept.popitem(last=False)
