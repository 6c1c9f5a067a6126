"""Says in the one vocabulary, and in a sentence for a person, why there is no answer."""

from __future__ import annotations

from math import ceil

import msgspec

from tidegate.core.events import Site
from tidegate.core.reasons import Reason
from tidegate.ports.conversations import ConversationFullError, StorageFullError, UnreadableContentError
from tidegate.ports.engine import (
    CallRejectedError,
    ContextExceededError,
    EngineError,
    EngineUnavailableError,
)
from tidegate.ports.storage import StorageUnavailableError
from tidegate.ports.upstream import UnknownModelError, UpstreamBusyError, UpstreamFailedError
from tidegate.services.admission import CutShortError
from tidegate.services.lane import OverloadedError, TooManyInFlightError
from tidegate.services.quotas import QuotaExhaustedError, QuotaHeldError


class Failure(msgspec.Struct, frozen=True):
    """Why there is no answer, or only a part of one."""

    reason: Reason
    sentence: str
    retry_after_s: float | None = None


def _again(retry_after_s: float) -> str:
    return f"Please try again in {ceil(retry_after_s)} s."


def failure_of(error: Exception) -> Failure | None:  # noqa: C901, PLR0911, PLR0912 - a table of kinds
    """Say what the engine, the lane or the store could not do; None for what should not have happened."""
    match error:
        case TooManyInFlightError():
            shared = ", and this user as many of them as may be one user's" if error.is_end_users else ""
            return Failure(
                Reason.CONCURRENCY_LIMIT_EXCEEDED,
                f"This account already has {error.inside} requests running or waiting{shared}. Please let one of them "
                f"end. {_again(error.retry_after_s)}",
                error.retry_after_s,
            )
        case QuotaExhaustedError():
            return Failure(Reason.INSUFFICIENT_QUOTA, str(error), error.retry_after_s)
        case QuotaHeldError():
            return Failure(
                Reason.CONCURRENCY_LIMIT_EXCEEDED,
                "Requests that run or wait may use up all that is left of this budget. Please let one of them end, or "
                "ask for shorter answers (max_tokens). " + _again(error.retry_after_s),
                error.retry_after_s,
            )
        case OverloadedError():
            return Failure(
                Reason.SERVER_IS_OVERLOADED,
                "Too many people are here at this moment, and there is no room for more to wait. "
                + _again(error.retry_after_s),
                error.retry_after_s,
            )
        case CutShortError():
            return Failure(
                Reason.INSUFFICIENT_SYSTEM_RESOURCE,
                "The service is very busy, and this answer had to make room before it was complete. "
                + _again(error.retry_after_s),
                error.retry_after_s,
            )
        case ContextExceededError():
            return Failure(
                Reason.CONTEXT_LENGTH_EXCEEDED,
                f"The prompt has {error.prompt_tokens} tokens; this model can hold {error.context_tokens}, "
                "answer included. Please shorten it.",
            )
        case CallRejectedError():
            return Failure(Reason.UNSUPPORTED_VALUE, f"The model cannot take this request: {error.message}")
        case UnknownModelError():
            return Failure(Reason.MODEL_NOT_FOUND, f"The model {str(error)!r} is not served here.")
        case UpstreamBusyError():
            return Failure(
                Reason.SERVER_IS_OVERLOADED,
                "The model has as much to do as it can at this moment. " + _again(error.retry_after_s),
                error.retry_after_s,
            )
        case UpstreamFailedError():
            return Failure(
                Reason.ENGINE_FAILED,
                "The server of the model does not answer as it should. " + _again(error.retry_after_s),
                error.retry_after_s,
            )
        case EngineUnavailableError():
            return Failure(
                Reason.ENGINE_UNAVAILABLE,
                "The model is starting or cannot be reached. Please try again shortly.",
                error.retry_after_s,
            )
        case EngineError():
            return Failure(Reason.ENGINE_FAILED, "The model broke off while answering. Please try again.", 2.0)
        case StorageFullError():
            return Failure(
                Reason.STORAGE_FULL,
                "Your conversations take up all the space that an account may have. Please delete some of them.",
            )
        case ConversationFullError():
            return Failure(Reason.CONVERSATION_FULL, "This conversation is full; begin a new one.")
        case UnreadableContentError():
            return Failure(Reason.CONTENT_UNREADABLE, "This conversation can no longer be read.")
        case StorageUnavailableError():
            return Failure(
                Reason.STORAGE_UNAVAILABLE,
                "What is kept here can neither be read nor written at this moment. Please try again shortly.",
                5.0,
            )
        case _:
            return None


def origin(error: BaseException) -> tuple[Site, Site]:
    """The class of an error and where it rose: what may be written down of a defect."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    module = traceback.tb_frame.f_globals.get("__name__", "") if traceback else ""
    line = traceback.tb_lineno if traceback else 0
    return Site(type(error).__name__, 0), Site(module, line)
