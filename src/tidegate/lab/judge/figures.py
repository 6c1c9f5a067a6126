"""The figures, each with the one sentence that says what it is: `title` for tables, `description` for readers.

`docs/reference/figures.md`, the report and the scoreboard print these sentences, so none of them can say another
thing than the others.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tidegate.lab.judge.binned import Spread

DELAYED_FROM_S: Final = 10.0
"""A sign-up that the service keeps longer than this is delayed; people read a page for as long."""
HONEST_S: Final = 0.5
"""A promise is told in whole seconds: so much later is still kept."""
LATE_S: Final = 60.0
"""So long after an attack's end a finding may still be about it."""
MOST_FOUND: Final = 100_000
"""So many accounts whose passwords one family found are told apart, in each service."""
BACK_PART: Final = 0.95
"""Goodput is back from this part of the level before on."""
BACK_STEPS: Final = 3
"""So many steps in a row must be back: one alone may be luck."""
STEP_NEEDS: Final = 20
"""Questions of established people in a step: of fewer, one bad answer would look like a fall."""


class Recovery(StrEnum):
    """Whether all was seen to be as before an incident."""

    RECOVERED = "recovered"
    NOT_RECOVERED = "not_recovered"
    NOT_OBSERVED = "not_observed"


def _figure(title: str, says: str) -> Any:
    return Meta(title=title, description=says)


class _Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A table of figures."""


class PeopleFigures(_Figures, frozen=True, kw_only=True):
    """What one group of legitimate people got."""

    needs: Annotated[
        int,
        _figure(
            "Questions",
            "Questions to the model that began in the judged span, however many tries each took. One that the end of "
            "the rehearsal cut, be it in the line, while it was answered or before another try, is among them, and not "
            "good, where it had missed a limit by then; else it is left out.",
        ),
    ]
    good: Annotated[
        int,
        _figure(
            "Good",
            "Questions whose answer came whole and within the scenario's limits: first "
            "token counted from the first try, 95th percentile of the gaps between tokens, longest gap.",
        ),
    ]
    goodput: Annotated[float | None, _figure("Goodput", "The part of the questions that were good.")]
    completed: Annotated[int, _figure("Complete", "Questions whose answer came whole, however late.")]
    abandoned: Annotated[
        int,
        _figure(
            "Given up",
            "Questions that ended without a whole answer and without a "
            "refusal: whoever asked left, or the answer broke off.",
        ),
    ]
    refused: Annotated[int, _figure("Refused", "Questions whose last try was refused.")]
    first_s: Annotated[
        Spread,
        _figure(
            "First token",
            "Seconds from the first try of a question to the first token of its answer, over questions that got one.",
        ),
    ]
    gap_s: Annotated[
        Spread,
        _figure("Gap", "Each streamed answer's 95th percentile of the seconds between two tokens, over answers."),
    ]
    tries: Annotated[int, _figure("Tries", "Requests of any kind that were sent in the judged span.")]
    false_refusals: Annotated[
        int,
        _figure(
            "False refusals",
            "Tries that were refused for any reason; a password that was truly wrong and a challenge are none.",
        ),
    ]
    refused_by: Annotated[
        dict[str, int], _figure("Refused by reason", "False refusals by the service's word for the reason.")
    ]
    challenged: Annotated[int, _figure("Challenges", "Tries of which work was asked.")]
    needless: Annotated[
        int, _figure("Needless challenges", "Tries of which work was asked while no attack of the scenario was on.")
    ]
    pages: Annotated[int, _figure("Pages", "Pages that somebody wanted to see.")]
    pages_ok: Annotated[int, _figure("Pages shown", "Pages that were shown.")]
    sign_ins: Annotated[int, _figure("Sign-ins", "Sign-ins that somebody wanted, however many tries each took.")]
    sign_ins_ok: Annotated[int, _figure("Signed in", "Sign-ins that succeeded.")]
    sign_in_s: Annotated[
        Spread,
        _figure("Sign-in time", "Seconds from the first try of a sign-in to being in, over those that succeeded."),
    ]
    sign_ups: Annotated[int, _figure("Sign-ups", "Accounts that somebody wanted.")]
    sign_ups_made: Annotated[int, _figure("Accounts made", "Sign-ups that ended with an account.")]
    sign_ups_lost: Annotated[int, _figure("Sign-ups lost", "Sign-ups that ended without one.")]
    sign_ups_delayed: Annotated[
        int,
        _figure(
            "Sign-ups delayed",
            f"Accounts made that the service kept waiting for "
            f"more than {DELAYED_FROM_S:.0f} seconds, by its line or by refusing earlier tries.",
        ),
    ]
    sign_up_delay_s: Annotated[
        Spread,
        _figure(
            "Sign-up delay", "Seconds that accounts made were kept waiting by the service's line and by earlier tries."
        ),
    ]
    undecided: Annotated[
        int,
        _figure(
            "Cut off",
            "Questions that are left out of all of these, because the end of the rehearsal cut them while they might "
            "still have become good.",
        ),
    ] = 0
    pages_undecided: Annotated[int, _figure("Pages cut off", "Pages left out: the end came before they did.")] = 0
    sign_ins_undecided: Annotated[
        int, _figure("Sign-ins cut off", "Sign-ins left out: the end came while they were tried.")
    ] = 0
    sign_ups_undecided: Annotated[
        int,
        _figure(
            "Sign-ups cut off",
            "Sign-ups left out: the end came while they were on their way, most of them in the line.",
        ),
    ] = 0


class AttackFigures(_Figures, frozen=True, kw_only=True):
    """What one family of attackers got, and what it took from others."""

    tries: Annotated[int, _figure("Tries", "Requests of any kind that they sent in the judged span.")]
    admitted: Annotated[
        int,
        _figure("Admitted", "Tries that were let in and worked on; of sign-ups those that ended with an account."),
    ]
    refused: Annotated[int, _figure("Refused", "Tries that were refused, challenges among them.")]
    refused_by: Annotated[
        dict[str, int], _figure("Refused by reason", "Refused tries by the service's word for the reason.")
    ]
    challenged: Annotated[int, _figure("Challenges", "Tries of which work was asked.")]
    prompt_tokens: Annotated[int, _figure("Prompt tokens", "Tokens that the engine read for them.")]
    output_tokens: Annotated[int, _figure("Output tokens", "Tokens that the engine wrote for them.")]
    cost: Annotated[float, _figure("Cost", "What that was worth, in the cost tokens that budgets count.")]
    cost_share: Annotated[
        float | None, _figure("Part of all work", "Their part of the cost of all work in the judged span.")
    ]
    accounts_won: Annotated[int, _figure("Accounts won", "Accounts that they made for themselves.")]
    passwords_found: Annotated[
        int,
        _figure(
            "Passwords found",
            f"Accounts of others that they signed in to, each counted once, and {MOST_FOUND:,} at the most.",
        ),
    ]
    sign_ins_won: Annotated[
        int, _figure("Sign-ins won", "How often they signed in to accounts of others, to the same ones too.")
    ] = 0


class OddityFigures(_Figures, frozen=True, kw_only=True):
    """What became of harmless people who look odd. They are among their groups above as well."""

    needs: Annotated[int, _figure("Questions", "Questions to the model that they had in the judged span.")]
    good: Annotated[int, _figure("Good", "Those that were good, as above.")]
    goodput: Annotated[float | None, _figure("Goodput", "The part of the questions that were good.")]
    tries: Annotated[int, _figure("Tries", "Requests of any kind that they sent.")]
    false_refusals: Annotated[int, _figure("False refusals", "Tries that were refused, as above.")]
    challenged: Annotated[int, _figure("Challenges", "Tries of which work was asked.")]


class PromiseFigures(_Figures, frozen=True, kw_only=True):
    """Whether waits that people were told were waits that they had."""

    told: Annotated[int, _figure("Waits told", "Tries of legitimate people that were told how long to wait.")]
    tested: Annotated[int, _figure("Waits had", "Those of them who waited to the end, so that the wait is known.")]
    kept: Annotated[int, _figure("Kept", f"Waits had that took no longer than was told first, {HONEST_S} s given.")]
    kept_share: Annotated[float | None, _figure("Kept, as a part", "The part of the waits had that were kept.")]
    ratio: Annotated[
        Spread,
        _figure(
            "Had / told",
            "Each wait had, divided by the one that was told first; 1 is exact, below is earlier than told.",
        ),
    ]


class IncidentFigures(_Figures, frozen=True, kw_only=True):
    """How soon one attack, crowd or fault was noticed, borne and over."""

    kind: Annotated[str, _figure("Kind", "attack, crowd or fault.")]
    name: Annotated[str, _figure("Name", "Its family, as the scenario names it.")]
    from_s: Annotated[float, _figure("From", "Seconds from the beginning to its onset.")]
    until_s: Annotated[float, _figure("Until", "Seconds from the beginning to its end.")]
    detect_s: Annotated[
        float | None,
        _figure(
            "Detected",
            "Seconds from its onset to the first suspicion, handover to "
            "a firewall or registration mode that rose by itself; none if nothing rose until "
            f"{LATE_S:.0f} seconds after its end.",
        ),
    ]
    detected_by: Annotated[str, _figure("Detected by", "What that was.")]
    level: Annotated[
        float | None,
        _figure(
            "Goodput before",
            "Goodput of established people in the judged span before "
            "its onset, while nothing else of the scenario was on; 1 where there was none.",
        ),
    ]
    lowest: Annotated[
        float | None,
        _figure(
            "Lowest goodput",
            "The lowest goodput of established people in any step "
            f"of at least {STEP_NEEDS} questions from its onset until the next one begins.",
        ),
    ]
    mitigate_s: Annotated[
        float | None,
        _figure(
            "Mitigated",
            "Seconds from its onset until goodput of established people was back at "
            f"{BACK_PART * 100:.0f} % of the level before for {BACK_STEPS} steps in a row; 0 if it never fell, none if "
            f"it stayed down until the next one began. A step is as many intervals as hold {STEP_NEEDS} questions, and "
            "one question less than good is chance.",
        ),
    ]
    recover_s: Annotated[
        float | None,
        _figure(
            "Recovered",
            "Seconds from its end until registration was as open as before its onset, "
            "or more, and goodput was back; none if that did not come before the next one began, or was not observed.",
        ),
    ]
    recovery: Annotated[
        Recovery,
        _figure(
            "Recovery",
            "recovered; not_recovered, where it was watched after its end and was not all as before; not_observed, "
            "where the rehearsal ended, or the next one began, within the interval in which it ended, or too few "
            "questions came after it.",
        ),
    ] = Recovery.NOT_OBSERVED


class AlarmFigures(_Figures, frozen=True, kw_only=True):
    """What the service called an attack, over the whole rehearsal, the unjudged beginning included."""

    false_alarms: Annotated[
        int,
        _figure(
            "False alarms",
            "Suspicions and handovers to a firewall while nothing of the "
            f"scenario was an attack, nor had been within {LATE_S:.0f} seconds.",
        ),
    ]
    false_by: Annotated[dict[str, int], _figure("False alarms by kind", "False alarms by what was said.")]
    late: Annotated[
        int, _figure("Late alarms", f"Suspicions and handovers within {LATE_S:.0f} seconds after an attack's end.")
    ]
    true: Annotated[int, _figure("Alarms in attacks", "Suspicions and handovers while an attack was on.")]
    raised_in_calm: Annotated[
        int,
        _figure(
            "Closed in calm",
            "Times that registration closed further by itself while "
            "nothing of the scenario was an attack; a crowd may do that, and no one is called an attacker by it.",
        ),
    ]


class Move(_Figures, frozen=True, kw_only=True):
    """One change of registration's mode."""

    at_s: Annotated[float, _figure("At", "Seconds from the beginning.")]
    was: Annotated[str, _figure("From", "The mode before.")]
    to: Annotated[str, _figure("To", "The mode from then on.")]
    by: Annotated[str, _figure("By", "auto, or the operator.")]
    detail: Annotated[str, _figure("Why", "What it rests on, as the service says it.")]
    cell: Annotated[int, _figure("Cell", "Which of the services that stand side by side.")] = 0


class LoadFigures(_Figures, frozen=True, kw_only=True):
    """The course of things, interval by interval."""

    step_s: Annotated[float, _figure("Interval", "Seconds of one interval; at most 720 of them.")]
    offered: Annotated[
        dict[str, list[float]],
        _figure(
            "Offered",
            "Tokens a second, of prompts and of answers as long "
            "as they would become, that were asked for by each group, every try counted.",
        ),
    ]
    admitted: Annotated[dict[str, list[float]], _figure("Admitted", "Tokens a second of those tries that were let in.")]
    good: Annotated[
        dict[str, list[float]],
        _figure("Good", "Tokens a second of questions that were good, at the moment in which they were asked first."),
    ]
    needs: Annotated[dict[str, list[int]], _figure("Questions", "Questions first asked in the interval.")]
    goodput: Annotated[
        dict[str, list[float | None]],
        _figure(
            "Goodput", "The part of the questions first asked in the interval that were good; none where nobody asked."
        ),
    ]
    first_p95_s: Annotated[
        dict[str, list[float | None]],
        _figure(
            "First token, p95",
            "The 95th percentile of the seconds to the first token of questions first asked in the interval, "
            "at most 5 % off.",
        ),
    ]
    running: Annotated[list[float | None], _figure("Running", "Answers that are being written, in the mean.")]
    waiting: Annotated[list[float | None], _figure("Waiting", "Questions in the line, in the mean.")]
    in_line: Annotated[list[float | None], _figure("Waiting room", "People in the waiting room, in the mean.")]
    tok_s: Annotated[list[float | None], _figure("Done", "Tokens a second that the engines did.")]
    capacity_tok_s: Annotated[list[float | None], _figure("Capacity", "Tokens a second that the engines could do.")]
    mode: Annotated[list[str], _figure("Mode", "Registration's mode, the most closed of the interval.")]
