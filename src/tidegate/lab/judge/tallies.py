"""Counters of one group of people, one family of attackers and one oddity; two of a kind can be added up."""

from __future__ import annotations

from typing import Any, Final

from tidegate.lab.acts import Ask, Ended, Need, Outcome, SignIn, SignUp
from tidegate.lab.judge.binned import Binned, rounded, share
from tidegate.lab.judge.figures import (
    DELAYED_FROM_S,
    HONEST_S,
    MOST_FOUND,
    AttackFigures,
    OddityFigures,
    PeopleFigures,
    PromiseFigures,
)
from tidegate.lab.judge.verdicts import false_refusal, first_s, is_challenged, refusal

_MOST_REASONS: Final = 64
_REST: Final = "others"


class Counts:
    """How often each of some words: at most 64 of them, and the rest together."""

    def __init__(self) -> None:
        """Empty."""
        self.by: dict[str, int] = {}

    def add(self, word: str, times: int = 1) -> None:
        """Count a word."""
        key = word if word in self.by or len(self.by) < _MOST_REASONS else _REST
        self.by[key] = self.by.get(key, 0) + times

    def merge(self, other: Counts) -> None:
        """Count all that `other` has."""
        for word, times in other.by.items():
            self.add(word, times)

    @property
    def total(self) -> int:
        """All together."""
        return sum(self.by.values())

    def sorted(self) -> dict[str, int]:
        """Give the most frequent first, equals by name."""
        return dict(sorted(self.by.items(), key=lambda one: (-one[1], one[0])))


class PeopleTally:
    """One group of legitimate people."""

    _NUMBERS: Final = (
        *("needs", "good", "completed", "abandoned", "refused", "tries", "challenged", "needless", "pages"),
        *("pages_ok", "sign_ins", "sign_ins_ok", "sign_ups", "sign_ups_made", "sign_ups_delayed"),
        *("undecided", "pages_undecided", "sign_ins_undecided", "sign_ups_undecided"),
    )
    _UNDECIDED: Final = {
        Need.CHAT: "undecided",
        Need.PAGE: "pages_undecided",
        Need.SIGN_IN: "sign_ins_undecided",
        Need.SIGN_UP: "sign_ups_undecided",
    }
    _BINNED: Final = ("first_s", "gap_s", "sign_in_s", "sign_up_delay_s")

    def __init__(self) -> None:
        """Nothing counted."""
        self.numbers = dict.fromkeys(self._NUMBERS, 0)
        self.binned = {name: Binned() for name in self._BINNED}
        self.refusals = Counts()

    def asked(self, ask: Ask, outcome: Outcome, refused_by: str, *, is_calm: bool) -> None:
        """Count a try; `refused_by` is its `refusal`; `is_calm` while no attack is on."""
        self.numbers["tries"] += 1
        if is_challenged(outcome):
            self.numbers["challenged"] += 1
            self.numbers["needless"] += is_calm
        if refused_by and (reason := false_refusal(ask, refused_by)):
            self.refusals.add(reason)

    def ended(self, ended: Ended, *, is_good: bool) -> None:
        """Count a need."""
        match ended.need:
            case Need.CHAT:
                self._chat(ended, is_good=is_good)
            case Need.PAGE:
                self.numbers["pages"] += 1
                self.numbers["pages_ok"] += ended.outcome.is_complete
            case Need.SIGN_IN:
                self.numbers["sign_ins"] += 1
                if ended.outcome.is_complete:
                    self.numbers["sign_ins_ok"] += 1
                    self.binned["sign_in_s"].add(ended.outcome.ended_at_s - ended.since_s)
            case Need.SIGN_UP:
                self._sign_up(ended)

    def undecided(self, ended: Ended) -> None:
        """Count a need that the rehearsal's end has cut, and leave it out of all else."""
        self.numbers[self._UNDECIDED[ended.need]] += 1

    def _chat(self, ended: Ended, *, is_good: bool) -> None:
        outcome, numbers = ended.outcome, self.numbers
        numbers["needs"] += 1
        numbers["good"] += is_good
        if outcome.is_complete:
            numbers["completed"] += 1
        elif refusal(outcome):  # Those who would have tried again are among them: this is how it stood.
            numbers["refused"] += 1
        else:
            numbers["abandoned"] += 1
        first = first_s(ended)
        if first is not None:
            self.binned["first_s"].add(first)
            if outcome.gap_s > 0:
                self.binned["gap_s"].add(outcome.gap_s)

    def _sign_up(self, ended: Ended) -> None:
        outcome = ended.outcome
        self.numbers["sign_ups"] += 1
        if outcome.is_complete:
            delay_s = outcome.asked_at_s - ended.since_s + (outcome.waited_s or 0.0)
            self.numbers["sign_ups_made"] += 1
            self.numbers["sign_ups_delayed"] += delay_s > DELAYED_FROM_S
            self.binned["sign_up_delay_s"].add(delay_s)

    def merge(self, other: PeopleTally) -> None:
        """Count all that `other` has."""
        for name, number in other.numbers.items():
            self.numbers[name] += number
        for name, binned in other.binned.items():
            self.binned[name].merge(binned)
        self.refusals.merge(other.refusals)

    def figures(self) -> PeopleFigures:
        """Give what was counted."""
        counted: dict[str, Any] = {**self.numbers, **{name: each.spread() for name, each in self.binned.items()}}
        return PeopleFigures(
            **counted,
            goodput=share(self.numbers["good"], self.numbers["needs"]),
            false_refusals=self.refusals.total,
            refused_by=self.refusals.sorted(),
            sign_ups_lost=self.numbers["sign_ups"] - self.numbers["sign_ups_made"],
        )

    def odd(self) -> OddityFigures:
        """Give the short form, for an oddity."""
        return OddityFigures(
            **{name: self.numbers[name] for name in ("needs", "good", "tries", "challenged")},
            goodput=share(self.numbers["good"], self.numbers["needs"]),
            false_refusals=self.refusals.total,
        )


class AttackTally:
    """One family of attackers."""

    _NUMBERS: Final = (
        *("tries", "admitted", "challenged", "prompt_tokens", "output_tokens", "accounts_won", "sign_ins_won"),
    )

    def __init__(self) -> None:
        """Nothing counted."""
        self.numbers = dict.fromkeys(self._NUMBERS, 0)
        self.cost = 0.0
        self.refusals = Counts()
        self._found: set[str] = set()
        self._found_elsewhere = 0

    @property
    def passwords_found(self) -> int:
        """Of how many accounts they found the password."""
        return len(self._found) + self._found_elsewhere

    def asked(self, ask: Ask, outcome: Outcome, refused_by: str, *, is_admitted: bool) -> None:
        """Count a try; `refused_by` is its `refusal`; `is_admitted`: it was let in and worked on."""
        numbers = self.numbers
        numbers["tries"] += 1
        if is_challenged(outcome):
            numbers["challenged"] += 1
        if is_admitted:
            numbers["admitted"] += 1
        if refused_by:
            self.refusals.add(refused_by)
        numbers["prompt_tokens"] += outcome.prompt_tokens
        numbers["output_tokens"] += outcome.output_tokens
        self.cost += outcome.cost
        if outcome.is_complete:
            what = ask.what
            if type(what) is SignUp:
                numbers["accounts_won"] += 1
            elif type(what) is SignIn and what.is_right:
                numbers["sign_ins_won"] += 1
                if len(self._found) < MOST_FOUND:
                    self._found.add(what.account)

    def merge(self, other: AttackTally) -> None:
        """Count all that `other` has."""
        for name, number in other.numbers.items():
            self.numbers[name] += number
        self.cost += other.cost
        self.refusals.merge(other.refusals)
        self._found_elsewhere += other.passwords_found  # Another service's: the same name is another account there.

    def figures(self, cost_of_all: float) -> AttackFigures:
        """Give what was counted."""
        return AttackFigures(
            **self.numbers,
            passwords_found=self.passwords_found,
            refused=self.refusals.total,
            refused_by=self.refusals.sorted(),
            cost=rounded(self.cost),
            cost_share=share(self.cost, cost_of_all),
        )


class PromiseTally:
    """Waits told against waits had."""

    def __init__(self) -> None:
        """Nothing counted."""
        self.told = self.tested = self.kept = 0
        self.ratio = Binned()

    def asked(self, outcome: Outcome) -> None:
        """Count a try, if it was told a wait."""
        if outcome.promised_s is None:
            return
        self.told += 1
        if outcome.waited_s is None:
            return
        self.tested += 1
        self.kept += outcome.waited_s <= outcome.promised_s + HONEST_S
        if outcome.promised_s > 0:
            self.ratio.add(outcome.waited_s / outcome.promised_s)

    def merge(self, other: PromiseTally) -> None:
        """Count all that `other` has."""
        self.told += other.told
        self.tested += other.tested
        self.kept += other.kept
        self.ratio.merge(other.ratio)

    def figures(self) -> PromiseFigures:
        """Give what was counted."""
        return PromiseFigures(
            told=self.told,
            tested=self.tested,
            kept=self.kept,
            kept_share=share(self.kept, self.tested),
            ratio=self.ratio.spread(),
        )
