"""How text becomes tokens: words that most tokenizers know as one, and grains whose tokens have another size in bytes.

How many tokens a word comes to, and how many stand around a message (the chat template), is learned from what the
service counts. Where a prompt is wanted whose tokens are shorter or longer than a word, a part of it is of another
grain. Digits between signs come to a token a byte, as tokenizers cut between the two (the byte-level BPE of GPT-2 and
its heirs): by its bytes such a prompt passes for a fraction of what it is. Long words that are one token pass for more.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from tidegate.lab.acts import Chat
from tidegate.lab.live.browser import answer_of
from tidegate.lab.live.lines import Lines
from tidegate.lab.live.questions import chat_request
from tidegate.lab.live.service import LiveError

WORDS: Final = (
    *("tide", "water", "moon", "shore", "boat", "wind", "stone", "light", "river", "gate"),
    *("sand", "wave", "night", "bird", "fish", "house", "garden", "road", "morning", "winter"),
)
LONG_WORDS: Final = (
    *("administration", "characteristics", "communication", "environmental", "independent", "infrastructure"),
    *("international", "organizations", "particularly", "responsibility", "transportation", "understanding"),
)
_SIGNS: Final = "~^@#%&*+="
MOST_TOKENS: Final = 200_000
OWN_ADDRESS: Final = "127.0.0.9"
"""Of who asks for the rehearsal's own sake."""
_BETWEEN: Final = 11.0
"""Tokens around a further message of a conversation, as ChatML has them (Qwen, SmolLM and many others)."""
_LEARNED_FROM: Final = (8, 60)
_WARM_TOKENS: Final = 40
_GRAINS: Final = 48
_PATIENCE_S: Final = 120.0


class Grain(NamedTuple):
    """What a text can be made of: units, and what stands between two of them."""

    units: tuple[str, ...]
    between: str

    @property
    def size_bytes(self) -> float:
        """Of one unit with what stands before it, in the mean."""
        return sum(map(len, self.units)) / len(self.units) + len(self.between)

    def text(self, units: list[str]) -> str:
        """These units as text."""
        return self.between.join(units)


PLAIN: Final = Grain(WORDS, " ")
FINE: Final = Grain(tuple(f"{digit}{sign}" for digit in range(10) for sign in _SIGNS), "")
COARSE: Final = Grain(LONG_WORDS, " ")


class Tongue(msgspec.Struct, frozen=True):
    """How text becomes tokens: `tokens_per_word` of ours, and `around` one message.

    `tokens_per_pair` of a digit and a sign, `tokens_per_long` of a long word.
    """

    tokens_per_word: float = 1.0
    around: float = 30.0
    tokens_per_pair: float = 2.0
    tokens_per_long: float = 1.0

    def words(self, tokens: float, *, has_template: bool = True) -> int:
        """How many words come to so many tokens; at least one."""
        return max(1, round(self._net(tokens, has_template=has_template) / self.tokens_per_word))

    def mixture(self, tokens: float, bytes_per_token: float, *, has_template: bool = True) -> list[tuple[Grain, int]]:
        """What comes to so many tokens of that size, as far as there are any: each grain and how many units of it."""
        net = max(1.0, self._net(tokens, has_template=has_template))
        usual = PLAIN.size_bytes / self.tokens_per_word
        is_fine = bytes_per_token < usual
        grain, per_unit = (FINE, self.tokens_per_pair) if is_fine else (COARSE, self.tokens_per_long)
        # Where this tongue's other grain is no other, plain words are as near as it comes.
        wanted, had = abs(bytes_per_token - usual), (grain.size_bytes / per_unit - usual) * (-1.0 if is_fine else 1.0)
        share = min(1.0, wanted / had) if had > 0.0 else 0.0
        parts = ((grain, round(net * share / per_unit)), (PLAIN, round(net * (1.0 - share) / self.tokens_per_word)))
        return [part for part in parts if part[1]] or [(PLAIN, 1)]

    def _net(self, tokens: float, *, has_template: bool) -> float:
        return min(tokens, MOST_TOKENS) - (self.around if has_template else _BETWEEN)


def learned(counted: list[tuple[int, int]]) -> Tongue:
    """What prompts of so many words came to in tokens, as a line through two of them or more."""
    least, most = min(counted), max(counted)
    per_word = _bounded((most[1] - least[1]) / (most[0] - least[0])) if most[0] > least[0] else 1.0
    return Tongue(tokens_per_word=per_word, around=max(0.0, least[1] - per_word * least[0]))


def learned_grains(tongue: Tongue, units: int, fine_tokens: int, coarse_tokens: int) -> Tongue:
    """The same with what so many units of each of the other grains came to, in prompts of their own."""
    return msgspec.structs.replace(
        tongue,
        tokens_per_pair=_bounded((fine_tokens - tongue.around) / units),
        tokens_per_long=_bounded((coarse_tokens - tongue.around) / units),
    )


def _bounded(tokens_per_unit: float) -> float:
    return min(8.0, max(0.25, tokens_per_unit))


async def tongue_of(lines: Lines, model: str, key: str, *, has_bombs: bool = False) -> Tongue:
    """How our words become tokens, by asking twice; the service learns by that how fast its engine is, too.

    With `has_bombs` the other grains are asked for as well, first: what the service learned by them of prompts' sizes
    is then the older.
    """

    async def counted(text: str, answer_tokens: int) -> int:
        chat = Chat(prompt_tokens=1, answer_tokens=answer_tokens)
        content = chat_request(model, chat, [{"role": "user", "content": text}], key, "lab")
        heard = await answer_of(lines, content, OWN_ADDRESS, _PATIENCE_S)
        if heard.usage is None:
            msg = f"the service answered the first question with {heard.status} {heard.reason}"
            raise LiveError(msg)
        return heard.usage.prompt_tokens

    grains = [await counted(grain.text(_some(grain, _GRAINS)), 1) for grain in (FINE, COARSE)] if has_bombs else []
    tongue = learned([(words, await counted(PLAIN.text(_some(PLAIN, words)), _WARM_TOKENS)) for words in _LEARNED_FROM])
    return learned_grains(tongue, _GRAINS, *grains) if grains else tongue


def _some(grain: Grain, count: int) -> list[str]:
    return [grain.units[number % len(grain.units)] for number in range(count)]
