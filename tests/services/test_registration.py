"""The mode is moved by what is measured, told to whoever must know, and kept over a restart."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tidegate.core.events import AnyEvent, Level, RegistrationMoved
from tidegate.core.registration.baseline import Baseline, BaselinePlan
from tidegate.core.registration.calm import Calm
from tidegate.core.registration.kept import Kept
from tidegate.core.registration.machine import Machine
from tidegate.core.registration.modes import Cause, MovedBy, RegistrationMode, Transition
from tidegate.core.registration.plan import ModePlan
from tidegate.core.registration.signals import Share, Verdict
from tidegate.services.registration import KEEP_EVERY_S, MOST_MOVES, SAMPLE_EVERY_S, LineReport, Registration, Sources
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal

START = 1_700_000_000.0


class Desk:
    """A registration on a hand-turned clock, and the next process on what it kept."""

    def __init__(self, sources: Sources | None = None, plan: ModePlan | None = None) -> None:
        self.clock = HandClock(START)
        self.journal = RecordingJournal()
        self.kept = Kept()
        self.writes = 0
        self.moved: list[Transition] = []
        self.sources = sources or Sources()
        self.plan = plan or ModePlan()
        self.room = self.opened()

    def opened(self) -> Registration:
        room = Registration(
            Machine(self.plan, self.kept.machine),
            Baseline(BaselinePlan(), self.kept.baseline),
            Calm(6.0, 5.0),
            journal=self.journal,
            clock=self.clock,
            sources=self.sources,
            keep=self.keep,
            said=self.kept.said,
            moves=self.kept.moves,
        )
        room.moved, room.line = self.moved.append, lambda: LineReport(places=7, queue_s=3.0)
        return room

    def keep(self, kept: Kept) -> None:
        # As it comes back from a disk.
        self.kept = msgspec.json.decode(msgspec.json.encode(kept), type=Kept)
        self.writes += 1

    def run(self, seconds: float, per_s: float = 0.0) -> None:
        for _ in range(int(seconds / SAMPLE_EVERY_S)):
            self.clock.advance(SAMPLE_EVERY_S)
            if per_s:
                self.room.came(int(per_s * SAMPLE_EVERY_S))
            self.room.sample()

    def told(self) -> list[RegistrationMoved]:
        events: list[AnyEvent] = self.journal.events
        return [event for event in events if isinstance(event, RegistrationMoved)]


def is_calm(desk: Desk) -> bool:
    return desk.room.is_calm


def mode_of(desk: Desk) -> RegistrationMode:
    return desk.room.mode


def test_a_flood_closes_the_gate_step_by_step_and_quiet_opens_it_again() -> None:
    """The same machine that closes in two minutes opens by itself, an hour or so after the last wave."""
    desk = Desk()
    desk.run(120, per_s=500)
    assert mode_of(desk) is RegistrationMode.WAITING_ROOM
    assert [event.to for event in desk.told()] == [RegistrationMode.THROTTLED, RegistrationMode.WAITING_ROOM]
    assert all(event.level is Level.WARNING and event.by is MovedBy.AUTO for event in desk.told())
    assert desk.told()[0].attempts_per_min is not None
    desk.run(2 * 3600)
    assert mode_of(desk) is RegistrationMode.OPEN
    assert desk.told()[-1].to is RegistrationMode.OPEN
    assert desk.told()[-1].level is Level.INFO
    assert [move.to for move in desk.moved] == [event.to for event in desk.told()]


def test_calm_ends_with_the_first_sign_ups_that_are_too_many_and_not_with_the_first_mode() -> None:
    desk = Desk()
    assert is_calm(desk)
    desk.room.came(6)
    assert not is_calm(desk)
    assert mode_of(desk) is RegistrationMode.OPEN
    desk.run(300)
    assert is_calm(desk)


def test_nothing_is_calm_while_the_operator_limits_registration() -> None:
    desk = Desk()
    desk.room.override(RegistrationMode.THROTTLED, 60.0)
    assert not is_calm(desk)


def test_the_operators_word_counts_at_once_and_until_it_is_over() -> None:
    desk = Desk()
    outlook = desk.room.override(RegistrationMode.INVITE, 600.0, "a talk in town")
    assert outlook.mode is RegistrationMode.INVITE
    assert outlook.automatic is RegistrationMode.OPEN
    assert outlook.said is not None
    assert outlook.said.why == "a talk in town"
    assert desk.told()[0].by is MovedBy.OPERATOR
    assert desk.room.causes() == (Cause.OPERATOR,)
    desk.run(595)
    assert mode_of(desk) is RegistrationMode.INVITE
    desk.run(10)
    assert mode_of(desk) is RegistrationMode.OPEN
    assert desk.room.outlook().said is None
    assert desk.told()[-1].causes[0] is Cause.OVERRIDE_ENDED


def test_the_operators_word_can_be_taken_back() -> None:
    desk = Desk()
    desk.room.override(RegistrationMode.CLOSED, 600.0)
    assert desk.room.release().mode is RegistrationMode.OPEN
    assert desk.kept.said is None


@pytest.mark.parametrize(
    ("for_s", "why", "field"),
    [
        (0.0, "", "for"),
        (-1.0, "", "for"),
        (float("nan"), "", "for"),
        (31 * 86400.0, "", "for"),
        (1.0, "x" * 301, "why"),
    ],
)
def test_a_word_without_an_end_or_too_long_is_refused_by_its_field(for_s: float, why: str, field: str) -> None:
    desk = Desk()
    with pytest.raises(ValueError, match=f"^{field}: "):
        desk.room.override(RegistrationMode.CLOSED, for_s, why)
    assert mode_of(desk) is RegistrationMode.OPEN


def test_a_restart_changes_neither_the_mode_nor_the_word_nor_what_happened() -> None:
    desk = Desk()
    desk.run(120, per_s=500)
    desk.room.override(RegistrationMode.CLOSED, 3600.0, "tonight")
    before = desk.room.outlook()
    desk.room = desk.opened()
    after = desk.room.outlook()
    assert (after.mode, after.automatic, after.said, after.moves) == (
        before.mode,
        before.automatic,
        before.said,
        before.moves,
    )


def test_what_is_learned_is_kept_now_and_then_and_when_the_service_stops() -> None:
    desk = Desk()
    desk.run(10 * KEEP_EVERY_S)
    assert 9 <= desk.writes <= 11
    desk.room.remember()
    assert desk.writes >= 10


def test_what_is_not_known_is_told_as_such_and_what_is_known_reaches_the_machine() -> None:
    desk = Desk(
        Sources(
            headroom=lambda: 0.5,
            mail_left=lambda: 0.9,
            verified=lambda _: Share(9, 10),
            verdict=lambda: Verdict.SURGE,
        )
    )
    assert desk.room.joined.made(START - 120, "network")
    desk.room.sample()
    signals = desk.room.signals
    assert signals is not None
    assert (signals.headroom, signals.mail_left, signals.queue_s) == (0.5, 0.9, 3.0)
    assert desk.room.outlook().line.places == 7
    assert (signals.verified, signals.verdict, signals.abuse) == (Share(9, 10), Verdict.SURGE, Share(0, 1))
    blind = Desk()
    blind.run(120, per_s=500)
    move = blind.told()[-1]
    assert (move.headroom, move.mail_left, move.verified_share, move.abuse_share) == (None, None, None, None)
    assert Cause.LOW_HEADROOM in move.unjudged


def test_letters_that_cost_nothing_lead_as_far_as_to_work_and_no_further() -> None:
    """Who leaves letters unanswered in calm has paid nothing; only what came through a mode tells whether it holds."""
    written_at = START

    def verified(since: float | None) -> Share:
        return Share(0, 100 if since is None or written_at > since else 0)

    desk = Desk(Sources(headroom=lambda: 0.5, verified=verified))
    desk.run(1800)
    modes = [told.to for told in desk.told()]
    assert modes[0] is RegistrationMode.THROTTLED
    assert RegistrationMode.WAITING_ROOM not in modes
    assert RegistrationMode.INVITE not in modes


def test_sign_ups_that_the_gate_refused_count_among_those_that_were_tried() -> None:
    """A flood that is refused by its heads alone is a flood all the same."""
    refused = [0, 4000, 0]
    desk = Desk(Sources(turned_away=lambda: refused.pop(0)))
    desk.run(10)
    assert desk.room.signals is not None
    assert desk.room.signals.attempts_per_min == 4000.0
    assert not is_calm(desk)


def test_a_dry_run_tells_what_it_would_do_and_closes_nothing() -> None:
    desk = Desk(plan=ModePlan(is_dry_run=True))
    desk.run(120, per_s=500)
    assert mode_of(desk) is RegistrationMode.OPEN
    assert desk.told()
    assert all(event.is_dry for event in desk.told())
    assert desk.room.causes() == ()
    assert desk.room.outlook().is_dry_run


def test_only_so_many_moves_are_remembered() -> None:
    desk = Desk()
    for number in range(MOST_MOVES + 20):
        desk.room.override((RegistrationMode.INVITE, RegistrationMode.CLOSED)[number % 2], 60.0)
    assert len(desk.room.outlook().moves) == MOST_MOVES


def test_it_samples_by_itself_until_it_is_stopped() -> None:
    desk = Desk()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        desk.clock.advance(seconds)
        desk.room.came(2500)
        if len(slept) == 30:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(desk.room.sample_now_and_then(sleep))
    assert mode_of(desk) is RegistrationMode.WAITING_ROOM


def test_a_setting_that_changes_the_mode_in_force_is_a_move_like_any_other() -> None:
    """Whoever reads the log sees since when nobody could join, and by whose word."""
    desk = Desk()
    desk.room.hold_to(RegistrationMode.INVITE)
    assert mode_of(desk) is RegistrationMode.INVITE
    desk.room.hold_to(RegistrationMode.INVITE)
    desk.room.hold_to(RegistrationMode.OPEN)

    assert [(event.was, event.to, event.by, event.causes, event.level) for event in desk.told()] == [
        (RegistrationMode.OPEN, RegistrationMode.INVITE, MovedBy.OPERATOR, (Cause.SETTINGS,), Level.WARNING),
        (RegistrationMode.INVITE, RegistrationMode.OPEN, MovedBy.OPERATOR, (Cause.SETTINGS,), Level.INFO),
    ]
    assert [move.to for move in desk.moved] == [event.to for event in desk.told()]
    assert [move.to for move in desk.opened().outlook().moves] == [RegistrationMode.INVITE, RegistrationMode.OPEN]


def test_what_was_measured_is_told_again_when_the_setting_no_longer_holds_the_mode() -> None:
    desk = Desk()
    desk.run(120, per_s=500)
    measured = desk.room.causes()
    desk.room.hold_to(RegistrationMode.THROTTLED)
    desk.room.hold_to(RegistrationMode.CLOSED)
    assert desk.room.causes() == (Cause.SETTINGS,)
    desk.room.hold_to(RegistrationMode.OPEN)

    assert mode_of(desk) is RegistrationMode.WAITING_ROOM
    assert desk.room.causes() == measured == (Cause.SIGN_UP_FLOOD,)
    assert [event.to for event in desk.told()][2:] == [RegistrationMode.CLOSED, RegistrationMode.WAITING_ROOM]
