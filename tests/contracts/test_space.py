"""What every ConversationStore promises of the space that an account may fill."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.contracts.conftest import Stores
from tests.storage import a_conversation, a_message, a_user
from tidegate.core.identifiers import UserId
from tidegate.ports.conversations import (
    MAX_CONVERSATION_BYTES,
    ConversationFullError,
    ConversationStore,
    StorageFullError,
)

# Each text takes 29 bytes more when it is sealed, and each conversation and message 512 besides.
CONVERSATION, MESSAGE = 512 + 29, 512 + 2 * 29


async def _owner(stores: Stores) -> UserId:
    user = a_user()
    await stores.accounts.add_user(user, None)
    return user.id


@pytest.mark.parametrize("quota_bytes", [CONVERSATION + MESSAGE + 10 + 4])
async def test_the_last_byte_may_be_filled_and_not_one_more(stores: Stores) -> None:
    owner, store = await _owner(stores), stores.conversations
    conversation = a_conversation(owner, "Ebbe")
    await store.add_conversation(owner, conversation)

    # Letters are counted as bytes, and thinking counts.
    with pytest.raises(StorageFullError):
        await store.add_message(owner, a_message(conversation.id, "åååå", reasoning="abc", created_at_s=999.0))
    assert await store.messages(owner, conversation.id) == []
    assert await store.conversation(owner, conversation.id) == conversation
    await store.add_message(owner, a_message(conversation.id, "åååå", reasoning="ab"))
    with pytest.raises(StorageFullError):
        await store.add_conversation(owner, a_conversation(owner, ""))


@pytest.mark.parametrize("quota_bytes", [CONVERSATION + 5])
async def test_a_longer_title_needs_room_and_a_shorter_one_gives_it_back(stores: Stores) -> None:
    owner, store = await _owner(stores), stores.conversations
    conversation = a_conversation(owner, "Ebb")
    await store.add_conversation(owner, conversation)

    with pytest.raises(StorageFullError):
        await store.rename_conversation(owner, conversation.id, "123456")
    assert await store.conversation(owner, conversation.id) == conversation
    for title in ("12345", "", "54321"):
        assert await store.rename_conversation(owner, conversation.id, title) is True


@pytest.mark.parametrize("quota_bytes", [CONVERSATION + MESSAGE])
async def test_what_is_deleted_or_forgotten_gives_its_space_back(stores: Stores) -> None:
    owner, store = await _owner(stores), stores.conversations
    for give_back in ("delete", "forget", "delete"):
        conversation = a_conversation(owner, "")
        await store.add_conversation(owner, conversation)
        await store.add_message(owner, a_message(conversation.id, ""))
        with pytest.raises(StorageFullError):
            await store.add_message(owner, a_message(conversation.id, ""))
        if give_back == "delete":
            await store.delete_conversation(owner, conversation.id)
        else:
            await store.forget_owner(owner)


@pytest.mark.parametrize("quota_bytes", [CONVERSATION + 3 * MESSAGE])
async def test_many_who_write_at_once_fill_it_and_no_more(stores: Stores) -> None:
    owner, store = await _owner(stores), stores.conversations
    conversation = a_conversation(owner, "")
    await store.add_conversation(owner, conversation)

    sent = [store.add_message(owner, a_message(conversation.id, "")) for _ in range(9)]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)

    assert outcomes.count(None) == 3
    assert sum(isinstance(outcome, StorageFullError) for outcome in outcomes) == 6
    assert len(await store.messages(owner, conversation.id)) == 3


@pytest.mark.parametrize("quota_bytes", [CONVERSATION + MESSAGE])
async def test_a_refused_write_takes_no_space(stores: Stores) -> None:
    owner, store = await _owner(stores), stores.conversations
    conversation = a_conversation(owner, "")
    await store.add_conversation(owner, conversation)
    stray = a_message(a_conversation(owner).id, "")

    with pytest.raises(LookupError):
        await store.add_message(owner, stray)
    with pytest.raises(LookupError):
        await store.add_message(owner, msgspec.structs.replace(stray, conversation=conversation.id, parent=stray.id))
    await store.add_message(owner, a_message(conversation.id, ""))


@pytest.mark.parametrize("quota_bytes", [CONVERSATION])
async def test_what_one_account_keeps_takes_nothing_from_another(stores: Stores) -> None:
    for owner in (await _owner(stores), await _owner(stores)):
        await _fills(stores.conversations, owner)


async def test_one_conversation_is_full_while_the_account_is_not(stores: Stores) -> None:
    """To the last byte, so that a conversation can always be read at once."""
    owner, store = await _owner(stores), stores.conversations
    conversation, other = a_conversation(owner, "Ebb"), a_conversation(owner, "Flow")
    for one in (conversation, other):
        await store.add_conversation(owner, one)
    left_bytes = MAX_CONVERSATION_BYTES - CONVERSATION - 3
    for _ in range(3):
        await store.add_message(owner, a_message(conversation.id, "x" * 2_000_000, reasoning="yy"))
        left_bytes -= MESSAGE + 2_000_002

    for content, reasoning in (("x" * (left_bytes - MESSAGE + 1), ""), ("x" * (left_bytes - MESSAGE), "y")):
        with pytest.raises(ConversationFullError):
            await store.add_message(
                owner, a_message(conversation.id, content, reasoning=reasoning, created_at_s=9999.0)
            )
    found = await store.conversation(owner, conversation.id)
    assert found is not None
    assert found.updated_at_s == 400.0, "a refused message leaves no trace"
    await store.add_message(owner, a_message(conversation.id, "x" * (left_bytes - MESSAGE)))
    with pytest.raises(ConversationFullError):
        await store.add_message(owner, a_message(conversation.id, ""))
    # It may still be read, renamed and deleted, and another one goes on.
    assert len(await store.messages(owner, conversation.id)) == 4
    assert await store.rename_conversation(owner, conversation.id, "A longer title") is True
    await store.add_message(owner, a_message(other.id))
    assert await store.delete_conversation(owner, conversation.id) is True


async def test_who_is_refused_by_a_full_conversation_takes_none_of_the_account(stores: Stores) -> None:
    owner, store = await _owner(stores), stores.conversations
    conversation = a_conversation(owner, "")
    await store.add_conversation(owner, conversation)
    too_long = a_message(conversation.id, "x" * MAX_CONVERSATION_BYTES)
    for _ in range(40):  # Together more than an account may have.
        with pytest.raises(ConversationFullError):
            await store.add_message(owner, too_long)
    await store.add_message(owner, a_message(conversation.id))


async def _fills(store: ConversationStore, owner: UserId) -> None:
    await store.add_conversation(owner, a_conversation(owner, ""))
    with pytest.raises(StorageFullError):
        await store.add_conversation(owner, a_conversation(owner, ""))
