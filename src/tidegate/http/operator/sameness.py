"""Says to the operator in words whether answers are still the pinned model's, and what to do when they are not."""

from __future__ import annotations

import time
from typing import assert_never

import msgspec

from tidegate.core.models.pin import Part
from tidegate.core.models.sameness import Answering
from tidegate.http.status.verdict import Indicator
from tidegate.services.sameness import SamenessReport

_LOOK_AT = {
    Part.WEIGHTS: "The model itself answers otherwise: another file, another quantisation, or another engine.",
    Part.TEMPLATE: "The model is the same where its chat template is left out: look at the template, and for a "
    "system prompt that something puts before yours.",
}
_UNANSWERED_AT_LEAST = 3
_OTHER_FILE = "The file that is served is not the one that was pinned."
_TO_DO = (
    "Requests are served all the same. If you changed it on purpose, say so with: tidegate models pin. "
    "If not, stop the service, check the file with: tidegate models verify, and what stands before the engine."
)


class Words(msgspec.Struct, frozen=True):
    """One sentence, how bad it is, and what to know and do about it."""

    indicator: Indicator
    sentence: str
    more: tuple[str, ...] = ()


def words_of(report: SamenessReport | None) -> Words:
    """What the page says."""
    if report is None:
        return Words("none", "Nobody looks whether answers are still the model's: engine.fingerprint_s is 0.")
    words = _words(report)
    if report.unanswered < _UNANSWERED_AT_LEAST:
        return words
    stale = f"The last {report.unanswered} looks were not answered: this is as of {_at(report.sameness.judged_at_s)}."
    return Words("minor" if words.indicator == "none" else words.indicator, words.sentence, (stale, *words.more))


def _words(report: SamenessReport) -> Words:
    now = report.sameness
    other_file = (_OTHER_FILE,) if report.is_same_file is False else ()
    match now.answering:
        case Answering.UNKNOWN:
            return Words("none", "Whether answers are the pinned model's is not known yet.")
        case Answering.SAME:
            return Words("none", f"Answers are those of the model that was pinned at {_at(report.pinned_at_s)}.")
        case Answering.DRIFTED:
            sentence = f"Answers have moved a little from those of the pinned model since {_at(now.since_s)}."
            usual = "An update of the engine or a date in the chat template does that. Pin it anew: tidegate models pin"
            return Words("minor", sentence, (usual, *other_file))
        case Answering.DIFFERENT:
            sentence = f"Answers are no longer those of the pinned model since {_at(now.since_s)}."
            look_at = (_LOOK_AT[now.part],) if now.part is not None else ()
            return Words("critical", sentence, (*look_at, *other_file, _TO_DO))
        case Answering.NOT_COMPARABLE:
            return Words("none", "Whether answers are the pinned model's cannot be told: nothing steady to compare.")
        case _ as never:
            assert_never(never)


def _at(at_s: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at_s)) if at_s is not None else "an unknown time"
