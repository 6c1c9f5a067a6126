"""Keeps the registration mode: measures what it goes by, carries out what follows, remembers it over a restart.

What is measured comes from all over the house, and each part may be unknown. The
machine decides (core/registration/machine.py); here its moves become a line in the
log, a value for the operator, and whatever `moved` does with them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from tidegate.core.events import Level, RegistrationMoved
from tidegate.core.registration.baseline import Baseline
from tidegate.core.registration.calm import Calm
from tidegate.core.registration.joined import Joined
from tidegate.core.registration.kept import Kept, Said
from tidegate.core.registration.machine import Machine
from tidegate.core.registration.modes import Cause, MovedBy, Pending, RegistrationMode, Transition
from tidegate.core.registration.signals import Share, Signals, Verdict
from tidegate.core.registration.tally import Tally
from tidegate.ports.journal import Journal

SAMPLE_EVERY_S: Final = 5.0
KEEP_EVERY_S: Final = 60.0
MOST_MOVES: Final = 200
"""Moves that are remembered, with the evidence of each."""
MOST_WHY: Final = 300
LONGEST_OVERRIDE_S: Final = 30 * 86400.0
_SET: Final = (Cause.SETTINGS,)


def _unknown() -> None:
    return None


def _unjudged(since: float | None) -> None:
    del since


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Where the measurements come from; None is "not known". See `Signals` for what each means.

    `turned_away` are the sign-ups since it was asked last that the gate refused by their heads. `verified` hears since
    when the mode is in force: only what came through it tells whether it holds. Else letters that cost nobody anything
    would lead on, past work and line, to a door that is shut.
    """

    headroom: Callable[[], float | None] = _unknown
    mail_left: Callable[[], float | None] = _unknown
    verified: Callable[[float | None], Share | None] = _unjudged
    verdict: Callable[[], Verdict | None] = _unknown
    turned_away: Callable[[], int] = int


class LineReport(msgspec.Struct, frozen=True, kw_only=True):
    """How many wait, and of those who were told how long: for how many the first promise was kept, or missed.

    `queue_s` is how long whoever comes last would wait; None while nobody can tell.
    """

    places: int = 0
    queue_s: float | None = None
    kept: int = 0
    missed: int = 0


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """The mode in force and what moves it, for the operator. `automatic` is what it would be without their word.

    No mode counts that is more open than `floor`; `since` is None where it alone holds the mode, or nothing ever moved.
    """

    mode: RegistrationMode
    automatic: RegistrationMode
    since: float | None
    said: Said | None
    is_dry_run: bool
    next: tuple[Pending, ...]
    signals: Signals | None
    line: LineReport
    moves: tuple[Transition, ...]
    floor: RegistrationMode = RegistrationMode.OPEN


def _nowhere(kept: Kept) -> None:
    del kept


def _unheard(move: Transition) -> None:
    del move


class Registration:
    """The mode in force. `clock` tells Unix seconds; `keep` writes what is remembered.

    No mode counts that is more open than `floor`, the operator's setting. Whoever keeps the line sets `line`, which
    tells how it is, and `moved`, which hears of each move.
    """

    def __init__(
        self,
        machine: Machine,
        baseline: Baseline,
        calm: Calm,
        *,
        journal: Journal,
        clock: Callable[[], float],
        sources: Sources = Sources(),  # noqa: B008 - frozen
        keep: Callable[[Kept], None] = _nowhere,
        said: Said | None = None,
        moves: tuple[Transition, ...] = (),
        floor: RegistrationMode = RegistrationMode.OPEN,
    ) -> None:
        """Take what `Kept` had, if anything."""
        self.machine = machine
        self.floor = floor
        self.calm = calm
        self.joined = Joined()
        self.signals: Signals | None = None
        self._baseline = baseline
        self._tally = Tally()
        self.journal = journal
        self._clock = clock
        self._sources = sources
        self._keep = keep
        self.line: Callable[[], LineReport] = LineReport
        self.moved: Callable[[Transition], None] = _unheard
        self._said = said
        self._moves: deque[Transition] = deque(moves, maxlen=MOST_MOVES)
        self._kept_at = float("-inf")

    @property
    def mode(self) -> RegistrationMode:
        """The mode in force."""
        return self._in_force(self._clock())

    def came(self, times: int = 1) -> None:
        """Count people who asked for an account, whatever becomes of it."""
        now = self._clock()
        self._tally.came(now, times)
        self.calm.came(now, times)

    @property
    def is_calm(self) -> bool:
        """Whether sign-ups come at an everyday rate and nothing is limited."""
        now = self._clock()
        return self.calm.holds(now) and self._in_force(now) is RegistrationMode.OPEN

    def causes(self) -> tuple[Cause, ...]:
        """What the mode in force rests on, as it was when it came."""
        if self.floor.rank > self.machine.mode(self._clock()).rank:
            return _SET
        # Settings that held a mode no longer do: what it rests on now came before.
        return next((move.causes for move in reversed(self._moves) if not move.is_dry and move.causes != _SET), ())

    def sample(self) -> Transition | None:
        """Measure, and move if it is time."""
        now, since = self._clock(), self.machine.since
        if turned_away := self._sources.turned_away():
            self.came(turned_away)
        rate = self._tally.per_min(now)
        self.signals = Signals(
            at=now,
            attempts_per_min=rate,
            baseline_per_min=self._baseline.per_min(now),
            headroom=self._sources.headroom(),
            abuse=self.joined.abuse(since, now),
            verified=self._sources.verified(since),
            mail_left=self._sources.mail_left(),
            queue_s=self.line().queue_s,
            verdict=self._sources.verdict(),
        )
        self._baseline.learn(now, rate)
        move = self.machine.sample(self.signals)
        if move is not None:
            self._tell(move)
        elif now - self._kept_at >= KEEP_EVERY_S or now < self._kept_at:
            self._remember(now)
        return move

    def override(self, mode: RegistrationMode, for_s: float, why: str = "") -> Outlook:
        """Put a mode in force for a time, whatever is measured. Raises ValueError naming the field."""
        check_word(for_s, why)
        now = self._clock()
        self._said = Said(mode=mode, until=now + for_s, why=why)
        self._after(self.machine.override(mode, now + for_s, now), now)
        return self.outlook()

    def release(self) -> Outlook:
        """Take the operator's word back: what is measured counts again."""
        now = self._clock()
        self._said = None
        self._after(self.machine.release(now), now)
        return self.outlook()

    def hold_to(self, floor: RegistrationMode) -> None:
        """Let no mode count that is more open. Where that changes the mode in force, it is a move by the operator."""
        now = self._clock()
        was, self.floor = self._in_force(now), floor
        to = self._in_force(now)
        if was is not to:
            self._tell(
                Transition(was=was, to=to, by=MovedBy.OPERATOR, at=now, causes=_SET, evidence=self.signals),
            )

    def outlook(self) -> Outlook:
        """What is in force and what would move it."""
        now = self._clock()
        said = self._said if self.machine.overridden(now) is not None else None
        mode = self._in_force(now)
        return Outlook(
            mode=mode,
            automatic=self._floored(self.machine.automatic),
            since=self.machine.since if mode is self.machine.mode(now) else None,
            said=said,
            is_dry_run=self.machine.plan.is_dry_run,
            next=tuple(one for one in self.machine.next_conditions(now) if self._floored(one.to) is not mode),
            signals=self.signals,
            line=self.line(),
            moves=tuple(self._moves),
            floor=self.floor,
        )

    async def sample_now_and_then(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Sample for ever, until cancelled."""
        while True:
            self.sample()
            await sleep(SAMPLE_EVERY_S)

    def remember(self) -> None:
        """Write what is to last: whoever stops the service does so once more."""
        self._remember(self._clock())

    def _in_force(self, now: float) -> RegistrationMode:
        return self._floored(self.machine.mode(now))

    def _floored(self, mode: RegistrationMode) -> RegistrationMode:
        return mode if mode.rank >= self.floor.rank else self.floor

    def _after(self, move: Transition | None, now: float) -> None:
        if move is None:
            self._remember(now)
        else:
            self._tell(move)

    def _tell(self, move: Transition) -> None:
        self._moves.append(move)
        self._remember(move.at)
        self.journal.record(_event(move))
        self.moved(move)

    def _remember(self, now: float) -> None:
        self._kept_at = now
        kept = Kept(
            machine=self.machine.state(), baseline=self._baseline.state(), said=self._said, moves=tuple(self._moves)
        )
        self._keep(kept)


def check_word(for_s: float, why: str) -> None:
    """Raise ValueError, naming `for` or `why`, for what an operator's word cannot be: so long (s), or so explained."""
    if not 0.0 < for_s <= LONGEST_OVERRIDE_S:
        msg = "for: expected more than 0 and at most 30 days"
        raise ValueError(msg)
    if len(why) > MOST_WHY or not all(letter.isprintable() for letter in why):
        msg = f"why: at most {MOST_WHY} printable characters, on one line"
        raise ValueError(msg)


def _event(move: Transition) -> RegistrationMoved:
    seen = move.evidence
    return RegistrationMoved(
        t=move.at,
        level=Level.WARNING if move.to.rank > move.was.rank else Level.INFO,
        was=move.was,
        to=move.to,
        by=move.by,
        causes=move.causes,
        unjudged=move.unjudged,
        is_dry=move.is_dry,
        attempts_per_min=None if seen is None else seen.attempts_per_min,
        baseline_per_min=None if seen is None else seen.baseline_per_min,
        headroom=None if seen is None else seen.headroom,
        abuse_share=None if seen is None or seen.abuse is None or not seen.abuse.of else seen.abuse.part,
        verified_share=None if seen is None or seen.verified is None or not seen.verified.of else seen.verified.part,
        mail_left=None if seen is None else seen.mail_left,
        queue_s=None if seen is None else seen.queue_s,
    )
