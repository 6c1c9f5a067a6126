"""People signing up, in and out, and telling by a session who they are.

Signing in does the same work whether or not the address is known here and has
a password: one question to the store and one argon2 verification. Otherwise
the time it takes would tell a stranger who has an account. On a device that the
account has signed in on it goes ahead of everybody else; strangers may have to
bring an effort before their password is looked at (core/entering/entering.py).
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from tidegate.core import credentials
from tidegate.core.accounts import Role, Session, User, normalise_email
from tidegate.core.credentials import Kind
from tidegate.core.entering import devices
from tidegate.core.entering.devices import Device
from tidegate.core.entering.entering import Challenged, Entering, EnteringPlan, Known, Try, Why
from tidegate.core.entering.places import PLACE_OF, Claim, Place
from tidegate.core.events import AccountChanged, LoginOutcome, LoginTried, SignUpOutcome, SignUpTried, Tag
from tidegate.core.identifiers import Fingerprint, RequestId, SessionId, UserId
from tidegate.core.reasons import Reason
from tidegate.ports.accounts import EmailTakenError, PasswordChangedError
from tidegate.services.accounts import Clerk, NotFoundError
from tidegate.services.passwords import PasswordsBusyError, checked

MOST_SESSIONS: Final = 50
"""Of one account; a new one ends the oldest."""

USE_GRAIN_S: Final = 3600.0
"""How exactly the last use of a session is kept: a write for each request would not be cheap."""


class WrongCredentialsError(Exception):
    """The address or the password is wrong; which of them is nobody's business."""


class ChallengeNeededError(Exception):
    """A stranger's password is looked at only with a solved challenge of this effort, for `why`."""

    def __init__(self, effort: int, why: Why) -> None:
        """Carry what to ask for."""
        super().__init__(f"an effort of {effort} is needed: {why}")
        self.effort = effort
        self.why = why


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What a try brings: the effort of a solved challenge that was spent for it, 0 for none."""

    effort: int = 0


NO_PROOF: Final = Proof()


Said = Mapping[str, Any]
"""What an address says (core/registration/names.py), as the fields of its event."""

NOTHING_SAID: Final[Said] = MappingProxyType({})


class SignedIn(msgspec.Struct, frozen=True):
    """A person with a live session. `digest` is what the store knows the session by."""

    user: User
    session: Session
    digest: bytes


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What the log may know of the request behind an act: its id, its source and that one's network."""

    id: RequestId
    src: Fingerprint | None = None
    net: Fingerprint | None = None


def _tell_nobody(ended: list[SessionId]) -> None:
    del ended


def _never() -> bool:
    return False


def _forget(digest: bytes) -> None:
    del digest


def _greet_nobody(user: User, trace: Trace) -> None:
    del user, trace


def _undisturbed() -> Entering:
    return Entering(EnteringPlan())


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """Makes, finds and ends sessions; the stores, keys and the log are the clerk's.

    `later` takes work that nobody should wait for. `ended` is told at once of
    sessions that are over, so that what they hold open can be closed.
    `is_flooded` tells whether a flood runs: accounts made meanwhile start at the
    bottom. `dead` is told of genuine sessions that are over, and of devices that
    are worn. `on_new_device` hears of whoever has signed in where their account
    never had before.
    """

    clerk: Clerk
    session_s: float
    later: Callable[[Coroutine[Any, Any, None]], None]
    ended: Callable[[list[SessionId]], None] = _tell_nobody
    is_flooded: Callable[[], bool] = _never
    dead: Callable[[bytes], None] = _forget
    on_new_device: Callable[[User, Trace], None] = _greet_nobody
    entering: Entering = msgspec.field(default_factory=_undisturbed)

    async def find(self, text: str) -> SignedIn | None:
        """Whose session `text` is, if it is live. Forgeries are turned away before the store is asked."""
        genuine = credentials.read(text, Kind.SESSION, self.clerk.server_keys)
        if isinstance(genuine, credentials.Forged):
            return None
        now = self.clerk.clock()
        found = await self.clerk.accounts.live_session(genuine.principal, genuine.digest, now)
        if found is None:
            self.dead(genuine.digest)
            return None
        user, session = found
        await self.clerk.reputation.meet(user)
        if now - session.last_seen_at_s >= USE_GRAIN_S:
            self.later(self.clerk.accounts.note_session_use(user.id, session.id, now))
        return SignedIn(user, session, genuine.digest)

    async def begin(self, user: User, *, verified_hash: str | None = None) -> tuple[SignedIn, str]:
        """Sign somebody in who has just shown who they are; answers the session's text for their cookie too.

        Raises PasswordChangedError when `verified_hash` is theirs no longer.
        """
        now = self.clerk.clock()
        entropy = secrets.token_bytes(credentials.RANDOM_BYTES)
        text = credentials.issue(Kind.SESSION, user.id, self.clerk.server_keys, now=now, entropy=entropy)
        session = Session(
            id=SessionId.of(secrets.token_bytes(8)),
            owner=user.id,
            created_at_s=now,
            expires_at_s=now + self.session_s,
            last_seen_at_s=now,
        )
        digest = credentials.digest(text)
        accounts = self.clerk.accounts
        self._over(await accounts.add_session(session, digest, most=MOST_SESSIONS, if_password_hash=verified_hash))
        return SignedIn(user, session, digest), text

    async def join(
        self,
        email: str,
        password: str,
        role: Role,
        trace: Trace,
        *,
        user_id: UserId | None = None,
        inviter: UserId | None = None,
        said: Said = NOTHING_SAID,
    ) -> tuple[SignedIn, str]:
        """Make an account for somebody who may have one, and sign them in; the answered text goes into the cookie only.

        With `user_id` it is under that id; `inviter` is by whose word; `said` is what the address says, for the log.
        Raises EmailTakenError, PasswordsBusyError, or ValueError naming the field.
        """
        try:
            claim = self.clerk.passwords.claim(Place.OWN if role is Role.OPERATOR else Place.JOINING)
            user = await self.clerk.create_user(email, role, password=password, claim=claim, user_id=user_id)
        except (EmailTakenError, PasswordsBusyError, ValueError) as error:
            reason = _REASONS.get(type(error), Reason.INVALID_VALUE)
            self.tell_sign_up(trace, SignUpOutcome.REFUSED, reason=reason, said=said)
            raise
        self.clerk.reputation.joined(user, trace.net, is_flooded=self.is_flooded(), inviter=inviter)
        self.tell_sign_up(trace, SignUpOutcome.OK, acct=self.clerk.fingerprint(user.id), said=said)
        return await self.begin(user)

    async def sign_in(
        self, email: str, password: str, trace: Trace, *, marks: str = "", proof: Proof = NO_PROOF
    ) -> tuple[SignedIn, str]:
        """Begin a session for whoever knows the password; the answered text goes into the cookie and nowhere else.

        `marks` is the device's cookie. Raises WrongCredentialsError, ChallengeNeededError or PasswordsBusyError.
        """
        address = _address(email)
        shown = self._devices(marks)
        tried = Try(account=self.clerk.fingerprint(address), source=trace.src, network=trace.net, effort=proof.effort)
        device, claim = self._claim(tried, self._device_of(shown, address), trace)
        try:
            # Before the store is asked: a flood shall cost it nothing.
            self.clerk.passwords.require_room(claim)
            user, stored_hash = await self.clerk.accounts.user_with_password(address) or (None, None)
            is_password = await self.clerk.passwords.verify(stored_hash, password, claim)
        except PasswordsBusyError:
            self._turned_away(tried, device, trace, LoginOutcome.REFUSED, Reason.SIGN_IN_BUSY)
            raise
        if user is None or stored_hash is None or not is_password:
            outcome = LoginOutcome.UNKNOWN_USER if user is None else LoginOutcome.BAD_PASSWORD
            self._missed(tried, device, trace, outcome)
            raise WrongCredentialsError
        try:
            signed_in, text = await self.begin(user, verified_hash=stored_hash)
        except PasswordChangedError:
            # Changed while the old one was being verified: who changed it wants nobody in who knew only that.
            self._missed(tried, device, trace, LoginOutcome.BAD_PASSWORD)
            raise WrongCredentialsError from None
        self.entering.signed_in(tried, device)
        self._tell_login(trace, tried, LoginOutcome.OK, signed_in, device=device)
        if not any(one.principal == user.id for one in shown):
            self.on_new_device(user, trace)
        if self.clerk.passwords.is_outdated(stored_hash):
            self.later(self._renew_hash(user, password, stored_hash))
        return signed_in, text

    def mark(self, user: User, marks: str) -> str:
        """The device's cookie after somebody was let in: what it was, and that their account signs in here."""
        return devices.renewed(
            marks,
            user.id,
            user.email,
            self.clerk.server_keys,
            now=self.clerk.clock(),
            lasts_s=self.device_s,
            entropy=secrets.token_bytes(devices.DEVICE_BYTES),
        )

    @property
    def device_s(self) -> float:
        """How long a device is known without its account signing in on it."""
        return self.entering.plan.device_s

    def effort_asked(self, trace: Trace) -> int:
        """The effort that a stranger's password should come with now; 0 for none."""
        return self.entering.suggested(trace.src, trace.net, self.clerk.passwords.capacity(), self.clerk.clock())

    def is_attacked(self) -> bool:
        """Whether strangers are guessing passwords, as far as it shows."""
        return self.entering.is_attacked(self.clerk.passwords.capacity(), self.clerk.clock())

    async def change_password(self, signed_in: SignedIn, current: str, new: str) -> None:
        """Replace the password and end all other sessions.

        Raises WrongCredentialsError, PasswordsBusyError, or ValueError naming the field.
        """
        user, accounts = signed_in.user, self.clerk.accounts
        checked(new, user.email)
        _, stored_hash = await accounts.user_with_password(user.email) or (None, None)
        if not await self.clerk.passwords.verify(stored_hash, current, self._own_claim(user)):
            raise WrongCredentialsError
        new_hash = await self.clerk.passwords.hash(new, user.email, self._own_claim(user))
        try:
            await accounts.set_password_hash(user.id, new_hash, if_password_hash=stored_hash)
        except PasswordChangedError:
            raise WrongCredentialsError from None
        self._tell_change(Tag.ACCOUNT_PASSWORD_CHANGED, signed_in)
        await self.end_others(signed_in)

    async def live(self, signed_in: SignedIn) -> list[Session]:
        """All live sessions of the same person, newest first."""
        return await self.clerk.accounts.sessions(signed_in.user.id, self.clerk.clock())

    async def sign_out(self, signed_in: SignedIn) -> None:
        """End this session; one that has ended meanwhile is no error."""
        if await self.clerk.accounts.end_session(signed_in.user.id, signed_in.session.id):
            self._end(signed_in, [signed_in.session.id])

    async def end(self, signed_in: SignedIn, session_id: SessionId) -> None:
        """End one session of the same person. Raises NotFoundError when there is no such session."""
        if not await self.clerk.accounts.end_session(signed_in.user.id, session_id):
            msg = "session: it ended already, or never was"
            raise NotFoundError(msg)
        self._end(signed_in, [session_id])

    async def end_others(self, signed_in: SignedIn) -> None:
        """End all sessions of the same person but this one."""
        self._end(signed_in, await self.clerk.accounts.end_sessions(signed_in.user.id, keep=signed_in.session.id))

    async def _renew_hash(self, user: User, password: str, stored_hash: str) -> None:
        try:
            renewed = await self.clerk.passwords.hash(password, user.email, self._own_claim(user))
        except (PasswordsBusyError, ValueError):
            return  # There will be another sign-in; and a password from before today's rules keeps its old hash.
        with contextlib.suppress(PasswordChangedError):  # The new password has a hash of its own.
            await self.clerk.accounts.set_password_hash(user.id, renewed, if_password_hash=stored_hash)

    def _devices(self, marks: str) -> tuple[Device, ...]:
        return devices.read(marks, self.clerk.server_keys, now=self.clerk.clock(), lasts_s=self.device_s)

    def _device_of(self, shown: tuple[Device, ...], address: str) -> Device | None:
        return self.entering.device_of(shown, address, self.clerk.server_keys, self.clerk.clock())

    def _claim(self, tried: Try, device: Device | None, trace: Trace) -> tuple[Device | None, Claim]:
        """Where a try belongs, and its device if that is why. Raises ChallengeNeededError."""
        now, lane = self.clerk.clock(), self.clerk.passwords
        standing = None if device is None else self.clerk.reputation.register.standing(device.principal, now)
        match self.entering.decide(tried, standing, lane.capacity(), now):
            case Known(place=place):
                return device, lane.claim(place, tried.account)
            case Challenged(effort=effort, why=why):
                outcome = LoginOutcome.LOCKED if why is Why.ACCOUNT else LoginOutcome.REFUSED
                self._turned_away(tried, None, trace, outcome, None)
                raise ChallengeNeededError(effort, why)
            case unknown:
                return None, lane.claim(Place.STRANGER, tried.account, unknown.effort)

    def _own_claim(self, user: User) -> Claim:
        """What somebody who is signed in goes into the line with, for a password of their own."""
        standing = self.clerk.reputation.register.standing(user.id, self.clerk.clock())
        return self.clerk.passwords.claim(PLACE_OF[standing], self.clerk.fingerprint(user.email))

    def _missed(self, tried: Try, device: Device | None, trace: Trace, outcome: LoginOutcome) -> None:
        is_worn = self.entering.missed(tried, device, self.clerk.passwords.capacity(), self.clerk.clock())
        if device is not None and is_worn:
            self.dead(device.id)
        self._tell_login(trace, tried, outcome, device=device, reason=Reason.WRONG_CREDENTIALS)

    def _turned_away(
        self, tried: Try, device: Device | None, trace: Trace, outcome: LoginOutcome, reason: Reason | None
    ) -> None:
        if device is None:
            self.entering.turned_away(self.clerk.passwords.capacity(), self.clerk.clock())
        self._tell_login(trace, tried, outcome, device=device, reason=reason)

    def _end(self, signed_in: SignedIn, ended: list[SessionId]) -> None:
        if ended:
            self._over(ended)
            self._tell_change(Tag.ACCOUNT_SESSIONS_ENDED, signed_in)

    def _over(self, ended: list[SessionId]) -> None:
        if ended:
            self.ended(ended)

    def _tell_change(self, tag: Tag, signed_in: SignedIn) -> None:
        acct = self.clerk.fingerprint(signed_in.user.id)
        self.clerk.journal.record(AccountChanged(t=self.clerk.clock(), event=tag, acct=acct))

    def tell_sign_up(
        self,
        trace: Trace,
        outcome: SignUpOutcome,
        *,
        acct: Fingerprint | None = None,
        reason: Reason | None = None,
        said: Said = NOTHING_SAID,
    ) -> None:
        """Write down what became of a sign-up."""
        self.clerk.journal.record(
            SignUpTried(
                t=self.clerk.clock(),
                id=trace.id,
                outcome=outcome,
                src=trace.src,
                net=trace.net,
                acct=acct,
                reason=reason,
                **said,
            )
        )

    def _tell_login(
        self,
        trace: Trace,
        tried: Try,
        outcome: LoginOutcome,
        signed_in: SignedIn | None = None,
        *,
        device: Device | None,
        reason: Reason | None = None,
    ) -> None:
        self.clerk.journal.record(
            LoginTried(
                t=self.clerk.clock(),
                id=trace.id,
                outcome=outcome,
                src=trace.src,
                net=trace.net,
                acct=None if signed_in is None else self.clerk.fingerprint(signed_in.user.id),
                sess=None if signed_in is None else self.clerk.fingerprint(signed_in.session.id),
                user=Fingerprint(tried.account),
                known_device=device is not None,
                reason=reason,
            )
        )


_REASONS: Final[dict[type[Exception], Reason]] = {
    EmailTakenError: Reason.EMAIL_TAKEN,
    PasswordsBusyError: Reason.SIGN_IN_BUSY,
}


def _address(text: str) -> str:
    """The address to look for. What cannot be one is looked for as well, as one that nobody has."""
    try:
        return normalise_email(text)
    except ValueError:
        return ""
