"""The web chat's answers over fakes, with a clock and timers that a test turns by hand."""

from __future__ import annotations

import asyncio
import secrets
from hashlib import sha256

from tests.admitting import an_admission, user_of
from tidegate.core.conversations import Author, Conversation, Message
from tidegate.core.events import RequestFinished
from tidegate.core.identifiers import ConversationId, Fingerprint, MessageId, SessionId, UserId
from tidegate.ports.conversations import StorageFullError
from tidegate.services.happenings import Ended, Happening
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.replies import Asked, Replies
from tidegate.services.watching import Watch
from tidegate.services.writing import Asker, Desk
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock, until
from tidegate.testing.conversations import MemoryConversationStore
from tidegate.testing.engine import FakeEngine
from tidegate.testing.journal import RecordingJournal


def asker_of(name: str) -> Asker:
    return Asker(user_of(name), SessionId.of(name.encode().ljust(4, b"-") * 2))


ANA, BO = asker_of("ana"), asker_of("bo")


def fingerprint(text: str) -> Fingerprint:
    return Fingerprint(sha256(text.encode()).hexdigest()[:16])


class HandSleep:
    """Sleeps until the test says that the time is over; `asked_s` tells for how long each sleeper meant to."""

    def __init__(self) -> None:
        self._sleepers: dict[asyncio.Future[None], float] = {}

    async def __call__(self, seconds: float) -> None:
        over = asyncio.get_running_loop().create_future()
        self._sleepers[over] = seconds
        try:
            await over
        finally:
            del self._sleepers[over]

    @property
    def asked_s(self) -> list[float]:
        return list(self._sleepers.values())

    def pass_by(self) -> None:
        for over in self._sleepers:
            over.set_result(None)


class FailingStore(MemoryConversationStore):
    """Keeps no message while `error` is set; waits for a gate, where there is one, before each message or
    deletion, and after it has found a conversation."""

    error: Exception | None = None
    gate: asyncio.Event | None = None
    deletion_gate: asyncio.Event | None = None
    found_gate: asyncio.Event | None = None

    async def conversation(self, owner: UserId, conversation_id: ConversationId) -> Conversation | None:
        found = await super().conversation(owner, conversation_id)
        if self.found_gate is not None:
            await self.found_gate.wait()
        return found

    async def add_message(self, owner: UserId, message: Message) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        await super().add_message(owner, message)

    async def delete_conversation(self, owner: UserId, conversation_id: ConversationId) -> bool:
        if self.deletion_gate is not None:
            await self.deletion_gate.wait()
        return await super().delete_conversation(owner, conversation_id)


class Scene:
    """Ana and Bo, and everything that their answers are made of."""

    def __init__(self, slots: int = 2, max_waiting: int = 4, max_per_owner: int = 4) -> None:
        self.clock, self.sleep = HandClock(), HandSleep()
        self.engine, self.journal, self.lifecycle = FakeEngine(), RecordingJournal(), Lifecycle()
        self.admission = an_admission(self.clock, slots, max_waiting, max_per_owner)
        self.scheduler = self.admission.scheduler
        self.accounts = MemoryAccountStore()
        self.store = FailingStore(self.accounts)
        self.told: list[Happening] = []
        self.desk = Desk(
            engine=self.engine,
            admission=self.admission,
            conversations=self.store,
            lifecycle=self.lifecycle,
            journal=self.journal,
            fingerprint=fingerprint,
            clock=self.clock,
            ticks=self.clock,
        )
        self.replies = Replies(self.desk, self._encode, self.sleep)

    async def open(self) -> Scene:
        for name in ("ana-", "bo--"):
            await self.come(name)
        return self

    async def come(self, name: str) -> Asker:
        """One more person; `name` has up to four letters."""
        asker = asker_of(name)
        await self.accounts.add_user(asker.user, None)
        return asker

    def _encode(self, happening: Happening) -> bytes:
        if isinstance(happening, Ended) and happening.message is not None:
            assert happening.message.id in self.store._messages, "told before it was kept"
        self.told.append(happening)
        return str(len(self.told) - 1).encode()

    def watch(self, asker: Asker = ANA) -> Watch:
        return self.replies.watch(asker.owner, asker.session)

    def unread(self, watch: Watch) -> list[Happening]:
        """What the page has not read yet."""
        return [self.told[int(told)] for told in watch._unread]

    async def ask(self, content: str = "Why?", asker: Asker = ANA) -> Asked:
        return await self.replies.ask(asker, None, content)

    async def say(self, conversation: ConversationId, parent: MessageId, author: Author) -> MessageId:
        """Keep one more message after another."""
        said = Message(
            id=MessageId.of(secrets.token_bytes(12)),
            conversation=conversation,
            parent=parent,
            author=author,
            content="word " * 5,
            created_at_s=2.0,
        )
        await self.store.add_message(ANA.owner, said)
        return said.id

    async def over(self, asked: Asked, asker: Asker = ANA) -> Message | None:
        """The answer, once it has ended, as it was kept."""
        await self.ended(asked.conversation.id, asker)
        messages = await self.store.messages(asker.owner, asked.conversation.id)
        return next((message for message in messages if message.id == asked.reply.id), None)

    async def ended(self, conversation: ConversationId, asker: Asker = ANA) -> None:
        await until(lambda: self.replies.running(asker.owner, conversation) is None)

    async def path_ids(self, asked: Asked) -> list[MessageId]:
        return [message.id for message in await self.store.messages(ANA.owner, asked.conversation.id)]

    def line(self) -> RequestFinished:
        """The newest request in the log."""
        return self.journal.of(RequestFinished)[-1]

    @property
    def kept(self) -> int:
        """How often anything was kept."""
        return self.store.calls["add_conversation"] + self.store.calls["add_message"]

    def assert_all_free(self) -> None:
        assert (self.engine.running, self.scheduler.running, self.scheduler.waiting) == (0, 0, 0)
        assert (self.lifecycle.running, self.scheduler.owners) == (0, 0)
        assert self.replies.remembered == 0
        assert self.sleep.asked_s == []
        assert self.admission.remembered == 0


FULL = StorageFullError()
