"""Reads what a call brought: who makes it, its body, what stands in its address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from starlette.requests import Request

from tidegate.core.identifiers import ConversationId, Identifier, MessageId
from tidegate.http import bodies, forms
from tidegate.http.chat.refusing import conversation_missing, message_missing
from tidegate.http.refusals import Refusal
from tidegate.http.visitors import Visitor
from tidegate.services.sessions import SignedIn
from tidegate.services.writing import Asker

T = TypeVar("T")
Id = TypeVar("Id", bound=Identifier)

MAX_BODY_BYTES: Final = 512 << 10


def signed_in_visitor(request: Request) -> tuple[Visitor, SignedIn]:
    """Who makes the call. The door has let nobody else through."""
    visitor: Visitor = request.state.visitor
    assert visitor.signed_in is not None, "a door that let a stranger through"
    return visitor, visitor.signed_in


def asker(request: Request) -> Asker:
    """The same, as the services know them."""
    _, signed_in = signed_in_visitor(request)
    return Asker(signed_in.user, signed_in.session.id)


async def body(request: Request, kind: type[T]) -> T:
    """The body, within bounds. Raises a Refusal that names the field at fault."""
    return bodies.decode(await bodies.read(request, MAX_BODY_BYTES), kind)


def query(request: Request, kind: type[T]) -> T:
    """What stands behind the question mark. Raises a Refusal that names the field at fault."""
    return forms.decode(dict(request.query_params), kind)


def conversation_id_of(request: Request) -> ConversationId:
    """The conversation that the address names. Raises a Refusal for what is no id: there is no such conversation."""
    return _id(request.path_params["conversation"], ConversationId, conversation_missing)


def message_id_of(text: str) -> MessageId:
    """The message that a body names. Raises a Refusal for what is no id."""
    return _id(text, MessageId, message_missing)


def _id(text: str, kind: type[Id], missing: Callable[[], Refusal]) -> Id:
    try:
        return kind(text)
    except ValueError:
        raise missing() from None
