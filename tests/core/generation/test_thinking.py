"""Thinking is told from the answer in the same way however the stream is cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.core.generation.thinking import ThinkingSplitter

snippets = st.sampled_from(
    ["<think>", "</think>", "<", ">", "</", "think", "<thin", "k>", "\n", " ", "a", "blue moon", "é", "<b>", "🌊"]
)
texts = st.lists(st.one_of(snippets, st.text(max_size=4)), max_size=12).map("".join)


def split(*pieces: str) -> tuple[str, str]:
    """Thinking and answer."""
    splitter = ThinkingSplitter()
    deltas = [*(splitter.feed(piece) for piece in pieces), splitter.close()]
    return "".join(delta.reasoning for delta in deltas), "".join(delta.content for delta in deltas)


@given(texts, st.lists(st.integers(0, 60), max_size=12))
@example("<think>t</think>\n\nanswer", [16])
@example("<think>t</think>\n\nanswer", [17])
def test_it_does_not_matter_where_the_stream_is_cut(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]

    assert split(*pieces) == split(text)
    assert split(*text) == split(text)


@given(texts)
def test_nothing_is_lost_but_the_tags_and_the_space_around_them(text: str) -> None:
    thinking, answer = split(text)

    if not text.lstrip().startswith("<think>"):
        assert (thinking, answer) == ("", text)
        return
    inner = text.lstrip().removeprefix("<think>")
    thought, tag, rest = inner.partition("</think>")
    assert thinking == thought
    assert answer == (rest.lstrip("\n") if tag else "")


@given(texts, texts)
def test_a_thought_and_an_answer_come_out_as_they_went_in(thought: str, answer: str) -> None:
    thought, answer = thought.replace("/", ""), answer.lstrip("\n")

    assert split(f"<think>{thought}</think>\n\n{answer}") == (thought, answer)


@pytest.mark.parametrize("text", ["Use <think> to think", "a<think>b</think>c", "</think>late", "< think>no</think>"])
def test_a_tag_anywhere_but_at_the_start_is_text_that_the_model_quotes(text: str) -> None:
    assert split(text) == ("", text)


def test_a_second_thought_is_text() -> None:
    assert split("<think>one</think>two<think>three</think>") == ("one", "two<think>three</think>")


@pytest.mark.parametrize("text", ["<think>still at it", "\n <think>still at it"])
def test_thinking_that_never_ends_is_all_thinking(text: str) -> None:
    assert split(text) == ("still at it", "")


@pytest.mark.parametrize("text", ["", " ", "\n\n", "<", "<thi", " <think"])
def test_what_only_looked_like_the_beginning_of_a_tag_is_given_back_at_the_end(text: str) -> None:
    assert split(text) == ("", text)


def test_the_beginning_of_a_closing_tag_is_given_back_at_the_end() -> None:
    assert split("<think>", "a </thi") == ("a </thi", "")


def test_text_is_held_back_only_while_it_may_be_a_tag() -> None:
    splitter = ThinkingSplitter()

    assert splitter.feed("<think>deep").reasoning == "deep"
    assert splitter.feed(" thought").reasoning == " thought"
    assert splitter.feed(" a < b").reasoning == " a < b"
    assert splitter.feed(" <").reasoning == " "
    assert splitter.feed("b").reasoning == "<b"
    assert splitter.feed("</think>A").content == "A"
    assert splitter.feed("\nB <").content == "\nB <"


def test_an_answer_without_thinking_is_passed_on_at_once() -> None:
    assert ThinkingSplitter().feed("H").content == "H"
