"""People signing up, in and out, and telling by a session who they are.

Signing in does the same work whether or not the address is known here and has
a password: one question to the store and one argon2 verification. Otherwise
the time it takes would tell a stranger who has an account.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec

from tidegate.core import credentials
from tidegate.core.accounts import Role, Session, User, normalise_email
from tidegate.core.credentials import Kind
from tidegate.core.events import AccountChanged, LoginOutcome, LoginTried, SignUpOutcome, SignUpTried, Tag
from tidegate.core.identifiers import Fingerprint, RequestId, SessionId
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


class SignUpClosedError(Exception):
    """The operator has closed registration."""


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


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """Makes, finds and ends sessions; the stores, keys and the log are the clerk's.

    `later` takes work that nobody should wait for. `ended` is told at once of
    sessions that are over, so that what they hold open can be closed.
    `is_flooded` tells whether a flood runs: accounts made meanwhile start at the
    bottom. `dead` is told of genuine sessions that are over.
    """

    clerk: Clerk
    is_sign_up_open: bool
    session_s: float
    later: Callable[[Coroutine[Any, Any, None]], None]
    ended: Callable[[list[SessionId]], None] = _tell_nobody
    is_flooded: Callable[[], bool] = _never
    dead: Callable[[bytes], None] = _forget

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

    async def sign_up(self, email: str, password: str, trace: Trace) -> tuple[SignedIn, str]:
        """Make an account and sign its owner in; the answered text goes into the cookie and nowhere else.

        Raises SignUpClosedError, EmailTakenError, PasswordsBusyError, or ValueError naming the field.
        """
        if not self.is_sign_up_open:
            self._tell_sign_up(trace, SignUpOutcome.REFUSED, reason=Reason.SIGN_UP_CLOSED)
            raise SignUpClosedError
        return await self.join(email, password, Role.USER, trace)

    async def join(self, email: str, password: str, role: Role, trace: Trace) -> tuple[SignedIn, str]:
        """As sign_up, for whoever has already been found to be allowed."""
        try:
            user = await self.clerk.create_user(email, role, password=password)
        except (EmailTakenError, PasswordsBusyError, ValueError) as error:
            self._tell_sign_up(trace, SignUpOutcome.REFUSED, reason=_REASONS.get(type(error), Reason.INVALID_VALUE))
            raise
        self.clerk.reputation.joined(user, trace.net, is_flooded=self.is_flooded())
        self._tell_sign_up(trace, SignUpOutcome.OK, acct=self.clerk.fingerprint(user.id))
        return await self.begin(user)

    async def sign_in(self, email: str, password: str, trace: Trace) -> tuple[SignedIn, str]:
        """Begin a session for whoever knows the password; the answered text goes into the cookie and nowhere else.

        Raises WrongCredentialsError or PasswordsBusyError.
        """
        address = _address(email)
        try:
            # Before the store is asked: a flood shall cost it nothing.
            self.clerk.passwords.require_room()
            user, stored_hash = await self.clerk.accounts.user_with_password(address) or (None, None)
            is_password = await self.clerk.passwords.verify(stored_hash, password)
        except PasswordsBusyError:
            self._tell_login(trace, address, LoginOutcome.REFUSED, reason=Reason.SIGN_IN_BUSY)
            raise
        if user is None or stored_hash is None or not is_password:
            outcome = LoginOutcome.UNKNOWN_USER if user is None else LoginOutcome.BAD_PASSWORD
            self._tell_login(trace, address, outcome, reason=Reason.WRONG_CREDENTIALS)
            raise WrongCredentialsError
        try:
            signed_in, text = await self.begin(user, verified_hash=stored_hash)
        except PasswordChangedError:
            # Changed while the old one was being verified: who changed it wants nobody in who knew only that.
            self._tell_login(trace, address, LoginOutcome.BAD_PASSWORD, reason=Reason.WRONG_CREDENTIALS)
            raise WrongCredentialsError from None
        self._tell_login(trace, address, LoginOutcome.OK, signed_in)
        if self.clerk.passwords.is_outdated(stored_hash):
            self.later(self._renew_hash(user, password, stored_hash))
        return signed_in, text

    async def change_password(self, signed_in: SignedIn, current: str, new: str) -> None:
        """Replace the password and end all other sessions.

        Raises WrongCredentialsError, PasswordsBusyError, or ValueError naming the field.
        """
        user, accounts = signed_in.user, self.clerk.accounts
        checked(new, user.email)
        _, stored_hash = await accounts.user_with_password(user.email) or (None, None)
        if not await self.clerk.passwords.verify(stored_hash, current):
            raise WrongCredentialsError
        new_hash = await self.clerk.passwords.hash(new, user.email)
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
            renewed = await self.clerk.passwords.hash(password, user.email)
        except (PasswordsBusyError, ValueError):
            return  # There will be another sign-in; and a password from before today's rules keeps its old hash.
        with contextlib.suppress(PasswordChangedError):  # The new password has a hash of its own.
            await self.clerk.accounts.set_password_hash(user.id, renewed, if_password_hash=stored_hash)

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

    def _tell_sign_up(
        self, trace: Trace, outcome: SignUpOutcome, *, acct: Fingerprint | None = None, reason: Reason | None = None
    ) -> None:
        self.clerk.journal.record(
            SignUpTried(
                t=self.clerk.clock(),
                id=trace.id,
                outcome=outcome,
                src=trace.src,
                net=trace.net,
                acct=acct,
                reason=reason,
            )
        )

    def _tell_login(
        self,
        trace: Trace,
        address: str,
        outcome: LoginOutcome,
        signed_in: SignedIn | None = None,
        *,
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
                user=self.clerk.fingerprint(address),
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
