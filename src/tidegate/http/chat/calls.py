"""The web chat's calls. Every answer is the signed-in person's own: nobody else's ids exist for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core import titles
from tidegate.core.accounts import User
from tidegate.core.admission.slots import SlotPlan
from tidegate.core.reasons import Reason
from tidegate.core.search import words_of
from tidegate.http import cookies
from tidegate.http.chat import events
from tidegate.http.chat.answers import (
    Asked,
    ConversationBody,
    ConversationList,
    ConversationsQuery,
    ConversationTree,
    HitBody,
    HitList,
    MessageBody,
    ModelBody,
    NewConversation,
    NewMessage,
    NewReply,
    NewTitle,
    SearchQuery,
    SessionBody,
    written,
)
from tidegate.http.chat.reading import asker, body, conversation_id_of, message_id_of, query, signed_in_visitor
from tidegate.http.chat.refusing import conversation_missing, refusing_chat
from tidegate.http.presence import until_gone
from tidegate.http.refusals import Refusal
from tidegate.http.status.verdict import verdict
from tidegate.http.streams import EventStream, PacedResponse
from tidegate.ports.conversations import ConversationStore, Hit
from tidegate.ports.engine import Engine
from tidegate.services.lane import Lane, OverloadedError, TooManyInFlightError
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.replies import Asked as Kept
from tidegate.services.replies import Replies
from tidegate.services.sessions import Sessions

_MOST_HITS: Final = 50
_UNSTORED: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class ChatRoom(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls work with. `clock` tells Unix seconds, `searches` gives the `search_lane` that somebody is in."""

    engine: Engine
    replies: Replies
    sessions: Sessions
    conversations: ConversationStore
    searches: Callable[[User], Lane]
    lifecycle: Lifecycle
    clock: Callable[[], float]


def search_lanes(ticks: Callable[[], float], is_stranger: Callable[[User], bool]) -> Callable[[User], Lane]:
    """One search at a time, two more that wait, one of each account: each reads everything that somebody wrote.

    Strangers have a lane of their own, so that searching all the time is no way to keep known people from it.
    """
    known, strangers = Lane(SlotPlan(1, 2, 1), ticks), Lane(SlotPlan(1, 2, 1), ticks)
    return lambda user: strangers if is_stranger(user) else known


async def get_session(room: ChatRoom, request: Request) -> Response:
    """Tell the page who is signed in, and how the service is."""
    visitor, signed_in = signed_in_visitor(request)
    card = room.engine.card
    status = verdict(room.engine.report().state, is_draining=room.lifecycle.is_draining)
    return _json(
        SessionBody(
            email=signed_in.user.email,
            role=signed_in.user.role,
            csrf_token=visitor.csrf,
            is_protected=visitor.is_protected,
            model=ModelBody(id=card.id, context_tokens=card.context_tokens),
            status=status.indicator,
            status_description=status.description,
        )
    )


async def list_conversations(room: ChatRoom, request: Request) -> Response:
    """One page of the list."""
    _, signed_in = signed_in_visitor(request)
    asked = query(request, ConversationsQuery)
    with refusing_chat():
        found = await room.conversations.conversations(signed_in.user.id, limit=asked.limit + 1, before_s=asked.before)
    shown = [ConversationBody.of(conversation) for conversation in found[: asked.limit]]
    return _json(ConversationList(data=shown, has_more=len(found) > asked.limit))


async def create_conversation(room: ChatRoom, request: Request) -> Response:
    """Begin a conversation with a question."""
    asked = await body(request, NewConversation)
    with refusing_chat():
        return _asked(await room.replies.ask(asker(request), None, asked.content))


async def get_conversation(room: ChatRoom, request: Request) -> Response:
    """Everything that was said, and what is being said."""
    owner, conversation_id = asker(request).owner, conversation_id_of(request)
    with refusing_chat():
        conversation = await room.conversations.conversation(owner, conversation_id)
        if conversation is None:
            raise conversation_missing()
        was_running = room.replies.running(owner, conversation_id) is not None
        messages = await room.conversations.messages(owner, conversation_id)
        reply = room.replies.running(owner, conversation_id)
        if was_running and reply is None:
            # It ended while the others were read, and is one of them now.
            messages = await room.conversations.messages(owner, conversation_id)
    if any(reply is not None and message.id == reply.id for message in messages):
        reply = None  # It is kept, and will be said to have ended in a moment.
    return _json(
        ConversationTree(
            conversation=ConversationBody.of(conversation),
            messages=[MessageBody.of(message) for message in messages],
            reply=events.reply_body(reply) if reply else None,
        )
    )


async def rename_conversation(room: ChatRoom, request: Request) -> Response:
    """Give it another title."""
    owner, conversation_id = asker(request).owner, conversation_id_of(request)
    wanted = await body(request, NewTitle)
    try:
        title = titles.checked(wanted.title)
    except ValueError as error:
        raise Refusal(Reason.INVALID_VALUE, f"{error}.", param="title") from None
    with refusing_chat():
        renamed = await room.replies.rename(owner, conversation_id, title)
    return _json(ConversationBody.of(renamed))


async def delete_conversation(room: ChatRoom, request: Request) -> Response:
    """Remove it, and the answer that is being written in it."""
    with refusing_chat():
        await room.replies.delete(asker(request).owner, conversation_id_of(request))
    return _nothing()


async def create_message(room: ChatRoom, request: Request) -> Response:
    """Ask the next question, or the same one in other words."""
    conversation_id = conversation_id_of(request)
    asked = await body(request, NewMessage)
    parent = None if asked.parent is None else message_id_of(asked.parent)
    with refusing_chat():
        return _asked(await room.replies.ask(asker(request), conversation_id, asked.content, parent))


async def create_reply(room: ChatRoom, request: Request) -> Response:
    """Have a question answered, or answered again."""
    conversation_id = conversation_id_of(request)
    asked = await body(request, NewReply)
    with refusing_chat():
        reply = await room.replies.answer(asker(request), conversation_id, message_id_of(asked.parent))
    return _json(events.reply_body(reply), 202)


async def stop_reply(room: ChatRoom, request: Request) -> Response:
    """End the answer that is being written, if one is; what it says is kept."""
    with refusing_chat():
        await room.replies.stop(asker(request).owner, conversation_id_of(request))
    return _nothing()


async def search_conversations(room: ChatRoom, request: Request) -> Response:
    """Look for words in everything that the person has here."""
    user, asked = asker(request).user, query(request, SearchQuery)
    owner, lane = user.id, room.searches(user)
    try:
        words = words_of(asked.q)
    except ValueError as error:
        raise Refusal(Reason.INVALID_VALUE, f"{error}.", param="q") from None

    async def search() -> list[Hit]:
        ticket = await lane.enter(owner)
        try:
            return await room.conversations.search(owner, words, limit=_MOST_HITS)
        finally:
            lane.leave(ticket)

    with refusing_chat():
        try:
            found = await until_gone(search(), request.receive, room.lifecycle)
        except (OverloadedError, TooManyInFlightError) as error:
            raise Refusal(
                Reason.SEARCH_BUSY,
                "Searches are running already. Please try again in a moment.",
                retry_after_s=error.retry_after_s,
            ) from None
    return _json(HitList(data=[_hit(hit) for hit in found]))


async def watch_account(room: ChatRoom, request: Request) -> Response:
    """Tell what happens in the account for as long as the page is open, or the session lasts."""
    _, signed_in = signed_in_visitor(request)
    if request.method == "HEAD":
        return Response(headers=_UNSTORED, media_type="text/event-stream")
    watch = room.replies.watch(signed_in.user.id, signed_in.session.id)
    try:
        await _require_session(room, request)
    except BaseException:
        watch.close()
        raise

    async def close() -> None:
        watch.close()

    told = events.pieces(watch, room.lifecycle, lambda: room.clock() >= signed_in.session.expires_at_s)
    # Without the drain limit: at that the answers are cut, and pages are told so before their streams end.
    return EventStream(told, None, request.state.exchange, close)


async def _require_session(room: ChatRoom, request: Request) -> None:
    """The session may have ended after the door let it through, before there was a watch to end with it."""
    if await room.sessions.find(cookies.read(request, cookies.SESSION) or "") is None:
        raise Refusal(Reason.NOT_SIGNED_IN, "Please sign in first.")


def _asked(kept: Kept) -> Response:
    return _json(
        Asked(
            conversation=ConversationBody.of(kept.conversation),
            message=MessageBody.of(kept.message),
            reply=events.reply_body(kept.reply),
        ),
        201,
    )


def _hit(hit: Hit) -> HitBody:
    return HitBody(conversation=ConversationBody.of(hit.conversation), message=hit.message, excerpt=hit.excerpt)


def _json(value: object, status: int = 200) -> Response:
    return PacedResponse(written(value), status, _UNSTORED, media_type="application/json")


def _nothing() -> Response:
    return Response(status_code=204, headers=_UNSTORED)
