"""An answer while it is written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.admission.claims import Waiting
from tidegate.core.conversations import Author, Ending
from tidegate.core.generation.call import Delta, Event, Finished, FinishReason, Progress, Usage
from tidegate.core.generation.reply import REPORT_EVERY_S, Draft, Grew, Moved, ReplyState
from tidegate.core.identifiers import ConversationId, MessageId

HERE, QUESTION, ANSWER = ConversationId.of(b"conversat"), MessageId.of(b"question"), MessageId.of(b"answer--")
ORDER = list(ReplyState)


def new() -> Draft:
    return Draft(ANSWER, HERE, QUESTION)


def states(told: list[Moved | Grew]) -> list[ReplyState]:
    return [one.state for one in told if isinstance(one, Moved)]


def test_an_answer_that_is_thought_about_goes_through_all_states() -> None:
    draft = new()
    assert draft.state is ReplyState.WAITING

    told = [
        *draft.take(Progress(8, 16, 0), 0.0),
        *draft.take(Delta(reasoning="Hm"), 1.0),
        *draft.take(Delta(reasoning="m"), 2.0),
        *draft.take(Delta(content="Yes"), 3.5),
        *draft.take(Delta(content="."), 4.0),
    ]

    assert states(told) == [ReplyState.READING, ReplyState.THINKING, ReplyState.WRITING]
    reply = draft.read()
    assert (reply.content, reply.reasoning, reply.reasoning_s, reply.sequence) == ("Yes.", "Hmm", 2.5, 4)
    assert (reply.id, reply.conversation, reply.parent) == (ANSWER, HERE, QUESTION)


def test_reading_is_reported_now_and_then_but_remembered_always() -> None:
    draft = new()

    first = draft.take(Progress(8, 100, 0), 0.0)
    soon = draft.take(Progress(16, 100, 0), REPORT_EVERY_S / 2)
    later = draft.take(Progress(24, 100, 0), REPORT_EVERY_S)

    assert [one.read_tokens for one in [*first, *soon, *later] if isinstance(one, Moved)] == [8, 24]
    assert soon == []
    draft.take(Progress(32, 100, 0), REPORT_EVERY_S)
    assert (draft.read().read_tokens, draft.read().prompt_tokens) == (32, 100)


def test_an_answer_that_ends_in_the_middle_of_a_thought_thought_until_then() -> None:
    draft = new()
    draft.take(Delta(reasoning="Hm"), 1.0)

    message = draft.message(Ending.STOPPED, 4.0, 1_790_000_000.0)

    assert (message.reasoning, message.reasoning_s, message.content) == ("Hm", 3.0, "")
    assert (message.author, message.ending, message.created_at_s) == (Author.ASSISTANT, Ending.STOPPED, 1_790_000_000.0)
    assert (message.id, message.parent, message.conversation) == (ANSWER, QUESTION, HERE)


def test_an_answer_without_thinking_tells_no_time_of_it() -> None:
    draft = new()
    draft.take(Delta(content="Yes"), 1.0)
    draft.take(Delta(reasoning="afterthought"), 2.0)

    assert draft.message(Ending.COMPLETE, 9.0, 0.0).reasoning_s is None


def test_what_carries_no_text_is_not_told() -> None:
    draft = new()

    for event in (Delta(), Finished(FinishReason.STOP), Usage(prompt_tokens=1, completion_tokens=1)):
        assert draft.take(event, 0.0) == []
    assert not draft.has_text


happened = st.one_of(
    st.builds(Progress, st.integers(0, 9), st.just(9), st.just(0)),
    st.builds(Delta, content=st.sampled_from(["", "a", "b"]), reasoning=st.sampled_from(["", "c"])),
)


@given(st.lists(happened, max_size=30))
def test_whoever_has_all_pieces_has_all_the_text_and_states_are_never_gone_back_to(events: list[Event]) -> None:
    draft = new()
    told = [one for second, event in enumerate(events) for one in draft.take(event, float(second))]

    grew = [one for one in told if isinstance(one, Grew)]
    assert [one.sequence for one in grew] == list(range(1, len(grew) + 1))
    reply = draft.read()
    assert "".join(one.content for one in grew) == reply.content
    assert "".join(one.reasoning for one in grew) == reply.reasoning
    assert reply.sequence == len(grew)
    assert draft.has_text is bool(grew)
    places = [ORDER.index(state) for state in states(told)]
    assert places == sorted(places)


def test_an_answer_says_where_it_waits_until_it_is_read() -> None:
    draft = new()
    [moved] = draft.take(Waiting(3, 12.5), 1.0)
    assert isinstance(moved, Moved)
    assert (moved.state, moved.position, moved.wait_s) == (ReplyState.WAITING, 3, 12.5)
    assert (draft.read().position, draft.read().wait_s) == (3, 12.5)

    [moved] = draft.take(Progress(1, 9, 0), 2.0)

    assert isinstance(moved, Moved)
    assert (moved.state, moved.position, moved.wait_s, draft.read().position) == (ReplyState.READING, None, None, None)


def test_an_answer_that_is_set_aside_waits_again_and_begins_to_be_read_anew() -> None:
    draft = new()
    draft.take(Progress(4, 9, 0), 1.0)

    [moved] = draft.take(Waiting(1, 2.0), 1.1)
    assert isinstance(moved, Moved)
    assert (moved.state, moved.read_tokens, moved.position) == (ReplyState.WAITING, None, 1)
    [moved] = draft.take(Progress(1, 9, 0), 1.2)

    assert isinstance(moved, Moved)
    assert (moved.state, moved.read_tokens) == (ReplyState.READING, 1)
