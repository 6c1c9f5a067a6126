"""Questions of the web chat, and their answers, which outlive the page that asked.

An answer is written in the background: closing the page does not end it, and
any page of the account sees it grow. One at a time is written in a
conversation. It ends by itself, when it is stopped, when nobody of the account
has had a page open for a while, or when the service stops; what it says until
then is kept before anybody is told of its end.

A place in line is taken before a question is kept: what was kept is answered,
and what there is no room for is refused before.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from functools import partial

import msgspec

from tidegate.core.capacity.health import EngineState
from tidegate.core.conversations import Author, Conversation, Ending, Message
from tidegate.core.generation.reply import Draft, Reply
from tidegate.core.generation.size import around_tokens
from tidegate.core.generation.window import LONGEST_TOKEN_BYTES, answer_tokens, most_bytes, turns
from tidegate.core.identifiers import ConversationId, MessageId, SessionId, UserId
from tidegate.core.quotas.budget import Payer
from tidegate.core.titles import title_of
from tidegate.ports.engine import EngineUnavailableError
from tidegate.services import questions
from tidegate.services.absence import Absences
from tidegate.services.exclusion import Exclusion
from tidegate.services.happenings import Added, Began, Changed, Happening, Removed
from tidegate.services.questions import ConversationMissingError, MessageMissingError
from tidegate.services.seats import Seat, Seats
from tidegate.services.watching import Watch, Watchers
from tidegate.services.writing import Asker, Desk, Writing

_Key = tuple[UserId, ConversationId]


class ReplyRunningError(Exception):
    """An answer is being written in this conversation."""


class QuestionTooLongError(Exception):
    """No model of this context can hold the question: it is not even counted."""

    def __init__(self, context_tokens: int) -> None:
        """The figure is shown to the caller."""
        super().__init__(f"longer than {context_tokens} tokens can be")
        self.context_tokens = context_tokens


class Asked(msgspec.Struct, frozen=True):
    """A question that was kept, and its answer, which has begun."""

    conversation: Conversation
    message: Message
    reply: Reply


class Replies:
    """All answers that are being written for the web chat, and the pages that watch them."""

    def __init__(
        self,
        desk: Desk,
        encode: Callable[[Happening], bytes],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`encode` writes what pages are told; `sleep` waits for seconds."""
        self._desk = desk
        self._seats = Seats()
        self._removing: set[_Key] = set()
        self._changing: Exclusion[_Key] = Exclusion()
        self._watchers = Watchers(encode, self._left)
        self._absences: Absences[_Key] = Absences(self._unattended, sleep)
        desk.lifecycle.when_draining(self._let_go)

    @property
    def remembered(self) -> int:
        """How many accounts, pages, answers and timers it holds: 0 when nothing goes on."""
        going_on = len(self._seats) + len(self._removing) + self._changing.remembered
        return going_on + len(self._watchers.owners) + self._absences.remembered

    # ------------------------------------------------------------ asking

    async def ask(
        self, asker: Asker, conversation_id: ConversationId | None, content: str, parent: MessageId | None = None
    ) -> Asked:
        """Keep a question, in a new conversation when none is named, and begin its answer.

        Before anything is kept it raises EngineUnavailableError,
        OverloadedError, TooManyInFlightError, QuotaExhaustedError,
        QuotaHeldError, ReplyRunningError,
        QuestionTooLongError or a LookupError; while it is kept, the port's
        errors, and then nothing is kept. Pages are told of the question and of
        the answer's beginning before this returns.
        """
        owner, now, store = asker.owner, self._desk.clock(), self._desk.conversations
        is_new = conversation_id is None
        known = conversation_id or ConversationId.of(secrets.token_bytes(12))
        with self._seated(owner, known) as seat:
            if is_new:
                title = title_of(content)
                conversation = Conversation(id=known, owner=owner, title=title, created_at_s=now, updated_at_s=now)
            else:
                conversation = await questions.find(store, owner, known)
            before = [] if parent is None else await questions.path_to(store, owner, known, parent)
            payers = await self._desk.admission.meet(asker.user)
            question = Message(
                id=MessageId.of(secrets.token_bytes(12)),
                conversation=known,
                parent=parent,
                author=Author.USER,
                content=content,
                created_at_s=now,
            )
            self._enter(asker, seat, [*before, question], payers)
            await questions.keep(store, owner, conversation if is_new else None, question)
            conversation = _moved(conversation, question)
            if is_new:
                self._watchers.tell(owner, Changed(conversation))
            self._watchers.tell(owner, Added(conversation, question))
            return Asked(conversation, question, self._begin(asker, seat, conversation, [*before, question]))

    async def answer(self, asker: Asker, conversation_id: ConversationId, parent: MessageId) -> Reply:
        """Begin an answer, or another one, to a question that is there already. Raises as `ask` does."""
        owner, store = asker.owner, self._desk.conversations
        with self._seated(owner, conversation_id) as seat:
            conversation = await questions.find(store, owner, conversation_id)
            messages = await questions.path_to(store, owner, conversation_id, parent)
            if messages[-1].author is not Author.USER:
                raise MessageMissingError
            self._enter(asker, seat, messages, await self._desk.admission.meet(asker.user))
            return self._begin(asker, seat, conversation, messages)

    @contextlib.contextmanager
    def _seated(self, owner: UserId, conversation_id: ConversationId) -> Iterator[Seat]:
        """Take the conversation's seat, so that nobody else can; give it back unless an answer has begun."""
        report = self._desk.engine.report()
        if report.state is not EngineState.READY:
            raise EngineUnavailableError(report.why, report.retry_after_s)
        if (owner, conversation_id) in self._removing:
            raise ConversationMissingError
        if self._seats.get(owner, conversation_id) is not None:
            raise ReplyRunningError
        seat = self._seats.take(owner, conversation_id)
        try:
            yield seat
        finally:
            if seat.writing is None:
                if seat.ticket is not None:
                    self._desk.admission.leave(seat.ticket)
                self._free(owner, conversation_id)
                self._let_go_of(owner)

    def _enter(self, asker: Asker, seat: Seat, messages: list[Message], payers: Sequence[Payer]) -> None:
        """Take a place in line for the answer to the last of the messages, or refuse."""
        desk, context_tokens = self._desk, self._desk.engine.card.context_tokens
        if len(messages[-1].content.encode()) > context_tokens * LONGEST_TOKEN_BYTES:
            raise QuestionTooLongError(context_tokens)
        claim = desk.admission.claim(
            asker.user,
            prompt_bytes=most_bytes(turns(messages), context_tokens),
            output_tokens=answer_tokens(context_tokens),
            is_stream=True,
        )
        most_tokens = claim.prompt_bytes + around_tokens(len(messages)) + claim.output_tokens
        seat.ticket = desk.admission.take(claim, payers, min(context_tokens, most_tokens))

    def _begin(self, asker: Asker, seat: Seat, conversation: Conversation, messages: list[Message]) -> Reply:
        assert seat.ticket is not None, "whoever begins has entered"
        draft = Draft(MessageId.of(secrets.token_bytes(12)), conversation.id, messages[-1].id)
        seat.writing = Writing(self._desk, asker, conversation, draft, turns(messages), seat.wish, seat.ticket)
        # Counted from this moment: a service that is being stopped must not look idle before the task runs.
        counted = contextlib.ExitStack()
        counted.enter_context(self._desk.lifecycle.request())
        seat.task = asyncio.create_task(self._write(seat.writing, counted))
        if not self._watchers.is_watched(asker.owner):
            self._absences.begin((asker.owner, conversation.id))
        reply = draft.read()
        self._watchers.tell(asker.owner, Began(reply))
        return reply

    async def _write(self, writing: Writing, counted: contextlib.ExitStack) -> None:
        owner = writing.asker.owner
        with counted:
            try:
                ended = await writing.run(partial(self._watchers.tell, owner))
            finally:
                # Before anybody is told: whoever reads of the end may ask again at once.
                self._free(owner, writing.conversation.id)
            self._watchers.tell(owner, ended)
            if ended.message is not None:
                self._watchers.tell(owner, Changed(_moved(writing.conversation, ended.message)))
            self._let_go_of(owner)

    def _free(self, owner: UserId, conversation_id: ConversationId) -> None:
        self._absences.end((owner, conversation_id))
        self._seats.free(owner, conversation_id)

    # ------------------------------------------------------------ what becomes of conversations

    def running(self, owner: UserId, conversation_id: ConversationId) -> Reply | None:
        """The answer that is being written in a conversation, as far as it is."""
        seat = self._seats.get(owner, conversation_id)
        return seat.writing.draft.read() if seat is not None and seat.writing is not None else None

    async def stop(self, owner: UserId, conversation_id: ConversationId) -> None:
        """End the conversation's answer, if one is being written, and keep what it says.

        Raises ConversationMissingError.
        """
        seat = self._seats.get(owner, conversation_id)
        if seat is None:
            await questions.find(self._desk.conversations, owner, conversation_id)
            return
        seat.wish.end(Ending.STOPPED)
        await seat.is_over.wait()

    async def rename(self, owner: UserId, conversation_id: ConversationId, title: str) -> Conversation:
        """Change a title. Raises ConversationMissingError."""
        key = (owner, conversation_id)
        if key in self._removing:
            raise ConversationMissingError
        # In turn: nobody is told of a title that is no longer there, or of a conversation.
        async with self._changing.of(key):
            if not await self._desk.conversations.rename_conversation(owner, conversation_id, title):
                raise ConversationMissingError
            renamed = await questions.find(self._desk.conversations, owner, conversation_id)
            seat = self._seats.get(owner, conversation_id)
            if seat is not None and seat.writing is not None:
                seat.writing.conversation = renamed
            self._watchers.tell(owner, Changed(renamed))
            return renamed

    async def delete(self, owner: UserId, conversation_id: ConversationId) -> None:
        """Remove a conversation, and the answer that is being written in it. Raises ConversationMissingError."""
        key = (owner, conversation_id)
        if key in self._removing:
            raise ConversationMissingError
        self._removing.add(key)
        try:
            seat = self._seats.get(owner, conversation_id)
            if seat is not None:
                seat.wish.discard()
                await seat.is_over.wait()
            async with self._changing.of(key):
                if not await self._desk.conversations.delete_conversation(owner, conversation_id):
                    raise ConversationMissingError
                self._watchers.tell(owner, Removed(conversation_id))
        finally:
            self._removing.discard(key)

    # ------------------------------------------------------------ watching

    def watch(self, owner: UserId, session: SessionId) -> Watch:
        """Tell one more page what happens in the account, from now on; one too many takes the oldest one's place.

        A session that ends from here on takes the page with it: whoever looks
        the session up after this leaves no page open that outlives it.
        """
        watch = self._watchers.open(owner, session)
        for conversation_id in self._seats.of(owner):
            self._absences.end((owner, conversation_id))
        self._let_go_of(owner)
        return watch

    def hang_up(self, sessions: Collection[SessionId]) -> None:
        """End the pages of sessions that were ended, at once."""
        self._watchers.hang_up(sessions)

    def _left(self, owner: UserId) -> None:
        for conversation_id, seat in self._seats.of(owner).items():
            # The time of an answer begins with the answer, not while its question is being kept.
            if seat.writing is not None:
                self._absences.begin((owner, conversation_id))

    def _unattended(self, key: _Key) -> None:
        owner, conversation_id = key
        seat = self._seats.get(owner, conversation_id)
        assert seat is not None, "an absence ends with its seat"
        seat.wish.end(Ending.UNATTENDED)

    def _let_go(self) -> None:
        for owner in self._watchers.owners:
            self._let_go_of(owner)

    def _let_go_of(self, owner: UserId) -> None:
        """While the service is being stopped, pages are kept for as long as there is something to tell."""
        if self._desk.lifecycle.is_draining and owner not in self._seats:
            self._watchers.finish(owner)


def _moved(conversation: Conversation, message: Message) -> Conversation:
    """The conversation as the store has it once it has the message."""
    return msgspec.structs.replace(conversation, updated_at_s=max(conversation.updated_at_s, message.created_at_s))
