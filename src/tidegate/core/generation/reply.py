"""An answer while it is written for the web chat: what it says so far, and where it stands.

    waiting --prompt is read--> reading --first thought--> thinking --first word--> writing
       ^                           |
       +---------set aside---------+
    (any of them may be skipped; but for that way, none is gone back to)

`sequence` grows by one with every piece: who has all pieces up to one number
has all the text up to it.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tidegate.core.admission.claims import Waiting
from tidegate.core.conversations import Author, Ending, Message
from tidegate.core.generation.call import Delta, Event, Progress
from tidegate.core.identifiers import ConversationId, MessageId

REPORT_EVERY_S = 0.5
"""How often it is told how much of the prompt was read."""


class ReplyState(StrEnum):
    """Where an answer stands until it ends."""

    WAITING = "waiting"
    READING = "reading"
    THINKING = "thinking"
    WRITING = "writing"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer at one moment: all of it up to `sequence`. `id` is the message that it will be.

    While it waits, `position` 1 is next in line, and its turn comes in `wait_s`, both once that is known.
    """

    id: MessageId
    conversation: ConversationId
    parent: MessageId
    state: ReplyState = ReplyState.WAITING
    sequence: int = 0
    content: str = ""
    reasoning: str = ""
    reasoning_s: float | None = None
    read_tokens: int | None = None
    prompt_tokens: int | None = None
    position: int | None = None
    wait_s: float | None = None


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """It is in another state, more of the prompt was read, or it stands elsewhere in line."""

    id: MessageId
    conversation: ConversationId
    state: ReplyState
    read_tokens: int | None
    prompt_tokens: int | None
    position: int | None = None
    wait_s: float | None = None


class Grew(msgspec.Struct, frozen=True, kw_only=True):
    """It has one piece more."""

    id: MessageId
    conversation: ConversationId
    sequence: int
    content: str
    reasoning: str


class Draft:
    """Takes what the engine tells, and remembers it. Times are monotonic seconds, told by the caller."""

    def __init__(self, message_id: MessageId, conversation: ConversationId, parent: MessageId) -> None:
        """Wait."""
        self._start = Reply(id=message_id, conversation=conversation, parent=parent)
        self.state = ReplyState.WAITING
        self._sequence = 0
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._thinking_since: float | None = None
        self._reasoning_s: float | None = None
        self._read: Progress | None = None
        self._waiting: Waiting | None = None
        self._reported_at: float | None = None

    @property
    def has_text(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self._content or self._reasoning)

    def take(self, event: Event | Waiting, now: float) -> list[Moved | Grew]:
        """Answer what of an event is worth telling."""
        match event:
            case Waiting():
                self._waiting, self._read = event, None
                return self._move(ReplyState.WAITING)
            case Progress():
                return self._progress(event, now)
            case Delta(content=content, reasoning=reasoning) if content or reasoning:
                return self._grow(content, reasoning, now)
            case _:
                return []

    def _progress(self, progress: Progress, now: float) -> list[Moved | Grew]:
        self._read = progress
        if self.state is ReplyState.WAITING:
            self._reported_at = now
            return self._move(ReplyState.READING)
        if self._reported_at is not None and now - self._reported_at < REPORT_EVERY_S:
            return []
        self._reported_at = now
        return self._move(self.state)

    def _grow(self, content: str, reasoning: str, now: float) -> list[Moved | Grew]:
        told: list[Moved | Grew] = []
        if reasoning and self._thinking_since is None and not self._content:
            self._thinking_since = now
        if content and not self._content:
            self._stop_thinking(now)
        state = ReplyState.WRITING if content or self._content else ReplyState.THINKING
        if state is not self.state:
            told += self._move(state)
        if content:
            self._content.append(content)
        if reasoning:
            self._reasoning.append(reasoning)
        self._sequence += 1
        grew = Grew(
            id=self._start.id,
            conversation=self._start.conversation,
            sequence=self._sequence,
            content=content,
            reasoning=reasoning,
        )
        return [*told, grew]

    def _move(self, state: ReplyState) -> list[Moved | Grew]:
        self.state = state
        if state is not ReplyState.WAITING:
            self._waiting = None
        return [
            Moved(
                id=self._start.id,
                conversation=self._start.conversation,
                state=state,
                read_tokens=self._read.done if self._read else None,
                prompt_tokens=self._read.total if self._read else None,
                position=self._waiting.position if self._waiting else None,
                wait_s=self._waiting.wait_s if self._waiting else None,
            )
        ]

    def _stop_thinking(self, now: float) -> None:
        if self._thinking_since is not None and self._reasoning_s is None:
            self._reasoning_s = max(0.0, now - self._thinking_since)

    def read(self) -> Reply:
        """All of it so far."""
        return msgspec.structs.replace(
            self._start,
            state=self.state,
            sequence=self._sequence,
            content="".join(self._content),
            reasoning="".join(self._reasoning),
            reasoning_s=self._reasoning_s,
            read_tokens=self._read.done if self._read else None,
            prompt_tokens=self._read.total if self._read else None,
            position=self._waiting.position if self._waiting else None,
            wait_s=self._waiting.wait_s if self._waiting else None,
        )

    def message(self, ending: Ending, now: float, at_s: float) -> Message:
        """The message that it has become, at `at_s` (Unix s). Thinking that was never finished lasted until `now`."""
        self._stop_thinking(now)
        reply = self.read()
        return Message(
            id=reply.id,
            conversation=reply.conversation,
            parent=reply.parent,
            author=Author.ASSISTANT,
            content=reply.content,
            created_at_s=at_s,
            reasoning=reply.reasoning,
            reasoning_s=reply.reasoning_s,
            ending=ending,
        )
