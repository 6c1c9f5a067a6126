"""What was acknowledged is there after the process was killed in the middle of its work."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from tests.storage import KEK
from tidegate.adapters.sql.store import open_store
from tidegate.core.identifiers import ConversationId, UserId

PROGRAM = Path(__file__).with_name("acknowledging.py")
ROOT = PROGRAM.parents[3]


async def _acknowledged_before_its_death(folder: Path, count: int) -> list[str]:
    """Run the program, kill it after so many lines, and give every line it ever wrote."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )
    assert process.stdout is not None
    lines = [await asyncio.wait_for(process.stdout.readline(), 60) for _ in range(count)]
    process.kill()
    # It wrote on between our last read and its death: those are promises too.
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    return [line.decode().strip() for line in lines if line.endswith(b"\n")]


async def test_nothing_acknowledged_is_lost_when_the_process_is_killed(urls: tuple[str, str], tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for round_number in range(5):
        acknowledged += await _acknowledged_before_its_death(tmp_path, 7 + 11 * round_number)

    assert len(acknowledged) >= sum(7 + 11 * number for number in range(5))
    for name in ("tidegate.db", "user-keys.db"):
        with closing(sqlite3.connect(tmp_path / name)) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    async with open_store(*urls, KEK) as store:
        for line in acknowledged:
            user_text, conversation_text, message_id = line.split()
            user_id = UserId(user_text)
            assert await store.accounts.user(user_id) is not None
            found = {
                message.id: message.content
                for message in await store.conversations.messages(user_id, ConversationId(conversation_text))
            }
            assert found[message_id].startswith(user_text)  # type: ignore[index]
