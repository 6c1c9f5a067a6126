"""What of a conversation the model is given."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.conversations import Author, Message
from tidegate.core.generation.call import Turn
from tidegate.core.generation.window import MOST_HALVINGS, answer_tokens, most_bytes, newest, path, turns, windows
from tidegate.core.identifiers import ConversationId, MessageId

HERE = ConversationId.of(b"conversat")


def message_id(number: int) -> MessageId:
    return MessageId.of(number.to_bytes(8, "big"))


def message(number: int, parent: int | None, content: str = "x", author: Author = Author.USER) -> Message:
    return Message(
        id=message_id(number),
        conversation=HERE,
        parent=None if parent is None else message_id(parent),
        author=author,
        content=content,
        created_at_s=float(number),
        reasoning="secret thoughts",
    )


def size(said: list[Turn]) -> int:
    return sum(len((turn.content or "").encode()) for turn in said)


# ---------------------------------------------------------------- the tree


def test_the_path_to_a_message_leaves_other_branches_out() -> None:
    tree = [message(1, None), message(2, 1), message(3, 1), message(4, 2), message(5, 3)]

    assert [found.id for found in path(tree, message_id(5))] == [message_id(1), message_id(3), message_id(5)]


def test_there_is_no_path_to_what_is_not_in_the_tree() -> None:
    with pytest.raises(LookupError):
        path([message(1, None)], message_id(9))


def test_thinking_is_not_sent_back() -> None:
    said = turns([message(1, None, "Hello"), message(2, 1, "Hi", Author.ASSISTANT), message(3, 2, "Bye")])

    assert said == [
        Turn(role="user", content="Hello"),
        Turn(role="assistant", content="Hi"),
        Turn(role="user", content="Bye"),
    ]


def test_two_questions_in_a_row_become_one() -> None:
    """Between them stood an answer that never came, or that was stopped while it was thought about."""
    said = turns([message(1, None, "One"), message(2, 1, "", Author.ASSISTANT), message(3, 2, "Two")])

    assert next(windows(said, 4096)) == [Turn(role="user", content="One\n\nTwo")]


def test_of_many_questions_in_a_row_no_more_are_given_than_there_is_room_for() -> None:
    """Otherwise one question could bring along a whole conversation's worth of others, however long."""
    said = turns([message(number, number - 1 if number > 1 else None, "word " * 20) for number in range(1, 1001)])

    sizes = [size(window) for window in windows(said, 1000)]

    assert sizes[0] <= 500 * 3 * 1.1
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 1 + MOST_HALVINGS


def test_what_is_neither_a_question_nor_an_answer_is_left_out() -> None:
    assert turns([message(1, None, "Rules", Author.SYSTEM), message(2, 1, "Hello")]) == [
        Turn(role="user", content="Hello")
    ]


# ---------------------------------------------------------------- the budget

texts = st.text(st.sampled_from("aé漢"), min_size=1, max_size=30)


@st.composite
def conversations(draw: st.DrawFn) -> list[Turn]:
    said = draw(st.lists(texts, min_size=1, max_size=12))
    roles = ["user", "assistant"] if len(said) % 2 else ["assistant", "user"]
    return [Turn(role=roles[index % 2], content=text) for index, text in enumerate(said)]


@given(conversations(), st.integers(0, 400))
def test_a_window_is_the_newest_that_fits_and_always_the_question(said: list[Turn], budget: int) -> None:
    window = newest(said, budget)

    assert window == said[-len(window) :]
    assert window[0].role == window[-1].role == "user"
    assert len(window) == 1 or size(window) <= budget
    # Nothing is left out that would have fitted: a question comes in together with its answer.
    assert len(window) >= len(said) - 1 or size(said[-len(window) - 2 :]) > budget


@given(conversations(), st.integers(64, 300))
def test_each_window_is_shorter_than_the_one_before_and_there_are_at_most_four(
    said: list[Turn], context_tokens: int
) -> None:
    tried = list(windows(said, context_tokens))

    assert 1 <= len(tried) <= 1 + MOST_HALVINGS
    assert all(window[-1] == said[-1] for window in tried)
    for before, after in pairwise(tried):
        assert len(after) == 1 or size(after) <= size(said) // 2
        assert len(after) <= len(before)
    assert all(len(window) > 1 for window in tried[:-1]), "nothing was left to leave out"


def test_a_short_conversation_is_given_whole() -> None:
    said = [Turn(role="user", content="a"), Turn(role="assistant", content="b"), Turn(role="user", content="c")]

    assert next(windows(said, 4096)) == said


def test_a_long_conversation_leaves_room_for_the_answer() -> None:
    said = [Turn(role=role, content="word " * 20) for _ in range(200) for role in ("user", "assistant")]
    said.append(Turn(role="user", content="And?"))

    first = next(windows(said, 1000))

    assert answer_tokens(1000) == 500
    assert 500 < size(first) <= 500 * 3


def test_halving_bites_at_once_even_when_everything_fitted_the_budget() -> None:
    """A text of dense tokens may be too long for the model while it is short in bytes."""
    said = [Turn(role=role, content="x" * 10) for _ in range(8) for role in ("user", "assistant")]
    said.append(Turn(role="user", content="y" * 10))

    assert [size(window) for window in windows(said, 1 << 20)] == [170, 70, 30, 10]


@given(said=st.lists(st.text(max_size=40), min_size=1, max_size=8), context_tokens=st.integers(2, 200))
def test_no_window_is_larger_than_the_bytes_that_are_reckoned_with(said: list[str], context_tokens: int) -> None:
    turns_said = [Turn(role="user" if at % 2 == 0 else "assistant", content=text) for at, text in enumerate(said)]
    most = most_bytes(turns_said, context_tokens)

    for window in windows(turns_said, context_tokens):
        # Two in a row become one, with an empty line between.
        assert sum(len((turn.content or "").replace("\n\n", "").encode()) for turn in window) <= most
