"""What the web chat's calls give and take. The types in `web/` are made from these (times in Unix seconds)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tidegate.core.accounts import Role
from tidegate.core.conversations import Author, Conversation, Ending, Message
from tidegate.core.identifiers import Identifier
from tidegate.core.search import MAX_QUERY_CHARACTERS

MAX_CONTENT_CHARACTERS = 100_000
MAX_TITLE_CHARACTERS = 200

ContentText = Annotated[str, Meta(min_length=1, max_length=MAX_CONTENT_CHARACTERS, pattern=r"\S")]
TitleText = Annotated[str, Meta(min_length=1, max_length=MAX_TITLE_CHARACTERS, pattern=r"\S")]


class NewConversation(msgspec.Struct, frozen=True):
    """Begins a conversation with a question."""

    content: ContentText


class NewMessage(msgspec.Struct, frozen=True):
    """Goes on with a conversation. `parent` is the message that this one comes after; null begins a new root."""

    content: ContentText
    parent: str | None = None


class NewReply(msgspec.Struct, frozen=True):
    """Asks for an answer to a question that is already there and that has none, or another one."""

    parent: str


class NewTitle(msgspec.Struct, frozen=True):
    """Renames a conversation."""

    title: TitleText


class ConversationsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations: at most `limit`, and with `before` those last updated before that time."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    before: Annotated[float, Meta(ge=0, le=1e12)] | None = None


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for: words that all stand in one title or one message."""

    q: Annotated[str, Meta(max_length=MAX_QUERY_CHARACTERS)]


class ModelBody(msgspec.Struct, frozen=True, kw_only=True):
    """The model that answers."""

    id: str
    context_tokens: int


class SessionBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who is signed in, and what the page needs to know.

    `csrf_token` goes into the header `x-csrf-token` of every call that changes
    something, and into the field `csrf` of forms. Without `is_protected` others
    on the network can read along.
    """

    email: str
    role: Role
    csrf_token: str
    is_protected: bool
    model: ModelBody
    status: Literal["none", "minor", "major", "critical"]
    status_description: str


class ConversationBody(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation, without what was said."""

    id: str
    title: str
    created_at_s: float
    updated_at_s: float

    @classmethod
    def of(cls, conversation: Conversation) -> ConversationBody:
        """Write a conversation."""
        return cls(
            id=conversation.id,
            title=conversation.title,
            created_at_s=conversation.created_at_s,
            updated_at_s=conversation.updated_at_s,
        )


class ConversationList(msgspec.Struct, frozen=True, kw_only=True):
    """Conversations, last updated first. With `has_more`, ask again with `before` the last one's `updated_at_s`."""

    data: list[ConversationBody]
    has_more: bool


class MessageBody(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the tree. `reasoning_s` and `ending` are an answer's."""

    id: str
    parent: str | None
    author: Author
    content: str
    reasoning: str
    reasoning_s: float | None
    ending: Ending | None
    created_at_s: float

    @classmethod
    def of(cls, message: Message) -> MessageBody:
        """Write a message."""
        return cls(
            id=message.id,
            parent=message.parent,
            author=message.author,
            content=message.content,
            reasoning=message.reasoning,
            reasoning_s=message.reasoning_s,
            ending=message.ending,
            created_at_s=message.created_at_s,
        )


class ReplyBody(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is being written: all of it up to `sequence`. `id` is the message that it will be.

    While `reading`, `read_tokens` of `prompt_tokens` have been read, when the engine tells.
    While `waiting`, `position` 1 is next in line and its turn comes within `wait_s`, once that is known.
    """

    id: str
    conversation: str
    parent: str
    state: Literal["waiting", "reading", "thinking", "writing"]
    sequence: int
    content: str
    reasoning: str
    reasoning_s: float | None = None
    read_tokens: int | None = None
    prompt_tokens: int | None = None
    position: int | None = None
    wait_s: float | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The question was kept, and its answer has begun."""

    conversation: ConversationBody
    message: MessageBody
    reply: ReplyBody


class ConversationTree(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation with every message of its tree, oldest first, and the answer that is being written, if one is."""

    conversation: ConversationBody
    messages: list[MessageBody]
    reply: ReplyBody | None


class HitBody(msgspec.Struct, frozen=True, kw_only=True):
    """Where something was found: in a message, or in the title (then `message` is null)."""

    conversation: ConversationBody
    message: str | None
    excerpt: str


class HitList(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, the newest conversation first."""

    data: list[HitBody]


class ReplyError(msgspec.Struct, frozen=True, kw_only=True):
    """Why an answer was not given or broke off; `code` is one of the reasons in the reference."""

    code: str
    message: str
    retry_after_s: float | None = None


class Hello(msgspec.Struct, frozen=True, tag_field="type", tag="hello"):
    """The stream is open: what happens from now on will be told. What was before is for the other calls to tell."""


class MessageAdded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="message_added"):
    """A question was asked, perhaps in another tab.

    The page that asked hears of it here, too, and often before its call is answered.
    """

    conversation: ConversationBody
    message: MessageBody


class ReplyBegan(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reply_began"):
    """An answer was asked for."""

    reply: ReplyBody


class ReplyMoved(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reply_moved"):
    """The answer is in another state, more of the question was read, or it stands elsewhere in line.

    From `reading` it may come back to `waiting`, when somebody with a better right has come.
    """

    id: str
    conversation: str
    state: Literal["waiting", "reading", "thinking", "writing"]
    read_tokens: int | None = None
    prompt_tokens: int | None = None
    position: int | None = None
    wait_s: float | None = None


class ReplyGrew(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reply_grew"):
    """A piece of the answer. `sequence` grows by one each time: where one is missing, this client fell behind."""

    id: str
    conversation: str
    sequence: int
    content: str = ""
    reasoning: str = ""


class ReplyEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reply_ended"):
    """The answer is kept as `message` (null: there is nothing to keep); `error` says what went wrong, if anything.

    It is told only once the message is kept: whoever reads the conversation from then on finds it.
    """

    id: str
    conversation: str
    message: MessageBody | None
    error: ReplyError | None


class ConversationChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="conversation_changed"):
    """A conversation was begun, renamed, or moved up the list."""

    conversation: ConversationBody


class ConversationRemoved(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="conversation_removed"):
    """A conversation was deleted."""

    id: str


class Replaced(msgspec.Struct, frozen=True, tag_field="type", tag="replaced"):
    """The last event of this stream: the account has opened so many newer ones. Come back when somebody looks."""


AccountEvent = (
    Hello
    | MessageAdded
    | ReplyBegan
    | ReplyMoved
    | ReplyGrew
    | ReplyEnded
    | ConversationChanged
    | ConversationRemoved
    | Replaced
)
"""What `GET /api/events` tells, each as the JSON of one server-sent event."""


def written(value: object) -> bytes:
    """Any of these as JSON."""
    return msgspec.json.encode(value, enc_hook=_plain)


def _plain(value: object) -> str:
    if isinstance(value, Identifier):
        return str(value)
    msg = f"not a part of any answer: {type(value).__name__}"
    raise NotImplementedError(msg)
