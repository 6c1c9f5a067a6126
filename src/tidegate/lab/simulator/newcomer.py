"""Somebody who wants an account and takes the way that the pages show: form, work, line, letter, link.

    page -> form, perhaps with work -> letter -> link -> account
            where many come: -> line -> form -> letter -> link -> account

Who does no work (`effort_s` is None) gets no further where a form asks for some, and waits in line
without it where there is nothing but the line. Who heeds nothing comes again every second, whatever
it was told, until it gives up. Of whom is refused nothing is kept here but that they try.
"""

from __future__ import annotations

from tidegate.core.accounts import Role
from tidegate.core.admission.facts import Bearing, Facts, Lane
from tidegate.core.reasons import Reason
from tidegate.lab.acts import Outcome, SignUp
from tidegate.lab.simulator.call import TYPING_S, Call, EndedError, refused
from tidegate.lab.simulator.post import Post, tagged
from tidegate.lab.simulator.reception import RIGHT, House, Reception, listed
from tidegate.lab.simulator.refusing import OK
from tidegate.services.joining import ByInvitation, InLine, Line, Made, Shown, Shut, TurnedAwayError
from tidegate.services.passwords import PasswordsBusyError
from tidegate.services.work import Work

_SEE_OTHER = 303
_ANY_DISPOSABLE = "mailinator.com"
_LONGEST_RETRY_S = 60.0
_HEEDLESS_S = 1.0


class Newcomer:
    """One sign-up."""

    def __init__(self, call: Call, what: SignUp, reception: Reception, house: House) -> None:
        """They have not asked yet."""
        self._call = call
        self._what = what
        self._reception = reception
        self._house = house
        self._joining = reception.joining
        self._seed = call.number.to_bytes(8, "big")
        self._network = call.network.encode()
        self._ticket = ""
        self._is_told = False
        self._typing_s = 0.0 if call.who.is_program else TYPING_S

    async def arrive(self) -> Outcome:
        """Get an account, or end without."""
        call, email = self._call, ""
        try:
            email = self._address()
            self._reception.accounts.typed[email] = call.who.name
            await self._join(email)
        except EndedError as end:
            return call.ended(end.status, end.reason, end.retry_after_s, is_complete=False)
        except ValueError:
            return call.ended(400, Reason.INVALID_VALUE.value, is_complete=False)
        finally:
            self._reception.accounts.typed.pop(email, None)
        return call.ended(_SEE_OTHER, is_complete=True)

    async def _join(self, email: str) -> None:
        """Be let in, as the pages lead."""
        while True:
            await self._enter(Lane.PAGE)
            step = self._joining.look(self._shown)
            match step:
                case Shut():
                    raise refused(Reason.SIGN_UP_CLOSED)
                case ByInvitation():
                    raise refused(Reason.INVITATION_REQUIRED)
                case InLine():
                    await self._wait(step)
                case Line(work=work):
                    await self._line_up(work)
                case _:
                    if step.until_s is not None:
                        self._call.waited()
                    if await self._sent(step.work, email):
                        return

    # ------------------------------------------------------------ the steps

    async def _enter(self, lane: Lane) -> None:
        """Pass the gate; whoever heeds waits as long as it says, however often."""
        while True:
            turn = self._joining.room.turn(self._ticket) if self._ticket and lane is not Lane.ACCOUNT else None
            bearing = Bearing.NOTHING if turn is None else Bearing.TURN
            refusal = self._call.knock(Facts(address=self._call.packed, lane=lane, bearing=bearing, digest=turn))
            if refusal is None:
                if not self._ticket:
                    self._call.waited()
                return
            await self._come_again(refusal.reason, refusal.retry_after_s)

    async def _come_again(self, reason: Reason, retry_after_s: float | None) -> None:
        self._call.last = refused(reason, retry_after_s)
        if retry_after_s is None:
            raise refused(reason, retry_after_s)
        self._call.told(retry_after_s)
        await self._call.pause(min(retry_after_s, _LONGEST_RETRY_S) if self._what.heeds else _HEEDLESS_S)

    async def _line_up(self, work: Work | None) -> None:
        answer = await self._call.work(work, self._what.effort_s, 0.0)
        await self._enter(Lane.SIGN_UP)
        try:
            self._ticket = self._joining.line_up(self._shown, answer, self._call.trace)
        except TurnedAwayError:
            return  # The page says anew what there is to do.

    async def _wait(self, step: InLine) -> None:
        """Look again when the page does so by itself."""
        place = step.place
        if place.estimate.is_known and not self._is_told and not step.stands_still:
            self._is_told = True
            self._call.told_anew(place.estimate.p90_s)
        self._call.last = EndedError(OK)
        await self._call.pause(max(1.0, place.refresh_s))

    async def _sent(self, work: Work | None, email: str) -> bool:
        """Send the form; whether that led to an account."""
        call, what = self._call, self._what
        answer = await call.work(work, what.effort_s, self._typing_s)
        await self._enter(Lane.SIGN_UP)
        try:
            ticket = self._joining.admit(self._shown, answer, call.trace)
        except TurnedAwayError:
            if what.effort_s is None:
                raise refused(Reason.CHALLENGE_REQUIRED) from None
            return False
        self._ticket = ticket or self._ticket
        if ticket is not None and not self._joining.is_pass(ticket):
            return False
        call.waited()
        try:
            made = await self._joining.sign_up(ticket, email, RIGHT, call.trace)
        except PasswordsBusyError as busy:
            await self._come_again(Reason.SIGN_IN_BUSY, busy.retry_after_s)
            return False
        if not isinstance(made, Made) and self._reception.post is not None:
            await self._open_letter(email, self._reception.post)
        self._house.joined(call.who, call.now_s, is_verified=self._reception.post is not None)
        return True

    async def _open_letter(self, email: str, post: Post) -> None:
        """Use the link, as `Verification.finish` has it."""
        call, what, sessions = self._call, self._what, self._reception.sessions
        written_at_s = post.open(email)
        if what.reads_mail_after_s is None:
            raise EndedError(OK)
        call.last = EndedError(OK)
        if written_at_s is None:
            await call.give_up()  # No letter was left for this one: nothing comes.
        await call.pause(what.reads_mail_after_s)
        await self._enter(Lane.PAGE)
        if self._typing_s:
            await call.pause(self._typing_s)
        while True:
            await self._enter(Lane.ACCOUNT)
            try:
                signed_in, _ = await sessions.join(email, RIGHT, Role.USER, call.trace)
            except PasswordsBusyError as busy:
                await self._come_again(Reason.SIGN_IN_BUSY, busy.retry_after_s)
                continue
            break
        sessions.clerk.reputation.verified(signed_in.user)
        post.verified.confirmed(written_at_s, sessions.clerk.clock())
        self._joining.confirmed(signed_in.user.email, call.trace)

    # ------------------------------------------------------------ what they show

    @property
    def _shown(self) -> Shown:
        return Shown(seed=self._seed, ticket=self._ticket, network=self._network)

    def _address(self) -> str:
        """What they type. Raises ValueError where that is no address."""
        domain = self._what.mail_domain
        if self._what.is_disposable and not listed().has(domain):
            domain = _ANY_DISPOSABLE
        return tagged(self._what.local_part, domain, self._call.number)
