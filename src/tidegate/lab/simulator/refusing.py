"""How a refusal looks to whoever is refused: each reason with the status that it has over HTTP."""

from __future__ import annotations

from typing import Final

from tidegate.core.reasons import Reason
from tidegate.lab.acts import Outcome

STATUS: Final = {
    Reason.INVALID_API_KEY: 401,
    Reason.WRONG_CREDENTIALS: 401,
    Reason.SOURCE_BLOCKED: 403,
    Reason.SIGN_UP_CLOSED: 403,
    Reason.INVITATION_REQUIRED: 403,
    Reason.CHALLENGE_REQUIRED: 403,
    Reason.REQUEST_TIMEOUT: 408,
    Reason.EMAIL_TAKEN: 409,
    Reason.LINK_INVALID: 410,
    Reason.CONCURRENCY_LIMIT_EXCEEDED: 429,
    Reason.INSUFFICIENT_QUOTA: 429,
    Reason.SIGN_IN_BUSY: 429,
    Reason.SLOW_DOWN: 429,
    Reason.TOO_MANY_CONNECTIONS: 429,
    Reason.ENGINE_FAILED: 502,
    Reason.ENGINE_UNAVAILABLE: 503,
    Reason.INSUFFICIENT_SYSTEM_RESOURCE: 503,
    Reason.SERVER_IS_OVERLOADED: 503,
    Reason.CLIENT_LEFT: 0,
}
"""The same as in docs/reference/errors.md; nobody is left to be told a status who has left."""

_WORDS: Final = {reason: reason.value for reason in Reason}

OK: Final = 200


def refused(reason: Reason, asked_at_s: float, now: float, retry_after_s: float | None = None) -> Outcome:
    """What somebody is told who is refused; a wait that is told is a promise."""
    return Outcome(
        asked_at_s=asked_at_s,
        ended_at_s=now,
        status=STATUS[reason],
        reason=_WORDS[reason],
        retry_after_s=retry_after_s,
        promised_s=retry_after_s,
    )
