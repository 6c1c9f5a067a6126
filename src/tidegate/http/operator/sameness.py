"""Says to the operator in words whether answers are still the pinned model's, and what to do when they are not."""

from __future__ import annotations

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
_SERVED = "Requests are served all the same."
_PIN = ("If it was changed on purpose, pin it as it answers now:", "tidegate models pin")
_VERIFY = (
    "If not, stop the service, look at what stands before the engine, and check the file:",
    "tidegate models verify",
)


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence that ends with `at_s` where it is given, how bad it is, what to know, what to do by which verb."""

    indicator: Indicator
    sentence: str
    at_s: float | None = None
    more: tuple[str, ...] = ()
    steps: tuple[tuple[str, str], ...] = ()


def words_of(report: SamenessReport) -> Words:
    """What the page says."""
    words = _words(report)
    if report.unanswered < _UNANSWERED_AT_LEAST:
        return words
    stale = f"The last {report.unanswered} looks were not answered: whether this is still so is not known."
    worse: Indicator = "minor" if words.indicator == "none" else words.indicator
    return msgspec.structs.replace(words, indicator=worse, more=(stale, *words.more))


def _words(report: SamenessReport) -> Words:
    now = report.sameness
    other_file = (_OTHER_FILE,) if report.is_same_file is False else ()
    match now.answering:
        case Answering.UNKNOWN:
            return Words(indicator="none", sentence="Whether answers are the pinned model's is not known yet.")
        case Answering.SAME:
            sentence = "Answers are those of the model as it was pinned:"
            return Words(indicator="none", sentence=sentence, at_s=report.pinned_at_s)
        case Answering.DRIFTED:
            return Words(
                indicator="minor",
                sentence="Answers have moved a little from those of the pinned model since",
                at_s=now.since_s,
                more=("An update of the engine or a date in the chat template does that.", *other_file),
                steps=(_PIN,),
            )
        case Answering.DIFFERENT:
            look_at = (_LOOK_AT[now.part],) if now.part is not None else ()
            sentence, command = _VERIFY
            return Words(
                indicator="critical",
                sentence="Answers are no longer those of the pinned model since",
                at_s=now.since_s,
                more=(*look_at, *other_file, _SERVED),
                steps=(_PIN, (sentence, f"{command} {report.model}")),
            )
        case Answering.NOT_COMPARABLE:
            sentence = "Whether answers are the pinned model's cannot be told: nothing steady to compare."
            return Words(indicator="none", sentence=sentence)
        case _ as never:
            assert_never(never)
