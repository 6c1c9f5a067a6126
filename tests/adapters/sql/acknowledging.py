"""A program that keeps what it says it kept: one line on stdout after each durable write, until killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.storage import KEK, a_conversation, a_message, a_user
from tidegate.adapters.sql.store import open_store


async def main(folder: Path) -> None:
    urls = [f"sqlite:///{folder / name}" for name in ("tidegate.db", "user-keys.db")]
    async with open_store(urls[0], urls[1], KEK) as store:
        while True:
            user = a_user()
            await store.accounts.add_user(user, None)
            conversation = a_conversation(user.id)
            await store.conversations.add_conversation(user.id, conversation)
            for number in range(3):
                message = a_message(conversation.id, f"{user.id} {number}")
                await store.conversations.add_message(user.id, message)
                sys.stdout.write(f"{user.id} {conversation.id} {message.id}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
