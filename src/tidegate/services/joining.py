"""What becomes of somebody who wants an account: a form, some work, a wait, or an invitation.

In calm nobody is asked for anything. As soon as more come than that, and in every
mode beyond open, an account costs work or a wait, and how many are let in is
bounded by `per_min`, whoever works how much. Whoever is let in holds a pass: their
ticket of the line, marked as one that may sign up.

    calm           the form
    open, or       the form, with work. Who has done it is let in at once while
      throttled    there is room, and else stands in line
    waiting room   the line; work or a wait gets one into it
    invite         invitations only. Who is in line keeps the place
    closed         nobody

The operator's setting `accounts.sign_up` is the least of it: with "invite" no mode is
more open than that. An invitation goes around all of it but closed. The questions come in the order of
their price: the pass, the work, and only then a password, the store or a letter.
Signing in, resets, sessions, keys and export never come this way.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from tidegate.core.accounts import Role, normalise_email
from tidegate.core.challenge.challenges import Scope, Why
from tidegate.core.challenge.effort import EffortControl, Load
from tidegate.core.events import SignUpOutcome
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.registration import tickets
from tidegate.core.registration.invites import Invite
from tidegate.core.registration.modes import RegistrationMode, Transition
from tidegate.core.registration.names import NameSignals, Recent
from tidegate.core.registration.turns import Turns
from tidegate.core.registration.waiting import Admitted, Waiting
from tidegate.core.registration.waiting_room import WaitingRoom
from tidegate.services.invitations import Invitations
from tidegate.services.passwords import PasswordsBusyError, checked
from tidegate.services.permits import JoiningPlan, Letting, Permits
from tidegate.services.registration import LineReport, Registration
from tidegate.services.sessions import Said, Sessions, SignedIn, Trace
from tidegate.services.work import Answer, Work, WorkRefusedError, Works

TICK_S: Final = 1.0
_MOST_WRITTEN: Final = 8192
_MOST_PASSES: Final = 8192
_BUSY_S: Final = 1.0
_LOAD_S: Final = 5.0
_DOUBTFUL_WEIGHT: Final = 0.5
_STANDS_STILL: Final = frozenset({RegistrationMode.INVITE, RegistrationMode.CLOSED})


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser shows of itself: what its challenges are bound to, its ticket, its network."""

    seed: bytes
    ticket: str = ""
    network: bytes = b""


class Form(msgspec.Struct, frozen=True):
    """The form may be filled in; with `work` to be handed in, or by a pass that is good until then (Unix s)."""

    work: Work | None = None
    until_s: float | None = None


class Line(msgspec.Struct, frozen=True):
    """There is a line to get into, by work or without."""

    work: Work | None


class InLine(msgspec.Struct, frozen=True):
    """In line already. The line `stands_still` while nobody is let in but by invitation."""

    place: Waiting
    stands_still: bool


class ByInvitation(msgspec.Struct, frozen=True):
    """Only invitations count at present."""


class Shut(msgspec.Struct, frozen=True):
    """Nobody gets an account at present."""


Step = Form | Line | InLine | ByInvitation | Shut


class TurnedAwayError(Exception):
    """The form was sent without what it needs now. `step` is what to do instead; `why` what was wrong with the work."""

    def __init__(self, step: Step, why: Why | None = None) -> None:
        """Carry both."""
        super().__init__("turned away")
        self.step = step
        self.why = why


class Made(msgspec.Struct, frozen=True):
    """The account is made and its owner signed in; `text` is the session's."""

    signed_in: SignedIn
    text: str


class Written(msgspec.Struct, frozen=True):
    """A letter is on its way, whoever has the address already."""

    email: str


def _nowhere(place: int) -> None:
    del place


class Joining:
    """Decides and carries out. Without `letters` accounts are made on the spot.

    `clock` tells Unix seconds; `steady` the same, but never steps: a clock that is set must end nobody's turn and
    let no work count twice. `use_up` hears of each place in line that has had its turn, for `WaitingRoom.use_up` after
    a restart. `entropy` gives so many random bytes: by them places in line are drawn.
    """

    def __init__(
        self,
        *,
        registration: Registration,
        room: WaitingRoom,
        works: Works,
        effort: EffortControl,
        sessions: Sessions,
        letters: Letting | None,
        recent: Recent,
        invitations: Invitations | None,
        plan: JoiningPlan,
        clock: Callable[[], float],
        steady: Callable[[], float] | None = None,
        use_up: Callable[[int], None] = _nowhere,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Nobody is in line."""
        self.registration = registration
        registration.line, registration.moved = self.line, self.moved
        self.room = room
        self.sessions = sessions
        self.recent = recent
        self._invitations = invitations
        self._letters = letters
        self.works = works
        self._effort = effort
        self.turns = Turns()
        self._permits = Permits(plan, letters, lambda: room.remembered.passes)
        self._wall = clock
        self._clock = steady or clock
        self._use_up = use_up
        self._entropy = entropy
        self._shed = 0
        self._loaded_at = float("-inf")
        self._entering: set[str] = set()
        self._used: OrderedDict[str, int] = OrderedDict()
        self._written: OrderedDict[Fingerprint, bool] = OrderedDict()

    @property
    def mode(self) -> RegistrationMode:
        """The mode that counts here."""
        return self.registration.mode

    @property
    def is_calm(self) -> bool:
        """Whether nobody need be asked for anything."""
        return self.registration.is_calm

    @property
    def is_mail_on(self) -> bool:
        """Whether an account begins with a letter."""
        return self._letters is not None

    @property
    def now(self) -> float:
        """The time (Unix s)."""
        return self._wall()

    def kept_s(self, place: Waiting) -> float:
        """How long a place is kept for whoever does not ask."""
        return max(self.room.plan.held_s, 3.0 * place.refresh_s)

    def replan(self, plan: JoiningPlan) -> None:
        """Let in at another rate from now on."""
        self._permits.replan(plan)

    # ------------------------------------------------------------ what to show

    def look(self, shown: Shown) -> Step:
        """What somebody can do now who comes without an invitation. Asks how their place is, if they have one."""
        now = self._clock()
        mode = self.mode
        if shown.ticket:
            place = self.room.poll(shown.ticket, now)
            if isinstance(place, Admitted):
                return Form(until_s=self._wall() + place.until - now)
            if isinstance(place, Waiting):
                return InLine(place, stands_still=mode in _STANDS_STILL)
        return self._step(mode, shown)

    def _step(self, mode: RegistrationMode, shown: Shown) -> Step:
        match mode:
            case RegistrationMode.CLOSED:
                return Shut()
            case RegistrationMode.INVITE:
                return ByInvitation()
            case RegistrationMode.WAITING_ROOM:
                return Line(self.work(shown))
            case _ if self.is_calm:
                return Form()
            case _:
                return Form(self.work(shown))

    def work(self, shown: Shown) -> Work:
        """Work for whoever wants an account, as much as is right now."""
        return self.works.issue(Scope.SIGN_UP, shown.seed, max(1, self._effort.effort))

    # ------------------------------------------------------------ getting in

    def line_up(self, shown: Shown, answer: Answer, trace: Trace) -> str:
        """Get in line, with work or without; answers the ticket. Raises TurnedAwayError where there is no line."""
        self.registration.came()
        now, mode = self._clock(), self.mode
        if mode in _STANDS_STILL:
            raise TurnedAwayError(self._step(mode, shown))
        if shown.ticket and not isinstance(self.room.poll(shown.ticket, now), tickets.Unknown):
            return shown.ticket  # Whoever stands in line already gains nothing by a second place, and keeps the first.
        if answer.challenge:
            self.spend(shown, answer, trace)
        return self._ticket(shown, is_proved=bool(answer.challenge))

    def leave(self, shown: Shown) -> None:
        """Give a place or a pass up."""
        if shown.ticket:
            self.room.leave(shown.ticket)

    def give(self, shown: Shown) -> None:
        """Give a place in line for something else: the ticket is used up then."""
        if self.room.give(shown.ticket, self._clock()):
            self._remember_used(shown.ticket)

    def admit(self, shown: Shown, answer: Answer, trace: Trace) -> str | None:
        """The ticket by which somebody who sent the form may go on, or must wait; None in calm, where nobody needs one.

        Raises TurnedAwayError when they must do something else first. Work that was done is in the ticket from now
        on: a mistake in the form does not lose it.
        """
        self.registration.came()
        if self.is_calm:
            return None
        now, mode = self._clock(), self.mode
        if mode is RegistrationMode.CLOSED:
            raise TurnedAwayError(Shut())
        if shown.ticket and not isinstance(self.room.poll(shown.ticket, now), tickets.Unknown):
            return shown.ticket
        if mode in {RegistrationMode.INVITE, RegistrationMode.WAITING_ROOM} or not answer.challenge:
            raise TurnedAwayError(self._step(mode, shown))
        self.spend(shown, answer, trace)
        is_alone = not len(self.room)
        ticket = self._ticket(shown, is_proved=True)
        if is_alone and self._permits.take(now):
            self.room.admit(now, 1)
        else:
            self._shed += 1
        return ticket

    def is_pass(self, ticket: str) -> bool:
        """Whether this ticket lets its holder sign up now."""
        return isinstance(self.room.poll(ticket, self._clock()), Admitted)

    async def sign_up(self, ticket: str | None, email: str, password: str, trace: Trace) -> Made | Written:
        """Make an account, or send the letter that leads to one, by what `admit` answered.

        Raises EmailTakenError, PasswordsBusyError, or ValueError naming the field.
        """
        if ticket is None:
            return await self._let_in(email, password, trace)
        if ticket in self._entering:
            raise PasswordsBusyError(_BUSY_S)  # The same form twice at once: one pass, one account.
        self._entering.add(ticket)
        try:
            outcome = await self._let_in(email, password, trace)
        finally:
            self._entering.discard(ticket)
        self._use(ticket, self._permits.letters_of_pass if isinstance(outcome, Written) else 1)
        return outcome

    def confirmed(self, email: str, trace: Trace) -> None:
        """Hear that an account was made by the link in a letter: only then does it weigh on the mode.

        Letters cost next to nothing, and would shut the door on everybody if each counted as an account. Of letters
        that were written before a restart nothing is known: they weigh nothing.
        """
        is_doubted = self._written.pop(self.sessions.clerk.fingerprint(email), None)
        if is_doubted is not None:
            self._count(trace, is_doubted=is_doubted)

    async def invited(self, code: str) -> Invite | None:
        """The invitation that this is, if it can be used now; None also while nobody gets an account."""
        if self._invitations is None or self.mode is RegistrationMode.CLOSED:
            return None
        return await self._invitations.look(code)

    async def accept(self, code: str, email: str, password: str, trace: Trace) -> Made | None:
        """Make an account by an invitation; None when that cannot be used by this address.

        Raises EmailTakenError, PasswordsBusyError, or ValueError naming the field: then it can be used again.
        """
        self.registration.came()
        address = normalise_email(email)
        checked(password, address)
        if self._invitations is None or self.mode is RegistrationMode.CLOSED:
            return None
        user_id = UserId.of(secrets.token_bytes(8))
        used = await self._invitations.use(code, user_id, address)
        if used is None:
            return None
        said = self._said(address, self._judged(address))
        try:
            made = Made(
                *await self.sessions.join(
                    address, password, Role.USER, trace, user_id=user_id, inviter=used.made_by, said=said
                )
            )
        except BaseException:
            await self._invitations.give_back(code, user_id)
            raise
        if used.email is not None and used.made_by is None:
            # By an operator's word, and mailed where there is mail. Who else makes one has its text, whoever it is for.
            self.sessions.clerk.reputation.verified(made.signed_in.user)
        return made

    def _use(self, ticket: str, times: int) -> None:
        used = self._used.pop(ticket, 0) + 1
        if used >= times:
            self.room.take(ticket, self._clock())
            self._remember_used(ticket)
            return
        self._used[ticket] = used
        if len(self._used) > _MOST_PASSES:
            self._used.popitem(last=False)

    def _remember_used(self, ticket: str) -> None:
        place = self.room.place(ticket)
        if place is not None:
            self._use_up(place)

    async def _let_in(self, email: str, password: str, trace: Trace) -> Made | Written:
        address = normalise_email(email)
        if self._letters is not None:
            await self._letters.confirm_sign_up(address)
            signals = self._judged(address)
            self.sessions.tell_sign_up(trace, SignUpOutcome.WAITING, said=self._said(address, signals))
            self._remember_written(address, signals)
            return Written(address)
        checked(password, address)
        signals = self._judged(address)
        said = self._said(address, signals)
        made = Made(*await self.sessions.join(address, password, Role.USER, trace, said=said))
        self._count(trace, is_doubted=is_doubtful(signals))
        return made

    def _remember_written(self, address: str, signals: NameSignals) -> None:
        self._written[self.sessions.clerk.fingerprint(address)] = is_doubtful(signals)
        if len(self._written) > _MOST_WRITTEN:
            self._written.popitem(last=False)

    def _judged(self, address: str) -> NameSignals:
        return self.recent.judge(address, self._clock())

    def _said(self, address: str, signals: NameSignals) -> Said:
        return {
            "mail_domain": self.sessions.clerk.fingerprint(address.rpartition("@")[2]),
            "disposable": signals.is_disposable,
            "name_entropy": signals.entropy_bits_per_char,
            "family": signals.family,
        }

    def _count(self, trace: Trace, *, is_doubted: bool) -> None:
        """Count an account that was made, for the mode."""
        now = self._wall()  # As the mode has it.
        if self.registration.joined.made(now, trace.net or "") and is_doubted:
            self.registration.joined.abused(now)

    def _ticket(self, shown: Shown, *, is_proved: bool) -> str:
        now = self._clock()
        ticket = self.room.issue(shown.network, now, self._entropy(tickets.ID_BYTES))
        if is_proved:
            place = self.room.poll(ticket, now, proved=True)
            return place.renewed or ticket if isinstance(place, Waiting) else ticket
        return ticket

    def spend(self, shown: Shown, answer: Answer, trace: Trace) -> None:
        """Have work count, this once. Raises TurnedAwayError."""
        try:
            found = self.works.spend(Scope.SIGN_UP, shown.seed, answer, trace)
        except WorkRefusedError as error:
            raise TurnedAwayError(self._step(self.mode, shown), error.why) from None
        self._effort.note_admitted(found.effort)
        self._effort.note_solved(shown.network, answer.took_s, found.age_s, found.effort, self._clock())

    # ------------------------------------------------------------ now and then

    def tick(self) -> None:
        """Let in who may come, and judge how much work is right. About once a second."""
        now, mode = self._clock(), self.mode
        if mode not in _STANDS_STILL:
            permits = 0
            while permits < len(self.room) + self.turns.room and self._permits.take(now, permits):
                permits += 1
            if permits:
                self.room.admit(now, permits - self.turns.share(permits, len(self.room)))
        else:
            self.turns.granted = 0
        if not 0.0 <= now - self._loaded_at < _LOAD_S:
            self._effort.step(Load(shed=self._shed, waiting_s=self.room.queue_s or 0.0), now)
            self.sessions.entering.cap = self._effort.cap
            self._loaded_at, self._shed = now, 0

    def line(self) -> LineReport:
        """How the line is."""
        told = self.room.calibration
        return LineReport(places=len(self.room), queue_s=self.room.queue_s, kept=told.kept, missed=told.missed)

    def moved(self, move: Transition) -> None:
        """Hear that the mode has moved."""
        if not move.is_dry and move.to.rank > move.was.rank:
            self.room.rose()

    async def tick_now_and_then(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Tick for ever, until cancelled."""
        while True:
            self.tick()
            await sleep(TICK_S)


def is_doubtful(signals: NameSignals) -> bool:
    """Whether an address looks as if nobody were behind it: evidence about many, and no ground to refuse one."""
    return signals.disposable_weight >= _DOUBTFUL_WEIGHT or signals.is_random_looking or signals.is_of_large_family
