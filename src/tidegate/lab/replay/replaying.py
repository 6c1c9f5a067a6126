"""Plays a record in two worlds at once: under the policy that was in force, and under another.

Both get the same arrivals at the recorded times, and engines of the same pace. The first is compared with the
record: the share of decisions that come out as they did is the fidelity, and without it no difference
means anything. The differences that are told are those between the two worlds.

A request that the gate let through enters the line with its claim, unless the world's own gate refuses it. One that
was refused and that a world lets in claims what its caller claimed last, or what is usual, and is answered as usual.
What callers would have done instead, above all come again, is not known: arrivals are as they were.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from tidegate.core.admission.claims import Claim
from tidegate.core.admission.facts import Facts, Lane, Passed, Refused
from tidegate.core.decisions.lines import (
    Answered,
    AnyLine,
    Began,
    Claimed,
    Judged,
    Met,
    Note,
    Replanned,
    Resized,
)
from tidegate.core.standing.classes import Standing
from tidegate.lab.replay.bench import End, Fate
from tidegate.lab.replay.differences import PASSED, Differences, Tally
from tidegate.lab.replay.drawn import Drawn, Recalled
from tidegate.lab.replay.naming import Names, principal
from tidegate.lab.replay.reading import Source, lines
from tidegate.lab.replay.surveying import Survey, Work, survey
from tidegate.lab.replay.world import Policy, World, recorded_policy
from tidegate.lab.rules import Rules

WARM_S: Final = 120.0
"""Where the beginning of a run is not in the record, so long is played and not compared: buckets fill meanwhile."""

SAME_S: Final = 0.5
SAME_PART: Final = 0.25
"""A wait that differs by no more than either of these from the recorded one is the same."""

_MOST_PENDING: Final = 65_536
_MOST_OF_ONE: Final = 32
_PENDING_S: Final = 120.0
"""So long after its head a request's claim is still known to be its own: its body has to come first."""


class Alike(msgspec.Struct):
    """How many decisions there were, and how many of them came out again."""

    of: int = 0
    same: int = 0

    @property
    def share(self) -> float:
        """From 0 to 1; 1 where there were none."""
        return self.same / self.of if self.of else 1.0

    def count(self, *, is_same: bool) -> None:
        """Count one."""
        self.of += 1
        self.same += is_same


class Fidelity(msgspec.Struct, kw_only=True):
    """How much of what happened came out again under the policy that was in force.

    Of the `gate`: passed, or refused for the same reason. Of `claims`, by class: ended alike, and waited alike.
    """

    gate: Alike = msgspec.field(default_factory=Alike)
    claims: dict[str, Alike] = msgspec.field(default_factory=dict)

    def withheld(self, least: float) -> list[str]:
        """Classes of whose claims too few came out again to conclude anything."""
        return [standing for standing, alike in self.claims.items() if alike.share < least]

    def is_enough(self, least: float) -> bool:
        """Whether anything can be concluded at all: of the gate, and of one class of claims, if there were any."""
        return self.gate.share >= least and (not self.claims or len(self.withheld(least)) < len(self.claims))


class Replayed(msgspec.Struct, kw_only=True):
    """What a replay found."""

    fidelity: Fidelity
    differences: Differences
    survey: Survey


class _Open(msgspec.Struct):
    """One claim until both worlds have ended it."""

    standing: str
    who: str
    recorded: Fate | None
    fates: list[Fate | None]


class _Pending(msgspec.Struct):
    """A head that the gate let through, until its claim comes: what each world's gate said of it."""

    t: float
    said: tuple[Passed | Refused, Passed | Refused]


class Replay:
    """One pass over a record, line by line."""

    def __init__(self, found: Survey, rules: Rules) -> None:
        """`found` is of the same record."""
        self.fidelity = Fidelity()
        self.tally = Tally()
        self._found = found
        self._rules = rules
        self._names = Names()
        self._drawn = Drawn()
        self._worlds: tuple[World, World] | None = None
        self._recorded = Policy(gate=rules.gate, admission=(rules.admission,), standing=rules.standing)
        self._run, self._runs, self._part = "", 0, 0
        self._judged_from = 0.0
        self._next = 0
        self._open: dict[int, _Open] = {}
        self._pending: OrderedDict[str, list[_Pending]] = OrderedDict()
        self._last: OrderedDict[str, Claim] = OrderedDict()

    def take(self, line: AnyLine, source: Source) -> None:
        """Play one line. Raises RecordError."""
        if isinstance(line, Began):
            self._begin(line)
            return
        worlds = self._worlds
        assert worlds is not None, "a record begins with its first line"
        try:
            self._play(line, worlds)
        except ValueError as error:
            source.refuse(str(error))

    def close(self) -> None:
        """Play what is still in to its end."""
        if self._worlds is not None:
            for world in self._worlds:
                world.close()
        self._worlds = None
        self._pending.clear()
        self._open.clear()

    # ------------------------------------------------------------ worlds

    def _begin(self, line: Began) -> None:
        is_next = line.run == self._run and line.part == self._part + 1
        self._runs += line.run != self._run
        self._run, self._part = line.run, line.part
        if is_next and self._worlds is not None:
            return
        self.close()
        self._judged_from = 0.0 if line.part == 1 else -1.0
        self._drawn = Drawn()
        self._recorded = recorded_policy(line, self._names)
        policies = (self._recorded, self._other(self._recorded))
        self._worlds = (self._world(0, policies[0], line), self._world(1, policies[1], line))

    def _world(self, which: int, policy: Policy, line: Began) -> World:
        cursors = partial(Recalled, self._drawn, is_own=which == 0)
        return World(policy, line.unix_s, self._found.pace, partial(self._ended, which), cursors)

    def _other(self, recorded: Policy) -> Policy:
        """The other policy, at the same engines: what belongs to those stays as it was recorded."""
        rules, replace = self._rules, msgspec.structs.replace
        gate = replace(rules.gate, allow=self._names.allow, deny=self._names.deny, revoked_s=recorded.gate.revoked_s)
        return Policy(
            gate=gate,
            admission=tuple(
                replace(
                    rules.admission,
                    slots=plan.slots,
                    batch_tokens=plan.batch_tokens,
                    readers=plan.readers,
                    cost=plan.cost,
                    shards=plan.shards,
                )
                for plan in recorded.admission
            ),
            standing=rules.standing,
            patience=rules.patience,
        )

    # ------------------------------------------------------------ lines

    def _play(self, line: AnyLine, worlds: tuple[World, World]) -> None:
        if self._judged_from < 0.0 and not isinstance(line, Met):
            self._judged_from = line.t + WARM_S
        for world in worlds:
            world.advance(line.t)
        match line:
            case Judged():
                self._judge(line, worlds)
            case Claimed():
                self._claim(line, worlds)
            case Replanned():
                self._recorded = recorded_policy(line, self._names)
                worlds[0].replan(self._recorded)
            case _:
                for world in worlds:
                    self._tell(line, world)

    def _tell(self, line: AnyLine, world: World) -> None:
        match line:
            case Met():
                world.meet(line)
            case Note():
                world.note(line, self._names.address(line.source))
            case Resized():
                world.benches[_line(line.line, world)].resize(line.slots, world.now)

    def _judge(self, line: Judged, worlds: tuple[World, World]) -> None:
        facts = self._names.facts(line)
        said = (worlds[0].judge(facts, is_junk=line.is_junk), worlds[1].judge(facts, is_junk=line.is_junk))
        words = [_word(one) for one in said]
        who = line.who or (line.source[0] if line.source else "")
        if line.t >= self._judged_from:
            self.fidelity.gate.count(is_same=words[0] == (line.reason or PASSED))
            self.tally.gate(said[0].standing, who, words[0], words[1])
        if facts.lane is not Lane.INFERENCE:
            return
        if line.reason is None:
            self._expect(line.who or line.digest or "", _Pending(line.t, said))
        elif any(isinstance(one, Passed) for one in said):
            self._claim_instead(line, facts, said, worlds)

    def _expect(self, who: str, pending: _Pending) -> None:
        own = self._pending.setdefault(who, [])
        own.append(pending)
        del own[:-_MOST_OF_ONE]
        self._pending.move_to_end(who)
        if len(self._pending) > _MOST_PENDING:
            self._pending.popitem(last=False)

    def _head_of(self, line: Claimed) -> _Pending | None:
        """The decision about a claim's own head: the newest of its caller's, or of those who show no key."""
        for who in (line.who, ""):
            own = self._pending.get(who)
            while own:
                found = own.pop()
                if line.t - found.t <= _PENDING_S:
                    return found
        return None

    def _claim(self, line: Claimed, worlds: tuple[World, World]) -> None:
        head = self._head_of(line)
        work = self._found.works.get((self._runs, line.line, line.ticket), self._found.usual_of_all)
        number = self._begin_claim(line.standing, line.who, _recorded(line, work), line.t)
        self._drawn.turn_to(is_in=line.answered in {Answered.ADMITTED, Answered.WAITING})
        for which, world in enumerate(worlds):
            claim = self._claim_in(world, line)
            said = None if head is None else head.said[which]
            if isinstance(said, Refused):
                self._ended(which, number, Fate(End.REFUSED, reason=said.reason))
            else:
                world.benches[_line(line.line, world)].enter(number, claim, self._work(work, line), world.now)
        self._last[line.who] = self._claim_in(worlds[0], line)
        if len(self._last) > _MOST_PENDING:
            self._last.popitem(last=False)

    def _work(self, work: Work, line: Claimed) -> Work:
        """What it comes to where it is let in; of one that was refused nobody knows, but what is usual."""
        if line.answered in {Answered.SHED, Answered.CROWDED}:
            return self._found.usual.get(line.standing, self._found.usual_of_all)
        return work

    def _claim_in(self, world: World, line: Claimed) -> Claim:
        who = principal(line.who)
        standing, cohort, usual = line.standing, f"of:{line.cohort}" if line.cohort else str(who), line.usual
        if world.register.record(who) is not None:
            standing = world.register.standing(who, world.unix_s)
            cohort, usual = world.register.cohort(who), world.register.usual_in_flight(who)
        patience, patience_s = world.policy.patience, line.patience_s
        if patience is not None:
            is_streamed = patience_s == self._recorded.gate.patience_s
            patience_s = patience.streamed_s if is_streamed else patience.whole_s
        return Claim(
            principal=who,
            standing=standing,
            cohort=cohort,
            usual_in_flight=usual,
            prompt_bytes=line.prompt_bytes,
            output_tokens=line.output_tokens,
            patience_s=patience_s,
            end_user=line.end_user or "",
        )

    def _claim_instead(
        self,
        line: Judged,
        facts: Facts,
        said: tuple[Passed | Refused, Passed | Refused],
        worlds: tuple[World, World],
    ) -> None:
        """Claim for a request that was refused by its head, where a world lets it in."""
        who = line.who or line.digest or (line.source[0] if line.source else "0" * 16)
        number = self._begin_claim(said[0].standing, who, None, line.t)
        for which, (world, one) in enumerate(zip(worlds, said, strict=True)):
            if isinstance(one, Refused):
                self._ended(which, number, Fate(End.REFUSED, reason=one.reason))
                continue
            self._drawn.turn_to(is_in=None)
            known = principal(who)
            last = self._last.get(who)
            claim = Claim(
                principal=known,
                standing=one.standing,
                cohort=world.register.cohort(known) if last is None else last.cohort,
                usual_in_flight=world.register.usual_in_flight(known),
                prompt_bytes=facts.size_bytes or self._found.prompt_bytes,
                output_tokens=self._found.most_tokens if last is None else last.output_tokens,
                patience_s=world.policy.gate.patience_s if last is None else last.patience_s,
            )
            work = self._found.usual.get(one.standing, self._found.usual_of_all)
            # Which model it asks for its head does not tell: the first line has them all.
            world.benches[0].enter(number, claim, work, world.now)

    # ------------------------------------------------------------ ends

    def _begin_claim(self, standing: Standing, who: str, recorded: Fate | None, t: float) -> int:
        self._next += 1
        if t >= self._judged_from:
            self._open[self._next] = _Open(standing.value, who, recorded, [None, None])
        return self._next

    def _ended(self, which: int, number: int, fate: Fate) -> None:
        one = self._open.get(number)
        if one is None:
            return
        one.fates[which] = fate
        before, after = one.fates
        if before is None or after is None:
            return
        del self._open[number]
        self.tally.claim(one.standing, one.who, before, after)
        if one.recorded is not None:
            self.fidelity.claims.setdefault(one.standing, Alike()).count(is_same=_is_same(one.recorded, before))


def replay(path: Path, rules: Rules) -> Replayed:
    """Read a record twice and play it. Raises RecordError."""
    found, source = survey(path), Source()
    played = Replay(found, rules)
    for line in lines(path, source):
        played.take(line, source)
    played.close()
    return Replayed(fidelity=played.fidelity, differences=played.tally.result(), survey=found)


def _word(said: Passed | Refused) -> str:
    return said.reason if isinstance(said, Refused) else PASSED


def _line(number: int, world: World) -> int:
    if number >= len(world.benches):
        msg = f"line: there are {len(world.benches)} engines, from 0 on, not {number}"
        raise ValueError(msg)
    return number


def _recorded(line: Claimed, work: Work) -> Fate | None:
    """How a claim ended in truth; None where that is not told."""
    if line.answered in {Answered.SHED, Answered.CROWDED}:
        return Fate(End.REFUSED)
    if not work.is_known:
        return None
    if work.waits_s is not None:
        return Fate(End.LEFT, work.waits_s)
    end = End.CUT if work.was_cut else End.LEFT if work.is_left else End.SERVED
    return Fate(end, work.queue_s)


def _is_same(recorded: Fate, played: Fate) -> bool:
    if recorded.end is not played.end:
        return False
    return abs(recorded.wait_s - played.wait_s) <= max(SAME_S, SAME_PART * recorded.wait_s)
