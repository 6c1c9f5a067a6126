"""What one try, and one need, counts as: the same everywhere that it is counted."""

from __future__ import annotations

from typing import Final

from tidegate.core.reasons import Reason
from tidegate.lab.acts import Ask, Asked, Chat, Ended, Need, Outcome, SignIn, SignUp
from tidegate.lab.scenario import Slo

_CHALLENGED: Final = Reason.CHALLENGE_REQUIRED.value
_LEFT: Final = Reason.CLIENT_LEFT.value
_WRONG: Final = Reason.WRONG_CREDENTIALS.value
_FIRST_ERROR: Final = 400
_FIRST_SERVED: Final = 200


def refusal(outcome: Outcome) -> str:
    """Give the reason for which it was refused, or nothing. Whoever left was not refused."""
    if outcome.reason:
        return "" if outcome.reason == _LEFT else outcome.reason
    # A limit that is not ours, as the baselines have, gives a status and no word.
    return f"status_{outcome.status}" if outcome.status >= _FIRST_ERROR else ""


def false_refusal(ask: Ask, refused_by: str) -> str:
    """Give the reason for which somebody legitimate was refused: neither a challenge nor the truth about a password."""
    if refused_by == _CHALLENGED:
        return ""
    if refused_by == _WRONG and isinstance(ask.what, SignIn) and not ask.what.is_right:
        return ""
    return refused_by


def is_challenged(outcome: Outcome) -> bool:
    """Whether work was asked for, whether it was done or not."""
    return outcome.effort > 0 or outcome.reason == _CHALLENGED


def is_admitted(what: Asked, outcome: Outcome, refused_by: str) -> bool:
    """Whether it was let in and worked on; `refused_by` is its `refusal`.

    A sign-up is let in with its account, and not with a place in the line.
    """
    if refused_by:
        return False
    if type(what) is SignUp:
        return outcome.is_complete
    return _FIRST_SERVED <= outcome.status < _FIRST_ERROR or outcome.output_tokens > 0


def first_s(ended: Ended) -> float | None:
    """Seconds from the first try to the first token."""
    outcome = ended.outcome
    return None if outcome.first_s is None else outcome.asked_at_s + outcome.first_s - ended.since_s


def is_good(ended: Ended, slo: Slo) -> bool:
    """Whether a question's answer was what the scenario calls good.

    One that comes in one piece may take as long as it would have taken to come to its end in good time.
    """
    first, outcome = first_s(ended), ended.outcome
    most_s = slo.first_s + (slo.gap_s * outcome.output_tokens if outcome.is_whole else 0.0)
    return (
        outcome.is_complete
        and first is not None
        and first <= most_s
        and outcome.gap_s <= slo.gap_s
        and outcome.stall_s <= slo.stall_s
    )


def is_undecided(ended: Ended, slo: Slo, duration_s: float) -> bool:
    """Whether the rehearsal's end cut it before it was decided: what has missed a limit by then is decided.

    What came after the end, as in the live world, does not count: it is judged by what was known when it came.
    """
    if not _is_cut(ended, duration_s):
        return False
    if ended.need is not Need.CHAT:
        return True
    outcome, first = ended.outcome, None if ended.is_open else first_s(ended)
    most_s = slo.first_s + slo.gap_s * ended.whole_tokens
    if first is None or ended.since_s + first > duration_s:
        return duration_s - ended.since_s <= most_s
    return first <= most_s and outcome.gap_s <= slo.gap_s and outcome.stall_s <= slo.stall_s


def _is_cut(ended: Ended, duration_s: float) -> bool:
    outcome = ended.outcome
    if ended.is_open or outcome.ended_at_s > duration_s:
        return True
    return outcome.ended_at_s == duration_s and not outcome.is_complete and not refusal(outcome)


def tokens_offered(what: Chat) -> int:
    """How many tokens a question asks for: its own, and its answer's as long as that would become."""
    return what.prompt_tokens + min(what.answer_tokens, what.max_tokens)
