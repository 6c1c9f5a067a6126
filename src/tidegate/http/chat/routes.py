"""The web chat's routes."""

from __future__ import annotations

from typing import Final

from tidegate.core.accounts import Role
from tidegate.core.admission.facts import Lane
from tidegate.core.reasons import Reason
from tidegate.http.chat import calls
from tidegate.http.chat.answers import (
    AccountEvent,
    Asked,
    ConversationBody,
    ConversationList,
    ConversationsQuery,
    ConversationTree,
    HitList,
    NewConversation,
    NewMessage,
    NewReply,
    NewTitle,
    ReplyBody,
    SearchQuery,
    SessionBody,
)
from tidegate.http.routes import Route

_BODY_REASONS = (
    Reason.INVALID_JSON,
    Reason.INVALID_VALUE,
    Reason.MISSING_FIELD,
    Reason.UNSUPPORTED_VALUE,
    Reason.BODY_TOO_LARGE,
)
_ASKING_REASONS = (
    *_BODY_REASONS,
    Reason.CONTEXT_LENGTH_EXCEEDED,
    Reason.STORAGE_FULL,
    Reason.INSUFFICIENT_QUOTA,
    Reason.CONCURRENCY_LIMIT_EXCEEDED,
    Reason.SERVER_IS_OVERLOADED,
    Reason.ENGINE_UNAVAILABLE,
)
_READING_REASONS = (Reason.CONVERSATION_NOT_FOUND, Reason.CONTENT_UNREADABLE)
_FOLLOWING_REASONS = (
    *_ASKING_REASONS,
    *_READING_REASONS,
    Reason.MESSAGE_NOT_FOUND,
    Reason.REPLY_IS_RUNNING,
    Reason.CONVERSATION_FULL,
)

TABLE: Final = (
    Route(
        method="GET",
        path="/api/session",
        summary="Who is signed in, and how the service is",
        endpoint=calls.get_session,
        role=Role.USER,
        response=SessionBody,
    ),
    Route(
        method="GET",
        path="/api/conversations",
        summary="List conversations, last updated first",
        endpoint=calls.list_conversations,
        role=Role.USER,
        query=ConversationsQuery,
        response=ConversationList,
        reasons=(Reason.INVALID_VALUE, Reason.CONTENT_UNREADABLE),
    ),
    Route(
        method="POST",
        path="/api/conversations",
        summary="Begin a conversation with a question",
        endpoint=calls.create_conversation,
        lane=Lane.INFERENCE,
        role=Role.USER,
        request=NewConversation,
        response=Asked,
        statuses=(201,),
        reasons=_ASKING_REASONS,
    ),
    Route(
        method="GET",
        path="/api/conversations/{conversation}",
        summary="Read a conversation",
        endpoint=calls.get_conversation,
        role=Role.USER,
        response=ConversationTree,
        reasons=_READING_REASONS,
    ),
    Route(
        method="PATCH",
        path="/api/conversations/{conversation}",
        summary="Rename a conversation",
        endpoint=calls.rename_conversation,
        role=Role.USER,
        request=NewTitle,
        response=ConversationBody,
        reasons=(*_BODY_REASONS, *_READING_REASONS, Reason.STORAGE_FULL),
    ),
    Route(
        method="DELETE",
        path="/api/conversations/{conversation}",
        summary="Delete a conversation",
        endpoint=calls.delete_conversation,
        role=Role.USER,
        statuses=(204,),
        reasons=(Reason.CONVERSATION_NOT_FOUND,),
    ),
    Route(
        method="POST",
        path="/api/conversations/{conversation}/messages",
        summary="Ask the next question",
        endpoint=calls.create_message,
        lane=Lane.INFERENCE,
        role=Role.USER,
        request=NewMessage,
        response=Asked,
        statuses=(201,),
        reasons=_FOLLOWING_REASONS,
    ),
    Route(
        method="POST",
        path="/api/conversations/{conversation}/replies",
        summary="Have a question answered, or answered again",
        endpoint=calls.create_reply,
        lane=Lane.INFERENCE,
        role=Role.USER,
        request=NewReply,
        response=ReplyBody,
        statuses=(202,),
        reasons=_FOLLOWING_REASONS,
    ),
    Route(
        method="DELETE",
        path="/api/conversations/{conversation}/reply",
        summary="Stop the answer that is being written",
        endpoint=calls.stop_reply,
        role=Role.USER,
        statuses=(204,),
        reasons=_READING_REASONS,
    ),
    Route(
        method="GET",
        path="/api/search",
        summary="Look for words in titles and messages",
        endpoint=calls.search_conversations,
        role=Role.USER,
        query=SearchQuery,
        response=HitList,
        reasons=(Reason.INVALID_VALUE, Reason.MISSING_FIELD, Reason.CONTENT_UNREADABLE, Reason.SEARCH_BUSY),
    ),
    Route(
        method="GET",
        path="/api/events",
        summary="What happens in the account, as it happens",
        endpoint=calls.watch_account,
        role=Role.USER,
        response=AccountEvent,
        media_type="text/event-stream",
    ),
)
