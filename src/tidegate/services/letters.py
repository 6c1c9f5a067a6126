"""Writes letters, within their budgets: who may be written to, and what stands in the links.

Whoever asks for a letter with a stranger's address learns nothing by it: the
answer is given before anything is looked up, and the work is done beside the
request. So a known and an unknown address take the same time, and so does one
whose budget is used up.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Final
from urllib.parse import urlsplit

from tidegate.core.accounts import User, normalise_email
from tidegate.core.mail import links, wording
from tidegate.core.mail.addresses import mailable
from tidegate.core.mail.budgets import DAY_S, MailBudgets
from tidegate.core.mail.letter import Letter, LetterKind
from tidegate.core.mail.links import LASTS_S, Purpose
from tidegate.core.mail.verified import VerifiedShare
from tidegate.services.accounts import Clerk
from tidegate.services.outbox import Outbox

_MOST_ADDRESS_BYTES: Final = 320
_NO_STATE: Final = ""


class Letters:
    """Everything that is written to people. Off without an outbox: then nothing is ever sent.

    `later` takes work that nobody should wait for. `public_url` is where the links lead: it is never taken from a
    request, whose Host header a stranger writes (ASVS 5.0 6.4.3).
    """

    def __init__(
        self,
        clerk: Clerk,
        outbox: Outbox | None,
        budgets: MailBudgets,
        public_url: str,
        later: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        """Send nothing yet."""
        self.outbox = outbox
        self.budgets = budgets
        self.verified = VerifiedShare()
        self._clerk = clerk
        self._url = public_url.rstrip("/")
        self._site = urlsplit(public_url).netloc
        self._later = later
        # Links that sign somebody in are remembered as used in memory: what another process wrote is good for nothing.
        self._epoch = secrets.token_hex(8)
        if outbox is not None:
            outbox.sent = self._sent

    @property
    def is_on(self) -> bool:
        """Whether letters are sent at all."""
        return self.outbox is not None

    def budget_left(self, promised: int = 0) -> float | None:
        """The part of the letters to strangers that is left, 0 to 1, after so many promised ones; None without mail."""
        return self.budgets.left(self._clerk.clock(), promised) if self.is_on else None

    def verified_share(self, now: float, since: float | None = None) -> tuple[float, int]:
        """The part of those who were written to in half an hour that confirmed their address, and of how many.

        With `since`, of those only who were written to after it.
        """
        return self.verified.share(now, since)

    async def confirm_sign_up(self, email: str) -> None:
        """Send somebody the link that makes their account; or, to who has one, word of that.

        Raises ValueError naming the field for what mail cannot be sent to, whoever has it.
        """
        address, recipient = _subject(email), mailable(email)
        self._later(self._confirm(address, recipient))

    async def reset_password(self, email: str, network: str = "") -> None:
        """Send somebody the link to choose a new password, if they have an account; nobody learns whether.

        `network` stands for where it was asked for.
        """
        self._later(self._to_account(email, self._write_reset, network))

    async def sign_in_link(self, email: str, network: str = "") -> None:
        """Send somebody a link that signs them in once, if they have an account; nobody learns whether.

        `network` stands for where it was asked for.

        Where nobody has shown yet that they read the mail of that account's address it is a link to a new password
        instead: whoever made the account with it may be somebody else, and must not stay in it (recovery.py).
        """
        self._later(self._to_account(email, self._write_sign_in_link, network))

    def new_device(self, user: User) -> bool:
        """Tell somebody that their account was signed in to from where it had not been before."""
        now = self._clerk.clock()
        token = self._token(Purpose.END_SESSIONS, user.id.entropy, _NO_STATE)
        url = f"{self._url}/sessions/end/{token}"
        return self._post_to(user.email, lambda to: wording.new_device(to, url, self._site, moment(now), now))

    def password_changed(self, user: User) -> bool:
        """Tell somebody that their password was changed."""
        url = f"{self._url}/forgot"
        return self._post_to(user.email, lambda to: wording.password_changed(to, url, self._site, self._clerk.clock()))

    def invitation_url(self, text: str) -> str:
        """Where whoever has this invitation goes."""
        return f"{self._url}/invitation/{text}"

    def invite(self, email: str, url: str, lasts_s: float) -> bool:
        """Send the address of an invitation. False when it will not be sent; raises ValueError naming the field."""
        now = self._clerk.clock()
        end_s = now + lasts_s
        return self.post(wording.invitation(mailable(email), url, self._site, moment(end_s), now, end_s))

    def turn_came(self, email: str, url: str, lasts_s: float = DAY_S) -> bool:
        """Tell somebody who waited that it is their turn. False when it will not be sent; raises ValueError."""
        now = self._clerk.clock()
        end_s = now + lasts_s
        return self.post(wording.turn_came(mailable(email), url, self._site, moment(end_s), now, end_s))

    def post(self, letter: Letter, network: str = "") -> bool:
        """Send a letter, if its budgets allow it and there is room for it. `network` is whence it was asked for."""
        return self._take(letter.kind, letter.recipient, network) and self._put(letter)

    def sign_in_state(self, stored_hash: str | None) -> str:
        """What a link that signs in is bound to: this process and the password."""
        return f"{self._epoch} {stored_hash}"

    async def _confirm(self, address: str, recipient: str) -> None:
        # Before the store is asked: a flood of addresses costs it nothing that no letter is left for.
        if not self._take(LetterKind.CONFIRM, recipient):
            return
        now = self._clerk.clock()
        token = self._token(Purpose.CONFIRM, address.encode(), _NO_STATE)
        if await self._clerk.accounts.user_by_email(address) is None:
            self._put(wording.confirm(recipient, f"{self._url}/sign-up/confirm/{token}", self._site, now))
        else:
            self._put(wording.have_account(recipient, f"{self._url}/sign-in", self._site, now))

    async def _to_account(self, email: str, write: Callable[[str, User, str | None], Letter], network: str) -> None:
        try:
            found = await self._clerk.accounts.user_with_password(normalise_email(email))
        except ValueError:
            return  # Nobody has that address.
        if found is None:
            return
        user, stored_hash = found
        if await self._clerk.reputation.is_unproved(user):
            write = self._write_reset
        self._post_to(user.email, lambda to: write(to, user, stored_hash), network)

    def _write_reset(self, recipient: str, user: User, stored_hash: str | None) -> Letter:
        # Whoever has letters sent until there are none left must not keep the owner out: the last one works until there
        # may be another.
        now = self._clerk.clock()
        lasts_s = max(LASTS_S[Purpose.RESET], self.budgets.again_s(LetterKind.RESET, recipient, now))
        token = self._token(Purpose.RESET, user.id.entropy, str(stored_hash), lasts_s)
        return wording.reset(recipient, f"{self._url}/reset/{token}", self._site, now, lasts_s)

    def _write_sign_in_link(self, recipient: str, user: User, stored_hash: str | None) -> Letter:
        token = self._token(Purpose.SIGN_IN, user.id.entropy, self.sign_in_state(stored_hash))
        return wording.sign_in_link(recipient, f"{self._url}/sign-in/link/{token}", self._site, self._clerk.clock())

    def _post_to(self, email: str, write: Callable[[str], Letter], network: str = "") -> bool:
        try:
            recipient = mailable(email)
        except ValueError:
            return False  # An operator made the account for a name that no mail goes to.
        return self.post(write(recipient), network)

    def _token(self, purpose: Purpose, subject: bytes, state: str, lasts_s: float | None = None) -> str:
        keys = self._clerk.server_keys
        return links.write(purpose, subject, links.binding_of(state, keys), keys, self._clerk.clock(), lasts_s)

    def _take(self, kind: LetterKind, recipient: str, network: str = "") -> bool:
        if self.outbox is None:
            return False
        bound = self.budgets.take(kind, recipient, self._clerk.clock(), network)
        if bound is None:
            return True
        self.outbox.withheld(kind, recipient, bound)
        return False

    def _put(self, letter: Letter) -> bool:
        return self.outbox is not None and self.outbox.put(letter)

    def _sent(self, letter: Letter) -> None:
        if letter.kind is LetterKind.CONFIRM:
            self.verified.sent(letter.good_until_s - LASTS_S[Purpose.CONFIRM], self._clerk.clock())


def moment(moment_s: float) -> str:
    """A moment for people, wherever they are."""
    return datetime.datetime.fromtimestamp(moment_s, datetime.UTC).strftime("%d %B %Y, %H:%M UTC")


def _subject(email: str) -> str:
    address = normalise_email(email)
    if len(address.encode()) > _MOST_ADDRESS_BYTES:
        msg = "email: mail cannot be sent to so long an address"
        raise ValueError(msg)
    return address
