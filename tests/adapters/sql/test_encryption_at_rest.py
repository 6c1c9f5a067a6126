"""What lies on the disk tells nobody what people wrote, and cannot be rearranged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.storage import KEK, a_conversation, a_message, a_user
from tidegate.adapters.sql.store import SqlStore, open_store
from tidegate.core.conversations import Conversation, Message
from tidegate.core.identifiers import UserId
from tidegate.ports.conversations import UnreadableContentError

CANARY = "canary-7f3a"


async def _written(store: SqlStore, title: str = "Tides") -> tuple[UserId, Conversation, list[Message]]:
    user = a_user()
    await store.accounts.add_user(user, None)
    conversation = a_conversation(user.id, title)
    await store.conversations.add_conversation(user.id, conversation)
    messages = [
        a_message(conversation.id, f"{title} {number}", created_at_s=400.0 + number, reasoning=f"{title} thought")
        for number in range(2)
    ]
    for message in messages:
        await store.conversations.add_message(user.id, message)
    return user.id, conversation, messages


@contextmanager
def _raw(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=5)) as connection, connection:
        yield connection


def _occurrences(folder: Path, needle: bytes) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()]


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_nothing_anybody_wrote_is_on_the_disk_in_the_clear(store: SqlStore, tmp_path: Path) -> None:
    user_id, conversation, _ = await _written(store, CANARY)
    await store.conversations.rename_conversation(user_id, conversation.id, f"{CANARY} renamed")

    # While open (with the write-ahead log), and what people may see there is there: the search does find things.
    assert (tmp_path / "tidegate.db-wal").stat().st_size > 0
    assert _occurrences(tmp_path, conversation.id.encode()) != []
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        assert _occurrences(tmp_path, CANARY.encode(encoding)) == []


async def test_a_search_leaves_nothing_in_the_clear(store: SqlStore, tmp_path: Path) -> None:
    user_id, _, _ = await _written(store, CANARY)

    assert await store.conversations.search(user_id, (CANARY,), limit=9) != []
    assert await store.conversations.search(user_id, (CANARY, "nowhere"), limit=9) == []
    assert _occurrences(tmp_path, CANARY.encode()) == []


async def test_a_search_does_not_pass_over_what_it_cannot_open(store: SqlStore, tmp_path: Path) -> None:
    user_id, _, _ = await _written(store)
    with _raw(tmp_path / "tidegate.db") as raw:
        raw.execute("UPDATE messages SET content=reasoning")

    with pytest.raises(UnreadableContentError):
        await store.conversations.search(user_id, ("nowhere",), limit=9)


async def test_nothing_is_in_the_clear_after_a_clean_close_either(urls: tuple[str, str], tmp_path: Path) -> None:
    async with open_store(*urls, KEK) as store:
        await _written(store, CANARY)

    assert sorted(_modes(tmp_path)) == ["tidegate.db", "user-keys.db"]
    assert _occurrences(tmp_path, CANARY.encode()) == []


async def test_all_files_are_for_their_owner_only(store: SqlStore, tmp_path: Path) -> None:
    await _written(store)

    modes = _modes(tmp_path)
    assert "tidegate.db-wal" in modes
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("field", ["content", "reasoning"])
async def test_a_message_altered_on_the_disk_is_unreadable(store: SqlStore, tmp_path: Path, field: str) -> None:
    user_id, conversation, _ = await _written(store)
    with _raw(tmp_path / "tidegate.db") as raw:
        ((sequence, sealed),) = raw.execute(f"SELECT sequence, {field} FROM messages LIMIT 1")  # noqa: S608
        altered = sealed[:-1] + bytes((sealed[-1] ^ 1,))
        raw.execute(f"UPDATE messages SET {field}=? WHERE sequence=?", (altered, sequence))  # noqa: S608

    with pytest.raises(UnreadableContentError):
        await store.conversations.messages(user_id, conversation.id)


async def test_contents_swapped_between_messages_are_unreadable(store: SqlStore, tmp_path: Path) -> None:
    user_id, conversation, _ = await _written(store)
    with _raw(tmp_path / "tidegate.db") as raw:
        (one, first), (two, second) = raw.execute("SELECT sequence, content FROM messages ORDER BY sequence")
        raw.execute("UPDATE messages SET content=? WHERE sequence=?", (second, one))
        raw.execute("UPDATE messages SET content=? WHERE sequence=?", (first, two))

    with pytest.raises(UnreadableContentError):
        await store.conversations.messages(user_id, conversation.id)


async def test_content_moved_into_another_field_is_unreadable(store: SqlStore, tmp_path: Path) -> None:
    user_id, conversation, _ = await _written(store)
    with _raw(tmp_path / "tidegate.db") as raw:
        raw.execute("UPDATE messages SET content=reasoning")

    with pytest.raises(UnreadableContentError):
        await store.conversations.messages(user_id, conversation.id)


async def test_a_title_moved_to_another_conversation_is_unreadable(store: SqlStore, tmp_path: Path) -> None:
    user_id, conversation, _ = await _written(store)
    other = a_conversation(user_id, "Other")
    await store.conversations.add_conversation(user_id, other)
    with _raw(tmp_path / "tidegate.db") as raw:
        moved = (str(conversation.id), str(other.id))
        raw.execute("UPDATE conversations SET title=(SELECT title FROM conversations WHERE id=?) WHERE id=?", moved)

    with pytest.raises(UnreadableContentError):
        await store.conversations.conversation(user_id, other.id)
    with pytest.raises(UnreadableContentError):
        await store.conversations.conversations(user_id)
    assert await store.conversations.conversation(user_id, conversation.id) is not None


async def test_a_data_key_given_to_another_user_is_unreadable(store: SqlStore, tmp_path: Path) -> None:
    ana, _, _ = await _written(store)
    bo, conversation, _ = await _written(store)
    with _raw(tmp_path / "user-keys.db") as raw:
        raw.execute(
            "UPDATE user_keys SET wrapped_key=(SELECT wrapped_key FROM user_keys WHERE owner=?) WHERE owner=?",
            (str(ana), str(bo)),
        )

    with pytest.raises(UnreadableContentError):
        await store.conversations.messages(bo, conversation.id)


async def test_a_wrong_key_encryption_key_stops_the_start(urls: tuple[str, str]) -> None:
    """Going on would wrap new users' keys with it, and neither key would ever open all of them."""
    async with open_store(*urls, KEK) as store:
        await _written(store)

    with pytest.raises(UnreadableContentError, match="opens none"):
        async with open_store(*urls, bytes(32)):
            pytest.fail("opened")


async def test_one_damaged_data_key_harms_only_its_user(urls: tuple[str, str], tmp_path: Path) -> None:
    async with open_store(*urls, KEK) as store:
        ana, conversation, messages = await _written(store)
        bo, lost, _ = await _written(store)
    with _raw(tmp_path / "user-keys.db") as raw:
        raw.execute("UPDATE user_keys SET wrapped_key=zeroblob(61) WHERE owner=?", (str(bo),))

    async with open_store(*urls, KEK) as store:
        assert await store.conversations.messages(ana, conversation.id) == messages
        with pytest.raises(UnreadableContentError):
            await store.conversations.messages(bo, lost.id)
        with pytest.raises(UnreadableContentError):
            await store.conversations.add_conversation(bo, a_conversation(bo))


async def test_a_lost_data_key_makes_old_content_unreadable_and_refuses_new(store: SqlStore, tmp_path: Path) -> None:
    user_id, conversation, _ = await _written(store)
    with _raw(tmp_path / "user-keys.db") as raw:
        raw.execute("DELETE FROM user_keys")

    with pytest.raises(UnreadableContentError):
        await store.conversations.messages(user_id, conversation.id)
    with pytest.raises(UnreadableContentError):
        await store.conversations.add_message(user_id, a_message(conversation.id))


async def test_a_forgotten_owners_key_is_in_no_file_any_more(store: SqlStore, tmp_path: Path) -> None:
    forgotten, conversation, _ = await _written(store)
    kept, kept_conversation, messages = await _written(store)
    with _raw(tmp_path / "user-keys.db") as raw:
        wrapped = dict(raw.execute("SELECT owner, wrapped_key FROM user_keys"))
    assert _occurrences(tmp_path, wrapped[forgotten]) != []

    await store.conversations.forget_owner(forgotten)

    assert _occurrences(tmp_path, wrapped[forgotten]) == []
    assert _occurrences(tmp_path, wrapped[kept]) != []
    assert await store.conversations.messages(forgotten, conversation.id) == []
    assert await store.conversations.messages(kept, kept_conversation.id) == messages


async def test_records_that_outlive_their_key_stay_unreadable(urls: tuple[str, str], tmp_path: Path) -> None:
    """As after restoring older records beside newer keys."""
    async with open_store(*urls, KEK) as store:
        user_id, conversation, _ = await _written(store)
    records = (tmp_path / "tidegate.db").read_bytes()
    async with open_store(*urls, KEK) as store:
        await store.conversations.forget_owner(user_id)
    (tmp_path / "tidegate.db").write_bytes(records)

    async with open_store(*urls, KEK) as store:
        with pytest.raises(UnreadableContentError):
            await store.conversations.messages(user_id, conversation.id)
        with pytest.raises(UnreadableContentError):
            await store.conversations.conversation(user_id, conversation.id)


async def test_nobody_gets_a_key_without_an_account(store: SqlStore, tmp_path: Path) -> None:
    nobody = a_user()

    with pytest.raises(LookupError):
        await store.conversations.add_conversation(nobody.id, a_conversation(nobody.id))
    with _raw(tmp_path / "user-keys.db") as raw:
        assert raw.execute("SELECT count(*) FROM user_keys").fetchone() == (0,)
