"""What happens in an account, as its owner's open pages are told."""

from __future__ import annotations

import msgspec

from tidegate.core.conversations import Conversation, Message
from tidegate.core.generation.reply import Grew, Moved, Reply
from tidegate.core.identifiers import ConversationId, MessageId
from tidegate.services.failures import Failure


class Added(msgspec.Struct, frozen=True):
    """A question was kept."""

    conversation: Conversation
    message: Message


class Began(msgspec.Struct, frozen=True):
    """An answer was asked for."""

    reply: Reply


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """An answer is kept as `message`; `failure` says what went wrong, if anything."""

    id: MessageId
    conversation: ConversationId
    message: Message | None
    failure: Failure | None


class Changed(msgspec.Struct, frozen=True):
    """A conversation was begun, renamed, or moved up the list."""

    conversation: Conversation


class Removed(msgspec.Struct, frozen=True):
    """A conversation was deleted."""

    id: ConversationId


class Superseded(msgspec.Struct, frozen=True):
    """The page that is told this is told nothing more: the account opened more pages than are told at a time."""


Happening = Added | Began | Moved | Grew | Ended | Changed | Removed | Superseded
