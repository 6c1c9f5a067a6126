"""The judge: hears everything, keeps only counts, and says in the end what those got whom the service is for.

What it keeps is bounded, whatever is played: three groups, at most 64 families and oddities, 720 intervals,
2,000 changes of mode. Services that stand side by side have a judge each, and `merge` makes one of them.
"""

from __future__ import annotations

from typing import Final, TypeVar

from tidegate.lab.acts import LEGITIMATE, Ask, Chat, Ended, Group, Need, Outcome
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.judge.course import Course
from tidegate.lab.judge.findings import VERSION, Findings, Staging, digest_of
from tidegate.lab.judge.incidents import Lookout
from tidegate.lab.judge.tallies import AttackTally, PeopleTally, PromiseTally
from tidegate.lab.judge.verdicts import is_admitted, is_good, is_undecided, refusal
from tidegate.lab.scenario import Scenario

_MOST_NAMES: Final = 64
_REST: Final = "others"
_UNNAMED: Final = "unnamed"
# Asked for with every try: Python 3.11 takes as long for a member of an enumeration as for a call.
_ATTACKER: Final = Group.ATTACKER
_CHAT: Final = Need.CHAT
_Tally = TypeVar("_Tally", AttackTally, PeopleTally)


class Judge:
    """A Listener (see `lab/hearing`). Figures are of what was asked, or first wanted, from `warm_s` on."""

    def __init__(self, scenario: Scenario, cell: int = 0) -> None:
        """For one service in one play of a scenario; `cell` tells those that stand side by side apart."""
        self._scenario = scenario
        self._warm_s = scenario.warm_s
        self._lookout = Lookout(scenario, cell)
        self._course = Course(scenario.duration_s)
        self._people = {group: PeopleTally() for group in LEGITIMATE}
        self._odd: dict[str, PeopleTally] = {}
        self._attackers: dict[str, AttackTally] = {}
        self._promises = PromiseTally()
        self._cost = 0.0
        self._requests = 0

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        """Hear what became of one try."""
        at_s, who = outcome.asked_at_s, ask.who
        self._requests += 1
        refused_by = refusal(outcome)
        is_in = is_admitted(ask.what, outcome, refused_by)
        if type(ask.what) is Chat:
            self._course.asked(ask.what, who.group, at_s, is_admitted=is_in)
        if at_s < self._warm_s:
            return
        self._cost += outcome.cost
        if who.group is _ATTACKER:
            self._family(who.family or _UNNAMED).asked(ask, outcome, refused_by, is_admitted=is_in)
            return
        is_calm = self._lookout.is_calm(at_s)
        self._promises.asked(outcome)
        self._people[who.group].asked(ask, outcome, refused_by, is_calm=is_calm)
        if who.family:
            self._oddity(who.family).asked(ask, outcome, refused_by, is_calm=is_calm)

    def ended(self, ended: Ended) -> None:
        """Hear what became of a need; what attackers wanted is nobody's need."""
        who = ended.who
        if who.group is _ATTACKER:
            return
        if is_undecided(ended, self._scenario.slo, self._scenario.duration_s):
            if ended.since_s >= self._warm_s:
                self._people[who.group].undecided(ended)
            return
        is_chat = ended.need is _CHAT
        is_fine = is_chat and is_good(ended, self._scenario.slo)
        if is_chat:
            self._course.ended(ended, is_good=is_fine)
        if ended.since_s < self._warm_s:
            return
        self._people[who.group].ended(ended, is_good=is_fine)
        if who.family:
            self._oddity(who.family).ended(ended, is_good=is_fine)

    def sampled(self, sample: Sampled) -> None:
        """Hear how the service is."""
        self._course.sampled(sample)

    def happened(self, happened: Happened) -> None:
        """Hear that something moved."""
        self._lookout.happened(happened)
        if happened.what == "mode":
            self._course.moved(happened.at_s, happened.to)

    def merge(self, other: Judge) -> None:
        """Add what the judge of another service heard in the same play. Raises ValueError for another scenario's."""
        if other._scenario != self._scenario:
            msg = "judges of different scenarios cannot be merged"
            raise ValueError(msg)
        self._lookout.merge(other._lookout)
        self._course.merge(other._course)
        for group, tally in other._people.items():
            self._people[group].merge(tally)
        for name, tally in other._odd.items():
            self._oddity(name).merge(tally)
        for name, attackers in other._attackers.items():
            self._family(name).merge(attackers)
        self._promises.merge(other._promises)
        self._cost += other._cost
        self._requests += other._requests

    def findings(self, staging: Staging) -> Findings:
        """Say what was found up to now."""
        scenario = self._scenario
        return Findings(
            version=VERSION,
            scenario=scenario.name,
            title=scenario.title,
            about=scenario.about,
            scenario_digest=digest_of(scenario),
            staging=staging,
            duration_s=scenario.duration_s,
            warm_s=scenario.warm_s,
            slo=scenario.slo,
            requests=self._requests,
            marks=self._lookout.marks,
            people={group: tally.figures() for group, tally in self._people.items()},
            attackers={name: self._attackers[name].figures(self._cost) for name in sorted(self._attackers)},
            oddities={name: self._odd[name].odd() for name in sorted(self._odd)},
            promises=self._promises.figures(),
            incidents=self._lookout.incidents(self._course),
            alarms=self._lookout.alarms(),
            moves=tuple(self._lookout.moves),
            moves_left_out=self._lookout.moves_left_out,
            load=self._course.figures(),
        )

    def _family(self, name: str) -> AttackTally:
        return self._attackers.get(name) or _added(self._attackers, name, AttackTally())

    def _oddity(self, name: str) -> PeopleTally:
        return self._odd.get(name) or _added(self._odd, name, PeopleTally())


def _added(known: dict[str, _Tally], name: str, tally: _Tally) -> _Tally:
    return known.setdefault(name if len(known) < _MOST_NAMES else _REST, tally)
