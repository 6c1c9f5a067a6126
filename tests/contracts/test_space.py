"""What every ConversationStore promises of the space that an account may fill."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.contracts.conftest import Stores
from tests.storage import a_conversation, a_message, a_user
from tidegate.core.identifiers import UserId
from tidegate.ports.conversations import ConversationStore, StorageFullError

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


async def _fills(store: ConversationStore, owner: UserId) -> None:
    await store.add_conversation(owner, a_conversation(owner, ""))
    with pytest.raises(StorageFullError):
        await store.add_conversation(owner, a_conversation(owner, ""))
