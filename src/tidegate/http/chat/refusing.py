"""Says in the web chat's words what could not be done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tidegate.core.reasons import Reason
from tidegate.http.failing import refusing
from tidegate.http.refusals import Refusal
from tidegate.services.questions import MessageMissingError
from tidegate.services.replies import QuestionTooLongError, ReplyRunningError


@contextlib.contextmanager
def refusing_chat() -> Iterator[None]:
    """Turn what the services raise into a Refusal."""
    try:
        with refusing():
            yield
    except MessageMissingError:
        raise message_missing() from None
    except LookupError as error:
        if type(error) in {KeyError, IndexError}:  # A defect of ours, not an answer of a store's.
            raise
        raise conversation_missing() from None
    except ReplyRunningError:
        raise Refusal(
            Reason.REPLY_IS_RUNNING, "An answer is being written in this conversation. Wait for its end, or stop it."
        ) from None
    except QuestionTooLongError as error:
        raise Refusal(
            Reason.CONTEXT_LENGTH_EXCEEDED,
            f"This does not fit the model, which holds {error.context_tokens} tokens. Please shorten it.",
            param="content",
        ) from None


def conversation_missing() -> Refusal:
    """The same for one that is not there, one of somebody else's, and what cannot be an id."""
    return Refusal(Reason.CONVERSATION_NOT_FOUND, "There is no such conversation.")


def message_missing() -> Refusal:
    """The same for one that is not there, one of another conversation, and what cannot be an id."""
    return Refusal(Reason.MESSAGE_NOT_FOUND, "The conversation has no such message, or none to answer.", param="parent")
