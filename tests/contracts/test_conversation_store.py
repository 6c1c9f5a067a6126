"""What every ConversationStore promises."""

from __future__ import annotations

import asyncio
import os

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.conftest import Stores
from tests.storage import a_conversation, a_message, a_user
from tidegate.core.conversations import Conversation, Ending, Message
from tidegate.core.identifiers import ConversationId, MessageId, UserId
from tidegate.ports.conversations import ConversationStore


@pytest.fixture
async def owner(stores: Stores) -> UserId:
    user = a_user()
    await stores.accounts.add_user(user, None)
    return user.id


@pytest.fixture
async def stranger(stores: Stores) -> UserId:
    user = a_user()
    await stores.accounts.add_user(user, None)
    return user.id


async def _added(
    conversations: ConversationStore, owner: UserId, title: str = "Tides", updated_at_s: float = 300.0
) -> Conversation:
    conversation = a_conversation(owner, title, updated_at_s)
    await conversations.add_conversation(owner, conversation)
    return conversation


async def test_a_conversation_is_found_again(conversations: ConversationStore, owner: UserId) -> None:
    conversation = await _added(conversations, owner)

    assert await conversations.conversation(owner, conversation.id) == conversation
    assert await conversations.conversation(owner, ConversationId.of(os.urandom(8))) is None


async def test_a_conversation_needs_an_owner_who_exists(conversations: ConversationStore) -> None:
    nobody = UserId.of(os.urandom(8))

    with pytest.raises(LookupError):
        await conversations.add_conversation(nobody, a_conversation(nobody))


async def test_a_conversation_cannot_be_added_for_somebody_else(
    conversations: ConversationStore, owner: UserId, stranger: UserId
) -> None:
    with pytest.raises(ValueError, match="another owner"):
        await conversations.add_conversation(owner, a_conversation(stranger))
    assert await conversations.conversations(stranger) == []


async def test_an_id_in_use_is_refused_whoever_has_it(
    conversations: ConversationStore, owner: UserId, stranger: UserId
) -> None:
    conversation = await _added(conversations, owner)

    with pytest.raises(ValueError, match="in use"):
        await conversations.add_conversation(stranger, msgspec.structs.replace(conversation, owner=stranger))
    assert await conversations.conversation(owner, conversation.id) == conversation


async def test_conversations_are_listed_last_updated_first_and_in_pages(
    conversations: ConversationStore, owner: UserId
) -> None:
    old, new, middle = [await _added(conversations, owner, updated_at_s=at_s) for at_s in (1.0, 3.0, 2.0)]

    assert await conversations.conversations(owner) == [new, middle, old]
    assert await conversations.conversations(owner, limit=2) == [new, middle]
    assert await conversations.conversations(owner, before_s=middle.updated_at_s) == [old]


async def test_a_title_can_be_changed(conversations: ConversationStore, owner: UserId) -> None:
    conversation = await _added(conversations, owner)

    assert await conversations.rename_conversation(owner, conversation.id, "Ebb") is True

    renamed = msgspec.structs.replace(conversation, title="Ebb")
    assert await conversations.conversation(owner, conversation.id) == renamed
    assert await conversations.rename_conversation(owner, ConversationId.of(os.urandom(8)), "Ebb") is False


async def test_messages_form_a_tree_and_come_oldest_first(conversations: ConversationStore, owner: UserId) -> None:
    conversation = await _added(conversations, owner)
    question = a_message(conversation.id, created_at_s=400.0, reasoning="")
    answer = a_message(conversation.id, "At noon.", parent=question.id, created_at_s=402.0, reasoning="The moon…")
    second = a_message(conversation.id, "At one.", parent=question.id, created_at_s=401.0)
    for message in (question, answer, second):
        await conversations.add_message(owner, message)

    assert await conversations.messages(owner, conversation.id) == [question, second, answer]


async def test_the_way_to_a_message_leads_from_the_root_past_no_other(
    conversations: ConversationStore, owner: UserId, stranger: UserId
) -> None:
    """Whatever the clock said: a parent may look younger than its child."""
    conversation, other = await _added(conversations, owner), await _added(conversations, owner, "Other")
    question = a_message(conversation.id, created_at_s=500.0)
    answer = a_message(conversation.id, "At noon.", parent=question.id, created_at_s=400.0, reasoning="The moon")
    beside = a_message(conversation.id, "At one.", parent=question.id, created_at_s=401.0)
    further = a_message(conversation.id, "And today?", parent=answer.id, created_at_s=300.0)
    below = a_message(conversation.id, "Later.", parent=further.id)
    second_root = a_message(conversation.id, "Again")
    for message in (question, answer, beside, further, below, second_root):
        await conversations.add_message(owner, message)

    assert await conversations.path(owner, conversation.id, further.id) == [question, answer, further]
    assert await conversations.path(owner, conversation.id, second_root.id) == [second_root]
    assert await conversations.path(owner, other.id, further.id) == []
    assert await conversations.path(stranger, conversation.id, further.id) == []
    assert await conversations.path(owner, conversation.id, MessageId.of(os.urandom(8))) == []


@pytest.mark.slow
async def test_a_way_may_be_longer_than_a_thousand(conversations: ConversationStore, owner: UserId) -> None:
    conversation = await _added(conversations, owner)
    sent: list[Message] = []
    for number in range(1005):
        parent = sent[-1].id if sent else None
        sent.append(a_message(conversation.id, "x", parent=parent, created_at_s=400.0 + number))
        await conversations.add_message(owner, sent[-1])

    assert await conversations.path(owner, conversation.id, sent[-1].id) == sent


@pytest.mark.parametrize("ending", [None, *Ending])
async def test_how_an_answer_ended_and_how_long_it_was_thought_over_are_kept(
    conversations: ConversationStore, owner: UserId, ending: Ending | None
) -> None:
    conversation = await _added(conversations, owner)
    for reasoning_s in (None, 0.0, 12.25):
        answer = msgspec.structs.replace(a_message(conversation.id), ending=ending, reasoning_s=reasoning_s)
        await conversations.add_message(owner, answer)
        assert (await conversations.messages(owner, conversation.id))[-1] == answer


async def test_messages_of_one_instant_stay_in_the_order_they_arrived(
    conversations: ConversationStore, owner: UserId
) -> None:
    conversation = await _added(conversations, owner)
    sent = [a_message(conversation.id, str(number), created_at_s=400.0) for number in range(12)]
    for message in sent:
        await conversations.add_message(owner, message)

    assert await conversations.messages(owner, conversation.id) == sent


async def test_a_message_moves_its_conversation_up_but_never_down(
    conversations: ConversationStore, owner: UserId
) -> None:
    conversation = await _added(conversations, owner, updated_at_s=300.0)

    await conversations.add_message(owner, a_message(conversation.id, created_at_s=500.0))
    await conversations.add_message(owner, a_message(conversation.id, created_at_s=450.0))

    found = await conversations.conversation(owner, conversation.id)
    assert found is not None
    assert found.updated_at_s == 500.0


async def test_a_message_needs_a_conversation_of_its_owner(
    conversations: ConversationStore, owner: UserId, stranger: UserId
) -> None:
    conversation = await _added(conversations, owner)

    with pytest.raises(LookupError):
        await conversations.add_message(owner, a_message(ConversationId.of(os.urandom(8))))
    with pytest.raises(LookupError):
        await conversations.add_message(stranger, a_message(conversation.id))
    assert await conversations.messages(owner, conversation.id) == []


async def test_a_parent_must_be_a_message_of_the_same_conversation(
    conversations: ConversationStore, owner: UserId
) -> None:
    here, there = await _added(conversations, owner), await _added(conversations, owner)
    elsewhere = a_message(there.id)
    await conversations.add_message(owner, elsewhere)

    for parent in (elsewhere.id, MessageId.of(os.urandom(8))):
        with pytest.raises(LookupError):
            await conversations.add_message(owner, a_message(here.id, parent=parent, created_at_s=999.0))
    assert await conversations.messages(owner, here.id) == []
    # A refused message leaves no trace: the conversation did not move either.
    assert await conversations.conversation(owner, here.id) == here


async def test_a_message_id_in_use_is_refused_and_nothing_is_overwritten(
    conversations: ConversationStore, owner: UserId
) -> None:
    conversation = await _added(conversations, owner)
    message = a_message(conversation.id)
    await conversations.add_message(owner, message)

    with pytest.raises(ValueError, match="in use"):
        await conversations.add_message(owner, msgspec.structs.replace(message, content="other", created_at_s=999.0))
    assert await conversations.messages(owner, conversation.id) == [message]


async def test_deleting_takes_the_whole_tree_and_nothing_else(conversations: ConversationStore, owner: UserId) -> None:
    conversation, other = await _added(conversations, owner), await _added(conversations, owner, "Other")
    kept = a_message(other.id)
    await conversations.add_message(owner, kept)
    question = a_message(conversation.id)
    await conversations.add_message(owner, question)
    await conversations.add_message(owner, a_message(conversation.id, parent=question.id))

    assert await conversations.delete_conversation(owner, conversation.id) is True

    assert await conversations.conversation(owner, conversation.id) is None
    assert await conversations.messages(owner, conversation.id) == []
    assert await conversations.messages(owner, other.id) == [kept]
    assert await conversations.delete_conversation(owner, conversation.id) is False


@pytest.mark.slow
async def test_a_conversation_of_any_depth_can_be_deleted(conversations: ConversationStore, owner: UserId) -> None:
    """SQLite ends a cascade after 1000 generations, so the tree must not be one."""
    conversation = await _added(conversations, owner)
    parent: MessageId | None = None
    for number in range(1005):
        message = a_message(conversation.id, "x", parent=parent, created_at_s=400.0 + number)
        await conversations.add_message(owner, message)
        parent = message.id

    assert await conversations.delete_conversation(owner, conversation.id) is True
    assert await conversations.messages(owner, conversation.id) == []


async def test_what_belongs_to_another_owner_does_not_exist(
    conversations: ConversationStore, owner: UserId, stranger: UserId
) -> None:
    conversation = await _added(conversations, owner)
    message = a_message(conversation.id)
    await conversations.add_message(owner, message)
    await _added(conversations, stranger, "Mine")

    assert await conversations.conversation(stranger, conversation.id) is None
    assert [found.title for found in await conversations.conversations(stranger)] == ["Mine"]
    assert await conversations.messages(stranger, conversation.id) == []
    assert await conversations.rename_conversation(stranger, conversation.id, "Taken") is False
    assert await conversations.delete_conversation(stranger, conversation.id) is False
    with pytest.raises(LookupError):
        await conversations.add_message(stranger, a_message(conversation.id, parent=message.id))
    await conversations.forget_owner(stranger)

    assert [found.title for found in await conversations.conversations(owner)] == ["Tides"]
    assert await conversations.messages(owner, conversation.id) == [message]


async def test_a_forgotten_owner_has_nothing_and_may_begin_again(
    conversations: ConversationStore, owner: UserId
) -> None:
    conversation = await _added(conversations, owner)
    await conversations.add_message(owner, a_message(conversation.id))

    await conversations.forget_owner(owner)
    await conversations.forget_owner(owner)

    assert await conversations.conversations(owner) == []
    assert await conversations.messages(owner, conversation.id) == []
    again = await _added(conversations, owner, "Again")
    assert await conversations.conversations(owner) == [again]


async def test_first_conversations_made_at_once_are_all_readable(
    conversations: ConversationStore, owner: UserId
) -> None:
    """The first write makes the owner's key: two firsts must not make two."""
    made = [a_conversation(owner, f"No. {number}", float(number)) for number in range(8)]

    await asyncio.gather(*(conversations.add_conversation(owner, conversation) for conversation in made))

    assert await conversations.conversations(owner) == made[::-1]


async def test_an_interrupted_write_does_not_stop_the_next(conversations: ConversationStore, owner: UserId) -> None:
    """Clients go away in the middle; the one writing connection must outlive them."""
    conversation = await _added(conversations, owner)
    for turns in range(25):
        task = asyncio.ensure_future(conversations.add_message(owner, a_message(conversation.id, "lost?")))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    last = a_message(conversation.id, "kept", created_at_s=999.0)
    await asyncio.wait_for(conversations.add_message(owner, last), timeout=10)
    assert (await conversations.messages(owner, conversation.id))[-1] == last


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(content=st.text(st.characters(exclude_categories=["Cs"])), reasoning=st.text(st.characters(codec="utf-8")))
async def test_any_unicode_text_comes_back_as_it_was(
    conversations: ConversationStore, owner: UserId, content: str, reasoning: str
) -> None:
    conversation = await _added(conversations, owner, title=content)
    message = a_message(conversation.id, content, reasoning=reasoning)
    await conversations.add_message(owner, message)

    assert await conversations.conversation(owner, conversation.id) is not None
    assert await conversations.messages(owner, conversation.id) == [message]


async def test_nul_and_the_empty_text_are_text(conversations: ConversationStore, owner: UserId) -> None:
    conversation = await _added(conversations, owner, title="a\0b")
    message = a_message(conversation.id, "", reasoning="\0")
    await conversations.add_message(owner, message)

    assert await conversations.conversation(owner, conversation.id) == msgspec.structs.replace(
        conversation, updated_at_s=message.created_at_s
    )
    assert await conversations.messages(owner, conversation.id) == [message]


async def test_half_a_surrogate_pair_is_refused_everywhere(conversations: ConversationStore, owner: UserId) -> None:
    conversation = await _added(conversations, owner)
    half = "half \ud83d of a pair"

    with pytest.raises(ValueError, match="surrogates"):
        await conversations.add_conversation(owner, a_conversation(owner, half))
    with pytest.raises(ValueError, match="surrogates"):
        await conversations.rename_conversation(owner, conversation.id, half)
    with pytest.raises(ValueError, match="surrogates"):
        await conversations.add_message(owner, a_message(conversation.id, half))
    with pytest.raises(ValueError, match="surrogates"):
        await conversations.add_message(owner, a_message(conversation.id, reasoning=half))
    assert await conversations.conversations(owner) == [conversation]
