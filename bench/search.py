"""How long a search through 100,000 sealed messages takes, and how long it holds everybody else up.

The limit it is held against, in the same run and on the same file, is reading
all rows in one go, decrypting them and looking for the word, with nothing else
around it. The word is in none of the messages, so that all must be read. The
event loop is watched by a ticker that wants to wake up every 5 ms. Text with
letters beyond ASCII takes several times as long to bring to one case.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from service import report
from sqlalchemy import insert

from tidegate.adapters.sql.database import Keeping, open_database
from tidegate.adapters.sql.places import text_of, title_of
from tidegate.adapters.sql.sealing import SealingKey
from tidegate.adapters.sql.store import SqlStore, open_store
from tidegate.adapters.sql.tables import conversations, messages
from tidegate.adapters.sql.vault import UserKeyVault
from tidegate.core.accounts import Role, User
from tidegate.core.conversations import Conversation
from tidegate.core.identifiers import ConversationId, MessageId, UserId
from tidegate.core.search import words_of

MESSAGES = 100_000
CHARACTERS = 1000
ROUNDS = 5
TICK_S = 0.005
KEK = bytes(32)
VOCABULARY = ["tide", "harbour", "moon", "água", "Ebbe", "high", "water", "and", "the", "lantern", "море", "keel"]
NOWHERE = words_of("zeppelin")
ASCII = [word for word in VOCABULARY if word.isascii()]
SHAPES = {
    "2,000 conversations": (2000, VOCABULARY),
    "1 conversation": (1, VOCABULARY),
    "2,000 conversations, ASCII": (2000, ASCII),
}


async def fill(folder: Path, count: int, words: list[str]) -> tuple[tuple[str, str], UserId, SealingKey]:
    """Write MESSAGES in so many conversations of one user, as fast as rows go in."""
    urls = f"sqlite:///{folder / 'records.db'}", f"sqlite:///{folder / 'keys.db'}"
    owner = UserId.of(os.urandom(8))
    async with open_store(*urls, KEK) as store:
        user = User(id=owner, email="ana@example.org", role=Role.USER, created_at_s=1.0, member_since_s=1.0)
        await store.accounts.add_user(user, None)
        first = Conversation(id=ConversationId.of(os.urandom(8)), owner=owner, title="", created_at_s=0, updated_at_s=0)
        await store.conversations.add_conversation(owner, first)
    keys = open_database(urls[1], Keeping.SECRETS)
    key = await UserKeyVault(keys, KEK).key(owner)
    await keys.close()
    records = open_database(urls[0])
    async with records.writing() as connection:
        for number in range(count):
            await connection.execute(insert(conversations).values(_conversation(owner, number, key)))
        for number in range(0, MESSAGES, 1000):
            rows = [_message(owner, (number + more) % count, number + more, words, key) for more in range(1000)]
            await connection.execute(insert(messages), rows)
    await records.close()
    return urls, owner, key


def _id_of(number: int) -> ConversationId:
    return ConversationId.of(number.to_bytes(8, "big"))


def _conversation(owner: UserId, number: int, key: SealingKey) -> dict[str, Any]:
    title = key.seal(b"About the tide", *title_of(owner, _id_of(number)))
    return {"id": _id_of(number), "owner": owner, "title": title, "created_at_s": 1.0, "updated_at_s": float(number)}


def _message(owner: UserId, conversation: int, number: int, words: list[str], key: SealingKey) -> dict[str, Any]:
    chosen = random.Random(number)
    content = " ".join(chosen.choices(words, k=CHARACTERS // 4))[:CHARACTERS].encode()
    message_id = MessageId.of(os.urandom(8))
    place = (owner, _id_of(conversation), message_id)
    return {
        "id": message_id,
        "conversation": _id_of(conversation),
        "owner": owner,
        "author": "user",
        "content": key.seal(content, *text_of(*place, "content")),
        "reasoning": key.seal(b"", *text_of(*place, "reasoning")),
        "created_at_s": float(number),
    }


def limit(path: Path, owner: UserId, key: SealingKey) -> float:
    """Seconds for reading, decrypting and scanning alone."""
    began_at = time.perf_counter()
    with closing(sqlite3.connect(path)) as raw:
        for conversation, message, sealed in raw.execute("SELECT conversation, id, content FROM messages"):
            plain = key.unseal(sealed, *text_of(owner, conversation, message, "content")).decode()
            assert NOWHERE[0] not in plain.casefold()
    return time.perf_counter() - began_at


async def watched(act: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    """Seconds that `act` takes, and the longest time that the event loop was late meanwhile."""
    late_s = 0.0

    async def tick() -> None:
        nonlocal late_s
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK_S)
            late_s = max(late_s, time.perf_counter() - before - TICK_S)

    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0)
    began_at = time.perf_counter()
    await act()
    took_s = time.perf_counter() - began_at
    ticker.cancel()
    return took_s, late_s


async def measure(store: SqlStore, path: Path, owner: UserId, key: SealingKey) -> dict[str, float]:
    """The two in turn."""

    async def search() -> None:
        assert await store.conversations.search(owner, NOWHERE, limit=20) == []

    limits, searches, late, idle = [], [], [], []
    for number in range(ROUNDS + 1):
        limit_s = limit(path, owner, key)
        search_s, late_s = await watched(search)
        _, idle_s = await watched(lambda: asyncio.sleep(0.5))
        if number:  # The first round warms the caches.
            limits.append(limit_s)
            searches.append(search_s)
            late.append(late_s)
            idle.append(idle_s)
    found_s, _ = await watched(lambda: store.conversations.search(owner, words_of("lantern"), limit=20))
    return {
        "limit_s": statistics.median(limits),
        "search_s": statistics.median(searches),
        "ratio": statistics.median(b / a for a, b in zip(limits, searches, strict=True)),
        "found_20_s": found_s,
        "loop_late_max_ms": max(late) * 1000,
        "loop_late_p50_ms": statistics.median(late) * 1000,
        "idle_late_max_ms": max(idle) * 1000,
    }


async def shape(count: int, words: list[str]) -> dict[str, float]:
    """Everything for one way to spread the messages."""
    with tempfile.TemporaryDirectory() as folder:
        urls, owner, key = await fill(Path(folder), count, words)
        async with open_store(*urls, KEK) as store:
            return await measure(store, Path(folder) / "records.db", owner, key)


def main() -> None:
    """Measure and report."""
    figures = {name: asyncio.run(shape(*spread)) for name, spread in SHAPES.items()}
    rows = [
        (
            name,
            f"{one['limit_s']:.2f} s",
            f"{one['search_s']:.2f} s",
            f"x {one['ratio']:.2f}",
            f"{one['found_20_s'] * 1000:.0f} ms",
            f"{one['loop_late_max_ms']:.1f} ms (p50 {one['loop_late_p50_ms']:.1f}, idle {one['idle_late_max_ms']:.1f})",
        )
        for name, one in figures.items()
    ]
    report(
        "search",
        {"messages": MESSAGES, "characters": CHARACTERS, "rounds": ROUNDS, "shapes": figures},
        [
            (
                "100,000 messages of 1 kB in",
                "decrypt and scan",
                "search",
                "ratio",
                "20 found",
                "event loop late, worst",
            ),
            *rows,
            ("target", "", "< 1 s", "", "", ""),
        ],
    )


if __name__ == "__main__":
    main()
