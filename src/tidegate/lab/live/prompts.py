"""What is asked, as text: so many tokens as wanted within a few percent, and alike where it should be."""

from __future__ import annotations

import random
from collections import OrderedDict
from typing import Any, Final

from tidegate.lab.acts import Chat
from tidegate.lab.live.tongue import PLAIN, Grain, Tongue

MOST_CONVERSATIONS: Final = 10_000
MOST_KEPT_LETTERS: Final = 40_000
"""Of one conversation: a longer one begins anew."""
_STOCK_WORDS: Final = 8192
_VARIED: Final = 12
"""Of a template's words, every so manyth is a body's own."""
_OWN_WORDS: Final = 5


class Prompts:
    """Composes texts; equal for equal seeds and equal order of asking."""

    def __init__(self, seed: int, tongue: Tongue) -> None:
        """Nothing was asked yet."""
        self._seed = seed
        self._tongue = tongue
        self._stocks: dict[Grain, list[str]] = {}
        self._stock(PLAIN)
        self._own = random.Random(f"{seed}/own")  # noqa: S311 - seeded, not secret

    @property
    def around(self) -> float:
        """Tokens around a message."""
        return self._tongue.around

    def text(self, chat: Chat, *, has_template: bool = True) -> str:
        """The words of a question. A `body` is the same to the letter; without one (0) it is a text of its own."""
        tokens, tongue = chat.prompt_tokens - chat.cached_tokens, self._tongue
        if chat.bytes_per_token is None:
            return self._of(PLAIN, tongue.words(tokens, has_template=has_template), chat)
        parts = tongue.mixture(tokens, chat.bytes_per_token, has_template=has_template)
        return " ".join(self._of(grain, count, chat) for grain, count in parts)

    def _of(self, grain: Grain, count: int, chat: Chat) -> str:
        if not chat.body and not chat.template:
            return self._own_text(grain, count)
        units = self._units(grain, self._place(f"template/{chat.template or chat.body}"), count)
        dice = self._own if not chat.body else random.Random(f"{self._seed}/body/{chat.body}")  # noqa: S311 - seeded
        for number in range(0, count, _VARIED):
            units[number] = dice.choice(grain.units)
        return grain.text(units)

    def _own_text(self, grain: Grain, count: int) -> str:
        units = self._units(grain, self._own.randrange(_STOCK_WORDS), count)
        own = min(count, _OWN_WORDS)
        units[:own] = self._own.choices(grain.units, k=own)
        return grain.text(units)

    def _place(self, name: str) -> int:
        return random.Random(f"{self._seed}/{name}").randrange(_STOCK_WORDS)  # noqa: S311 - seeded, not secret

    def _units(self, grain: Grain, place: int, count: int) -> list[str]:
        stock = self._stock(grain)
        units = stock[place : place + count]
        while len(units) < count:
            units += stock[: count - len(units)]
        return units

    def _stock(self, grain: Grain) -> list[str]:
        found = self._stocks.get(grain)
        if found is None:
            dice = random.Random(f"{self._seed}/stock")  # noqa: S311 - seeded, not secret
            found = self._stocks[grain] = dice.choices(grain.units, k=2 * _STOCK_WORDS)
        return found


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
