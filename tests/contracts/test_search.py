"""What every ConversationStore promises of searching."""

from __future__ import annotations

import asyncio

import pytest

from tests.contracts.conftest import Stores
from tests.storage import a_conversation, a_message, a_user
from tidegate.core.conversations import Conversation, Message
from tidegate.core.identifiers import UserId
from tidegate.core.search import words_of
from tidegate.ports.conversations import ConversationStore, Hit


@pytest.fixture
async def owner(stores: Stores) -> UserId:
    user = a_user()
    await stores.accounts.add_user(user, None)
    return user.id


async def _wrote(
    store: ConversationStore, owner: UserId, title: str, *contents: str, at_s: float = 300.0
) -> tuple[Conversation, list[Message]]:
    """A conversation with messages of one instant each, oldest first; none of them moves it."""
    conversation = a_conversation(owner, title, at_s)
    await store.add_conversation(owner, conversation)
    messages = [a_message(conversation.id, content, created_at_s=number) for number, content in enumerate(contents)]
    for message in messages:
        await store.add_message(owner, message)
    return conversation, messages


async def test_all_words_must_stand_in_one_title_or_one_message(
    conversations: ConversationStore, owner: UserId
) -> None:
    titled, _ = await _wrote(conversations, owner, "High WATER today", at_s=3.0)
    await _wrote(conversations, owner, "high", "water", at_s=2.0)
    said, (message,) = await _wrote(conversations, owner, "Tides", "When is the water\nhigh?", at_s=1.0)

    assert await conversations.search(owner, words_of("water high"), limit=9) == [
        Hit(conversation=titled, message=None, excerpt="High WATER today"),
        Hit(conversation=said, message=message.id, excerpt="When is the water high?"),
    ]


async def test_the_newest_matching_message_stands_for_its_conversation(
    conversations: ConversationStore, owner: UserId
) -> None:
    _, messages = await _wrote(conversations, owner, "", "ebb one", "ebb two", "flood")

    (hit,) = await conversations.search(owner, ("ebb",), limit=9)

    assert (hit.message, hit.excerpt) == (messages[1].id, "ebb two")


async def test_the_newest_conversations_come_first_and_no_more_than_asked_for(
    conversations: ConversationStore, owner: UserId
) -> None:
    made = [(await _wrote(conversations, owner, "", "ebb", at_s=float(number)))[0] for number in range(7)]

    hits = await conversations.search(owner, ("ebb",), limit=3)
    assert [hit.conversation for hit in hits] == made[:3:-1]
    assert len(await conversations.search(owner, ("ebb",), limit=99)) == 7


async def test_hundreds_of_conversations_are_all_searched(conversations: ConversationStore, owner: UserId) -> None:
    """More than are looked at together, many of one instant."""
    for number in range(230):
        await conversations.add_conversation(owner, a_conversation(owner, f"ebb {number}", float(number // 90)))

    hits = await conversations.search(owner, ("ebb",), limit=999)
    assert [hit.conversation for hit in hits] == await conversations.conversations(owner, limit=999)


@pytest.mark.slow
async def test_a_long_conversation_is_searched_to_its_first_message(
    conversations: ConversationStore, owner: UserId
) -> None:
    _, messages = await _wrote(conversations, owner, "", "the needle", *(["hay"] * 1003), at_s=2000.0)
    await _wrote(conversations, owner, "", *(["hay"] * 3), "needle", at_s=1000.0)

    hits = await conversations.search(owner, ("needle",), limit=9)
    assert [hit.excerpt for hit in hits] == ["the needle", "needle"]
    assert hits[0].message == messages[0].id


async def test_nothing_of_another_owner_is_found(
    stores: Stores, conversations: ConversationStore, owner: UserId
) -> None:
    stranger = a_user()
    await stores.accounts.add_user(stranger, None)
    await _wrote(conversations, stranger.id, "ebb", "ebb")

    assert await conversations.search(owner, ("ebb",), limit=9) == []
    await _wrote(conversations, owner, "flood", "flood")
    assert await conversations.search(owner, ("ebb",), limit=9) == []


async def test_folded_thinking_and_deleted_conversations_are_not_found(
    conversations: ConversationStore, owner: UserId
) -> None:
    thought, _ = await _wrote(conversations, owner, "")
    await conversations.add_message(owner, a_message(thought.id, "", reasoning="ebb"))
    deleted, _ = await _wrote(conversations, owner, "ebb", "ebb")
    await conversations.delete_conversation(owner, deleted.id)

    assert await conversations.search(owner, ("ebb",), limit=9) == []


async def test_a_searcher_who_leaves_keeps_nobody_waiting(conversations: ConversationStore, owner: UserId) -> None:
    await _wrote(conversations, owner, "", *(["ebb"] * 20))
    for turns in range(12):
        leaving = asyncio.ensure_future(conversations.search(owner, ("flood",), limit=9))
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)

    found = await asyncio.wait_for(conversations.search(owner, ("ebb",), limit=9), timeout=10)
    assert len(found) == 1
