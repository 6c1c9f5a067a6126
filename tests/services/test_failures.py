"""Every known failure has a reason, a sentence, and a status where there is no answer."""

from __future__ import annotations

import pytest

from tidegate.core.quotas.budget import State
from tidegate.core.quotas.windows import Window
from tidegate.core.reasons import Reason
from tidegate.ports.conversations import ConversationFullError, StorageFullError, UnreadableContentError
from tidegate.ports.engine import CallRejectedError, ContextExceededError, EngineError, EngineUnavailableError
from tidegate.ports.storage import StorageUnavailableError
from tidegate.services.failures import failure_of, origin
from tidegate.services.lane import OverloadedError, TooManyInFlightError
from tidegate.services.quotas import QuotaExhaustedError, QuotaHeldError
from tidegate.services.writing import STATUSES

EXHAUSTED = State(payer="ana", window=Window.DAY, limit=5000, used=5100, held=0, resets_at_s=1_800_057_600.0)


@pytest.mark.parametrize(
    ("error", "reason", "retry_after_s", "said"),
    [
        (TooManyInFlightError(16, 3.0), Reason.CONCURRENCY_LIMIT_EXCEEDED, 3.0, "16"),
        (QuotaHeldError(0.2), Reason.CONCURRENCY_LIMIT_EXCEEDED, 1.0, "max_tokens"),
        (QuotaExhaustedError(EXHAUSTED, 60.0, "ana"), Reason.INSUFFICIENT_QUOTA, 60.0, "from 2027-01-16 00:00 UTC on"),
        (
            TooManyInFlightError(9, 3.0, is_end_users=True),
            Reason.CONCURRENCY_LIMIT_EXCEEDED,
            3.0,
            "9 requests running or waiting, and this user as many of them as may be one user's. Please let",
        ),
        (OverloadedError(3.2), Reason.SERVER_IS_OVERLOADED, 3.2, "no room for more to wait. Please try again in 4 s."),
        (ContextExceededError(9000, 4096), Reason.CONTEXT_LENGTH_EXCEEDED, None, "9000"),
        (CallRejectedError("no tools"), Reason.UNSUPPORTED_VALUE, None, "no tools"),
        (EngineUnavailableError("private words", 2.5), Reason.ENGINE_UNAVAILABLE, 2.5, "starting"),
        (EngineError("private words"), Reason.ENGINE_FAILED, 2.0, "broke off"),
        (StorageFullError(), Reason.STORAGE_FULL, None, "space"),
        (ConversationFullError(), Reason.CONVERSATION_FULL, None, "new one"),
        (StorageUnavailableError("private words"), Reason.STORAGE_UNAVAILABLE, 5.0, "moment"),
        (UnreadableContentError("private words"), Reason.CONTENT_UNREADABLE, None, "read"),
    ],
)
def test_a_known_failure_is_said_in_a_sentence_without_what_is_for_the_operator(
    error: Exception, reason: Reason, retry_after_s: float | None, said: str
) -> None:
    failure = failure_of(error)

    assert failure is not None
    assert (failure.reason, failure.retry_after_s) == (reason, retry_after_s)
    assert said in failure.sentence
    assert "private words" not in failure.sentence
    assert reason in STATUSES


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError("disk"), LookupError("gone")])
def test_what_should_not_have_happened_is_no_known_failure(error: Exception) -> None:
    assert failure_of(error) is None


def test_a_defect_is_known_by_its_class_and_place_and_never_by_its_words() -> None:
    try:
        raise ValueError("a prompt")  # noqa: EM101 - the words are the point
    except ValueError as error:
        kind, place = origin(error)

    assert kind == "ValueError:0"
    assert place.rpartition(":")[0].endswith("test_failures")
    assert int(place.rpartition(":")[2]) > 0
    assert origin(OSError()) == ("OSError:0", "unknown:0")
