"""How text becomes tokens is learned from what a service counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.lab.live.pretender import Pretender
from tests.lab.live.test_entering import served
from tidegate.lab.live.prompts import Prompts
from tidegate.lab.live.service import LiveError
from tidegate.lab.live.tongue import FINE, LONG_WORDS, Tongue, learned, learned_grains, tongue_of


def test_words_and_what_stands_around_them_are_learned_from_two_prompts() -> None:
    tongue = learned([(8, 46), (60, 124)])

    assert (tongue.tokens_per_word, tongue.around) == (1.5, 34.0)
    assert Prompts(1, tongue).around == 34.0
    assert learned([(8, 40)]).tokens_per_word == 1.0


def test_the_other_grains_are_learned_from_a_prompt_of_each_within_bounds() -> None:
    tongue = learned_grains(Tongue(around=30.0), 48, 126, 54)

    assert (tongue.tokens_per_pair, tongue.tokens_per_long) == (2.0, 0.5)
    assert learned_grains(Tongue(around=30.0), 48, 20_000, 0).tokens_per_pair == 8.0


class Counting(Pretender):
    """Counts a token for each word, and one for each digit and each sign; keeps what was asked."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self.texts: list[str] = []

    async def chat(self, request: web.Request) -> web.StreamResponse:
        wanted = await request.json()
        (text,) = [message["content"] for message in wanted["messages"]]
        self.texts.append(text)
        tokens = len(text) if text[0].isdigit() else len(text.split())
        usage: dict[str, Any] = {"prompt_tokens": 25 + tokens, "completion_tokens": 1}
        return web.json_response({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": usage})


async def test_a_service_is_asked_twice_and_where_bombs_are_thrown_for_the_other_grains_first(tmp_path: Path) -> None:
    counting = Counting(tmp_path)
    async with served(counting.public()) as lines:
        plain = await tongue_of(lines, "m", "sk-1")
        armed = await tongue_of(lines, "m", "sk-1", has_bombs=True)

    assert plain == armed == Tongue(tokens_per_word=1.0, around=25.0)
    assert [len(text.split()) for text in counting.texts] == [8, 60, 1, 48, 8, 60]
    assert counting.texts[2].startswith("".join(FINE.units[:3]))
    assert set(counting.texts[3].split()) == set(LONG_WORDS)


async def test_a_service_that_does_not_answer_is_told_by_what_it_said(tmp_path: Path) -> None:
    class Shut(Pretender):
        async def chat(self, request: web.Request) -> web.StreamResponse:
            return web.json_response({"error": {"code": "slow_down"}}, status=429)

    async with served(Shut(tmp_path).public()) as lines:
        with pytest.raises(LiveError, match="429 slow_down"):
            await tongue_of(lines, "m", "sk-1")
