"""From facts to a number between 0 and 1, by adding up log-odds.

Each fact has a curve that never falls: the more a session looks like a program's in
this respect, the more it counts. Curves are sums of ramps between knots. What speaks for
a person is capped by group, for whoever pays for a browser can look like one; what
speaks against is not. A fact that was not judged counts nothing. Because curves never
fall, caps bend but never fold and the calibration rises, more evidence of a program
never lowers the score.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from tidegate.core.score.crowd import Likeness, Outline, facts_of, likenesses, outline
from tidegate.core.score.features import FEATURES, facts
from tidegate.core.score.session import LogTraits, Session


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Log-odds of one fact: `base` below the first knot, and what is added on the way to each next one."""

    knots: tuple[float, ...]
    base: float
    steps: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse a curve that falls."""
        rising = all(low < high for low, high in zip(self.knots, self.knots[1:], strict=False))
        if len(self.steps) != len(self.knots) - 1 or not rising or min(self.steps, default=0.0) < 0:
            msg = "a curve has ascending knots and one step, not below zero, from each to the next"
            raise ValueError(msg)

    def at(self, value: float) -> float:
        """The log-odds at this value."""
        total = self.base
        for low, high, step in zip(self.knots, self.knots[1:], self.steps, strict=False):
            if value <= low:
                break
            total += step * min(1.0, (value - low) / (high - low))
        return total


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """From what the weights come. `left_out_auc`: by grade, the median over families that a fit had not seen."""

    source: str
    fitted_on: str
    sessions: int
    families: tuple[str, ...]
    left_out_auc: dict[str, float]
    note: str


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """The model, as it lies in the package. `caps` bound what speaks for a person, by group."""

    format: int
    provenance: Provenance
    prior: float
    slope: float
    ask_from: float
    caps: dict[str, float]
    curves: dict[str, Curve]

    def __post_init__(self) -> None:
        """Refuse weights that name what nobody measures, or that would turn evidence around."""
        if set(self.curves) != {feature.name for feature in FEATURES}:
            msg = "weights name exactly the facts that are measured"
            raise ValueError(msg)
        if self.slope <= 0 or min(self.caps.values(), default=1.0) <= 0:
            msg = "slope and caps are above zero"
            raise ValueError(msg)


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One reason for a score: above zero it speaks for a program, below for a person."""

    feature: str
    group: str
    value: float
    log_odds: float
    words: str


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a session came to.

    `is_asked` says whether a challenge would be shown, once for the whole session and not
    again when one was solved. It is never alone a ground to keep somebody out.
    """

    name: str
    score: float
    is_asked: bool
    events: int
    acct: str | None
    reasons: tuple[Cause, ...]
    lacking: tuple[str, ...]
    too_short_for: tuple[str, ...]


_LEAST_REASON: Final = 0.05


class Measured(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is kept of a session that has ended, until it can be compared with the others of its log."""

    name: str
    events: int
    acct: str | None
    has_solved: bool
    facts: dict[str, float | None]
    lacking: frozenset[str]
    outline: Outline


def measure(session: Session, traits: LogTraits) -> Measured:
    """Take down all that is judged of a session; the session itself can be let go."""
    return Measured(
        name=session.name,
        events=session.events,
        acct=session.acct,
        has_solved=bool(session.entry.challenges_solved),
        facts=facts(session, traits),
        lacking=session.lacking,
        outline=outline(session),
    )


def judge_all(measured: Sequence[Measured], weights: Weights) -> Iterator[Judged]:
    """Weigh sessions of one log, each also by what it has in common with the others, in the same order."""
    for one, likeness in zip(measured, likenesses([one.outline for one in measured]), strict=True):
        yield judge(one, likeness, weights)


def judge(measured: Measured, likeness: Likeness, weights: Weights) -> Judged:
    """Weigh what is known of a session."""
    values = measured.facts | facts_of(likeness)
    score, causes = weigh(values, weights)
    lacking: set[str] = set()
    too_short: list[str] = []
    for feature in FEATURES:
        if values[feature.name] is None:
            missing = measured.lacking.intersection(feature.needs)
            lacking |= missing
            if not missing:
                too_short.append(feature.name)
    return Judged(
        name=measured.name,
        score=score,
        is_asked=score >= weights.ask_from and not measured.has_solved,
        events=measured.events,
        acct=measured.acct,
        reasons=causes,
        lacking=tuple(sorted(lacking)),
        too_short_for=tuple(too_short),
    )


def weigh(values: Mapping[str, float | None], weights: Weights) -> tuple[float, tuple[Cause, ...]]:
    """Give the score and its reasons, heaviest first."""
    causes: list[Cause] = []
    against: dict[str, float] = {}
    total = weights.prior
    for feature in FEATURES:
        value = values.get(feature.name)
        if value is None:
            continue
        log_odds = weights.curves[feature.name].at(value)
        if log_odds < 0:
            against[feature.group] = against.get(feature.group, 0.0) + log_odds
        total += max(0.0, log_odds)
        if abs(log_odds) >= _LEAST_REASON:
            causes.append(
                Cause(
                    feature=feature.name,
                    group=feature.group,
                    value=round(value, 4) + 0.0,  # No minus before a nought.
                    log_odds=round(log_odds, 3),
                    words=feature.words if log_odds > 0 else f"not so: {feature.words}",
                )
            )
    total += sum(_capped(log_odds, weights.caps.get(group, math.inf)) for group, log_odds in against.items())
    causes.sort(key=lambda cause: -abs(cause.log_odds))
    # Past 30 the difference from 0 and 1 is below what is printed; exp() must not overflow.
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, weights.slope * total)))), tuple(causes)


def _capped(log_odds: float, cap: float) -> float:
    """Bend it towards the cap: never past it, and still in the same order."""
    return log_odds if cap == math.inf else -cap * math.tanh(-log_odds / cap)
