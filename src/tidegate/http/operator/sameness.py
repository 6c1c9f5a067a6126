"""Says to the operator in words whether answers are still the pinned model's, and what to do when they are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec

from tidegate.core.models.pin import NotComparableReason, Part
from tidegate.core.models.sameness import Answering
from tidegate.http.status.verdict import Indicator
from tidegate.services.looks import SamenessReport

_LOOK_AT = {
    Part.WEIGHTS: "The model itself answers otherwise: another file, another quantisation, or another engine.",
    Part.TEMPLATE: "The model is the same where its chat template is left out: look at the template, and for a "
    "system prompt that something puts before yours.",
}
_WHY_NOT = {
    NotComparableReason.NO_LOGPROBS: "it gives no log-probabilities",
    NotComparableReason.UNSTEADY: "it does not answer the same twice",
}
_UNANSWERED_AT_LEAST = 3
_OTHER_FILE = "The file that is served is not the one that was pinned."
_SERVED = "Requests are served all the same."
_DRIFT = "An update of the engine or a date in the chat template does that."
_ON_USE = "It is looked at only while it is used."
_PIN = "If it was changed on purpose, pin it as it answers now:"
_RIGHT = "If it is right as it is, of another make or quantisation, give it a pin of its own:"
_VERIFY = "If not, stop the service, look at what stands before the engine, and check the file:"
_LEAVE_OUT = "If not, take it out of the [[engines]] and reload, then look at what it serves and what stands before it:"
_WORST_FIRST: tuple[Indicator, ...] = ("critical", "major", "minor", "none")
_MANY = 20


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence that ends with `at_s` where it is given, how bad it is, what to know, what to do by which verb."""

    indicator: Indicator
    sentence: str
    at_s: float | None = None
    more: tuple[str, ...] = ()
    steps: tuple[tuple[str, str], ...] = ()


def words_of(reports: Sequence[SamenessReport]) -> list[Words]:
    """What the page says: the worst first, and of very many not each that is well."""
    found = sorted(map(words_of_one, reports), key=lambda words: _WORST_FIRST.index(words.indicator))
    wrong = [words for words in found if words.indicator != "none"]
    if len(found) <= _MANY:
        return found
    rest = f"{len(found) - len(wrong)} more: nothing is known against them. Each stands in the vitals."
    return [*wrong, Words(indicator="none", sentence=rest)]


def words_of_one(report: SamenessReport) -> Words:
    """What is said of one engine."""
    words = _words(report)
    if report.replica is not None:
        sentence = f"{report.model} at {report.replica}: {words.sentence[0].lower()}{words.sentence[1:]}"
        words = msgspec.structs.replace(words, sentence=sentence)
    if report.unanswered < _UNANSWERED_AT_LEAST:
        return words
    stale = f"The last {report.unanswered} looks were not answered: whether this is still so is not known."
    worse: Indicator = "minor" if words.indicator == "none" else words.indicator
    return msgspec.structs.replace(words, indicator=worse, more=(stale, *words.more))


def _words(report: SamenessReport) -> Words:
    now = report.sameness
    match now.answering:
        case Answering.UNKNOWN:
            return Words(
                indicator="none",
                sentence="Whether answers are the pinned model's is not known yet.",
                more=(_ON_USE,) if report.on_use else (),
            )
        case Answering.SAME:
            sentence = "Answers are those of the model as it was pinned:"
            return Words(indicator="none", sentence=sentence, at_s=report.pinned_at_s)
        case Answering.DRIFTED:
            return Words(
                indicator="minor",
                sentence="Answers have moved a little from those of the pinned model since",
                at_s=now.since_s,
                more=(_DRIFT, *_other_file(report)),
                steps=((_PIN, _pin(report)),),
            )
        case Answering.DIFFERENT:
            return _different(report)
        case Answering.NOT_COMPARABLE:
            why = _WHY_NOT[now.why or NotComparableReason.UNSTEADY]
            return Words(indicator="none", sentence=f"Whether it is the pinned model cannot be looked at: {why}.")
        case _ as never:
            assert_never(never)


def _different(report: SamenessReport) -> Words:
    now = report.sameness
    look_at = (_LOOK_AT[now.part],) if now.part is not None else ()
    if report.pinned_at_s is None:
        sentence, on_purpose = "Answers are not those of this model's other engines since", _RIGHT
    else:
        sentence, on_purpose = "Answers are no longer those of the pinned model since", _PIN
    here = (_VERIFY, f"tidegate models verify {report.model}")
    elsewhere = (_LEAVE_OUT, "tidegate policy reload")
    return Words(
        indicator="critical",
        sentence=sentence,
        at_s=now.since_s,
        more=(*look_at, *_other_file(report), _SERVED),
        steps=((on_purpose, _pin(report)), here if report.replica is None else elsewhere),
    )


def _other_file(report: SamenessReport) -> tuple[str, ...]:
    return (_OTHER_FILE,) if report.is_same_file is False else ()


def _pin(report: SamenessReport) -> str:
    return "tidegate models pin" if report.replica is None else f"tidegate models pin --engine {report.replica}"
