"""What people do with the links in letters to their account: a new password, a sign-in, an end to all sessions.

Whoever made an account need not be who reads the mail of its address: where mail
is off, and by an invitation, nobody asks. The first letter that is answered
decides whose it is. So until then only a new password can be had by letter, and
with it end all sessions and all keys that the account had.

Each link works once, and for one thing. A reset ends with the password that it
was written under. A link that signs in is remembered as used until a day after
it has run out, so that a clock that is set forward and back does not open it
again; as many as were ever sent, which the budgets bound. To end all sessions
twice does no harm.
"""

from __future__ import annotations

from hashlib import sha256

from tidegate.core.accounts import User
from tidegate.core.events import AccountChanged, LoginOutcome, LoginTried, Tag
from tidegate.core.identifiers import UserId
from tidegate.core.mail import links
from tidegate.core.mail.budgets import DAY_S
from tidegate.core.mail.links import Broken, Link, Purpose
from tidegate.ports.accounts import PasswordChangedError
from tidegate.services.letters import Letters
from tidegate.services.sessions import Sessions, SignedIn, Trace
from tidegate.services.verification import LinkInvalidError


class Recovery:
    """Does what the links are for."""

    def __init__(self, sessions: Sessions, letters: Letters) -> None:
        """No link was used."""
        self._sessions = sessions
        self._clerk = sessions.clerk
        self._letters = letters
        self._used: dict[bytes, float] = {}

    async def resetting(self, token: str) -> User:
        """Whose password a link would replace. Changes nothing. Raises LinkInvalidError."""
        return (await self._reset_of(token))[0]

    async def reset(self, token: str, password: str, trace: Trace) -> tuple[SignedIn, str]:
        """Replace the password, end all sessions, and begin one; the answered text goes into the cookie.

        Keys stay, but for those of an account whose address nobody had proved before. Raises LinkInvalidError,
        PasswordsBusyError, or ValueError naming the field.
        """
        user, stored_hash = await self._reset_of(token)
        is_unproved = await self._clerk.reputation.is_unproved(user)
        new_hash = await self._clerk.passwords.hash(password, user.email)
        try:
            await self._clerk.accounts.set_password_hash(user.id, new_hash, if_password_hash=stored_hash)
        except PasswordChangedError:
            raise LinkInvalidError(Broken.USED) from None
        self._clerk.ended(await self._clerk.accounts.end_sessions(user.id))
        if is_unproved:
            await self._clerk.revoke_keys(user)
        await self._prove(user)
        self._tell_account(Tag.ACCOUNT_PASSWORD_CHANGED, user)
        self._letters.password_changed(user)
        return await self._begin(user, new_hash, trace)

    async def signing_in(self, token: str) -> User:
        """Whom a link would sign in. Changes nothing. Raises LinkInvalidError."""
        return (await self._sign_in_of(token))[0]

    async def sign_in(self, token: str, trace: Trace) -> tuple[SignedIn, str]:
        """Begin a session for whoever has the link, once; the answered text goes into the cookie.

        Raises LinkInvalidError.
        """
        user, stored_hash, link = await self._sign_in_of(token)
        # Out of reach before anything more is awaited: of two who come at once, the second finds it used.
        self._use(token, link)
        await self._prove(user)
        try:
            return await self._begin(user, stored_hash, trace)
        except PasswordChangedError:
            raise LinkInvalidError(Broken.USED) from None

    async def ending(self, token: str) -> User:
        """Whose sessions a link would end. Changes nothing. Raises LinkInvalidError."""
        return await self._user(self._read(Purpose.END_SESSIONS, token))

    async def end_sessions(self, token: str) -> User:
        """End all sessions of an account. Raises LinkInvalidError."""
        user = await self.ending(token)
        ended = await self._clerk.accounts.end_sessions(user.id)
        if ended:
            self._clerk.ended(ended)
            self._tell_account(Tag.ACCOUNT_SESSIONS_ENDED, user)
        return user

    async def _prove(self, user: User) -> None:
        await self._clerk.reputation.meet(user)  # Of whom memory knows nothing, nothing would be remembered.
        self._clerk.reputation.verified(user)

    async def _begin(self, user: User, verified_hash: str | None, trace: Trace) -> tuple[SignedIn, str]:
        made = await self._sessions.begin(user, verified_hash=verified_hash)
        fingerprint = self._clerk.fingerprint
        self._clerk.journal.record(
            LoginTried(
                t=self._clerk.clock(),
                id=trace.id,
                outcome=LoginOutcome.OK,
                src=trace.src,
                net=trace.net,
                acct=fingerprint(user.id),
                sess=fingerprint(made[0].session.id),
                user=fingerprint(user.email),
            )
        )
        return made

    async def _reset_of(self, token: str) -> tuple[User, str | None]:
        link = self._read(Purpose.RESET, token)
        user, stored_hash = await self._with_password(link)
        if not links.is_bound(link, str(stored_hash), self._clerk.server_keys):
            raise LinkInvalidError(Broken.USED)
        return user, stored_hash

    async def _sign_in_of(self, token: str) -> tuple[User, str | None, Link]:
        link = self._read(Purpose.SIGN_IN, token)
        user, stored_hash = await self._with_password(link)
        state = self._letters.sign_in_state(stored_hash)
        if _name(token) in self._used or not links.is_bound(link, state, self._clerk.server_keys):
            raise LinkInvalidError(Broken.USED)
        return user, stored_hash, link

    def _read(self, purpose: Purpose, token: str) -> Link:
        found = links.read(purpose, token, self._clerk.server_keys, self._clerk.clock())
        if isinstance(found, Broken):
            raise LinkInvalidError(found)
        return found

    async def _user(self, link: Link) -> User:
        user = await self._clerk.accounts.user(UserId.of(link.subject))
        if user is None:
            raise LinkInvalidError(Broken.USED)
        return user

    async def _with_password(self, link: Link) -> tuple[User, str | None]:
        found = await self._clerk.accounts.user_with_password((await self._user(link)).email)
        if found is None:
            raise LinkInvalidError(Broken.USED)
        return found

    def _use(self, token: str, link: Link) -> None:
        now = self._clerk.clock()
        self._used = {name: until for name, until in self._used.items() if until > now - DAY_S}
        self._used[_name(token)] = link.good_until_s

    def _tell_account(self, tag: Tag, user: User) -> None:
        self._clerk.journal.record(
            AccountChanged(t=self._clerk.clock(), event=tag, acct=self._clerk.fingerprint(user.id))
        )


def _name(token: str) -> bytes:
    return sha256(token.encode()).digest()[:16]
