"""Texts of so many tokens, alike where they should be."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.lab.acts import Chat
from tidegate.lab.live import prompts as room
from tidegate.lab.live.prompts import Conversations, Prompts
from tidegate.lab.live.tongue import PLAIN, Tongue


def chat(tokens: int = 60, **more: Any) -> Chat:
    return Chat(prompt_tokens=tokens, answer_tokens=8, **more)


def prompts(seed: int = 1) -> Prompts:
    return Prompts(seed, Tongue(tokens_per_word=1.0, around=30.0))


@pytest.mark.parametrize("tokens", [31, 60, 500, 20_000])
@pytest.mark.parametrize("kind", [{}, {"body": 4}, {"template": 2}])
def test_a_text_has_the_tokens_that_are_wanted(tokens: int, kind: dict[str, int]) -> None:
    assert len(prompts().text(chat(tokens, **kind)).split()) == tokens - 30


def test_the_same_body_is_the_same_to_the_letter_and_no_body_is_a_text_of_its_own() -> None:
    one, other = prompts(), prompts()
    own = [one.text(chat()) for _ in range(20)]

    assert one.text(chat(body=9)) == one.text(chat(body=9)) == other.text(chat(body=9))
    assert one.text(chat(body=9)) != one.text(chat(body=10))
    assert len(set(own)) == 20
    assert prompts(1).text(chat(body=9)) != prompts(2).text(chat(body=9))


def test_the_same_template_is_nearly_the_same() -> None:
    one = prompts()
    first, second = (one.text(chat(430, template=3, body=body)).split() for body in (1, 2))
    same = sum(mine == theirs for mine, theirs in zip(first, second, strict=True))

    assert 0.9 * 400 <= same < 400


@pytest.mark.parametrize("kind", [{}, {"body": 4}, {"template": 2}])
@pytest.mark.parametrize(("wanted", "had"), [(1.0, 1.0), (3.0, 3.0), (5.9, 5.9), (9.0, 9.0), (30.0, 14.3)])
def test_a_token_has_as_many_bytes_as_are_wanted_as_far_as_there_are_such(
    wanted: float, had: float, kind: dict[str, int]
) -> None:
    text = prompts().text(chat(1030, bytes_per_token=wanted, **kind))

    assert counted(text) == pytest.approx(1000, rel=0.01)
    assert len(text) / 1000 == pytest.approx(had, rel=0.05)


def counted(text: str) -> int:
    """As a tokenizer does that knows our words and cuts between digits and signs."""
    return sum(len(word) if word[0].isdigit() else 1 for word in text.split())


def test_a_bomb_of_the_same_body_is_the_same_to_the_letter_and_others_are_not() -> None:
    bomb = chat(430, bytes_per_token=1.0, template=3, body=9)
    one, other = prompts(), prompts()

    assert one.text(bomb) == other.text(bomb) == one.text(bomb)
    assert one.text(bomb) != one.text(chat(430, bytes_per_token=1.0, template=3, body=10))


def test_a_conversation_keeps_its_bytes_and_a_prompt_of_nothing_is_a_word() -> None:
    assert len(prompts().text(chat(120, cached_tokens=9, bytes_per_token=1.0), has_template=False)) == 100
    assert Tongue().mixture(1, 5.9) == [(PLAIN, 1)]


def test_where_a_tongue_has_no_other_grain_plain_words_are_as_near_as_it_comes() -> None:
    assert Tongue(tokens_per_pair=0.25).mixture(130, 1.0) == [(PLAIN, 100)]


def test_a_conversation_goes_on_where_it_ended_and_asks_only_what_is_new() -> None:
    kept = Conversations()
    kept.keep("ada", [{"role": "user", "content": "tide"}], "yes")

    assert [one["content"] for one in kept.before("ada", chat(cached_tokens=40))] == ["tide", "yes"]
    assert kept.before("ada", chat()) == []
    assert kept.before("bob", chat(cached_tokens=40)) == []
    assert len(prompts().text(chat(100, cached_tokens=40), has_template=False).split()) == 49


def test_what_is_kept_of_conversations_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_CONVERSATIONS", 2)
    monkeypatch.setattr(room, "MOST_KEPT_LETTERS", 10)
    kept, more = Conversations(), chat(cached_tokens=1)
    for name in ("ada", "bob", "eve"):
        kept.keep(name, [], "short")

    assert [bool(kept.before(name, more)) for name in ("ada", "bob", "eve")] == [False, True, True]
    kept.keep("eve", [], "much too long to keep")
    assert kept.before("eve", more) == []
