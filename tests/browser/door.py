"""A service whose door stands as a test says: the mode, the line, who guesses passwords, which letters were written."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests.browser.chatting import new_address
from tests.browser.scripted import ScriptedService
from tidegate.config import Settings
from tidegate.config.mail import MailSettings
from tidegate.config.registration import RegistrationSettings
from tidegate.core.entering.places import Claim
from tidegate.core.entering.pressure import GuessingPressure
from tidegate.core.mail.letter import Letter, LetterKind
from tidegate.core.mail.links import Purpose, binding_of, write
from tidegate.core.registration.modes import RegistrationMode
from tidegate.services.joining import Joining
from tidegate.services.passwords import PasswordsBusyError

_SETTINGS = Settings(
    registration=RegistrationSettings(calm_per_min=100_000, calm_at_once=100_000), mail=MailSettings(delivery="disk")
)
_TIMES_CAPACITY = 5.0
_HOUR_S = 3600.0
_WEEK_S = 7 * 86_400.0
LETTER_S = 20.0


class Door(ScriptedService):
    """Nobody is let in, nothing is measured, and no letter leaves but by a test's word. `letters` were written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, _SETTINGS)
        self.letters: list[Letter] = []
        self._written = threading.Condition()

    def start(self) -> Door:
        super().start()
        outbox = self._wired.letters.outbox
        assert outbox is not None

        def keep(letter: Letter) -> bool:
            with self._written:
                self.letters.append(letter)
                self._written.notify_all()
            return True

        outbox.put = keep  # type: ignore[method-assign] # a test reads them sooner than a mailbox has them
        return self

    @property
    def joining(self) -> Joining:
        return self._wired.joining

    def mode(self, name: str) -> None:
        """As an operator says it."""
        self._do(lambda: self.joining.registration.override(RegistrationMode(name), _HOUR_S))

    def auto(self) -> None:
        """As the service would have it: open."""
        self._do(self.joining.registration.release)

    def attack(self) -> None:
        """Strangers guess passwords, as far as it shows."""
        sessions = self.joining.sessions
        capacity = sessions.clerk.passwords.capacity()

        def guess() -> None:
            for _ in range(math.ceil(_TIMES_CAPACITY * capacity)):
                sessions.entering.turned_away(capacity, time.time())

        self._do(guess)
        assert sessions.is_attacked()

    def calm(self) -> None:
        """Nobody does any more, and there is room in the line for passwords."""
        entering = self.joining.sessions.entering
        entering.pressure = GuessingPressure(entering.plan.pressure)
        self.empty_passwords()

    def empty_passwords(self) -> None:
        """There is room in the line for passwords."""
        vars(self.joining.sessions.clerk.passwords).pop("require_room", None)

    def fill_passwords(self, wait_s: float) -> None:
        """The line for passwords is full for so long."""

        def refuse(claim: Claim | None = None) -> None:
            raise PasswordsBusyError(wait_s)

        self.joining.sessions.clerk.passwords.require_room = refuse  # type: ignore[method-assign] # until `empty_passwords`

    def crowd(self, number: int) -> None:
        """So many stand in line before whoever comes next."""

        def stand() -> None:
            room, now = self.joining.room, time.time()
            # Places are drawn within windows: these came two windows ago.
            then = now - 2 * room.plan.window_s
            tickets = [room.issue(b"net%d" % one, then, one.to_bytes(8, "big")) for one in range(number)]
            for ticket in tickets:
                room.poll(ticket, now, proved=True)

        self._do(stand)

    def let_in(self, number: int) -> None:
        """So many more."""
        self._do(lambda: self.joining.room.admit(time.time(), number))

    def seen_letting_in(self, number: int, seconds: float) -> None:
        """So many were let in, in so much time: what is told of the wait rests on that."""

        def see() -> None:
            seen = self.joining.room.outflow
            seen.admitted.pass_by(seconds)
            seen.let_in(number)

        self._do(see)

    def nothing_seen(self) -> None:
        """Nobody can tell yet how long it takes."""
        self._do(self.joining.room.outflow.forget)

    def invitation(self) -> str:
        """The path of a fresh invitation."""

        async def make() -> str:
            _, text = await self._usher.invitations.create(None)
            return text

        return f"/invitation/{self._run(make())}"

    def new_device(self, email: str) -> None:
        """Have it told to somebody that they signed in elsewhere."""

        async def tell() -> None:
            user = await self._store.accounts.user_by_email(email)
            assert user is not None
            assert self._wired.letters.new_device(user)

        self._run(tell())

    def ended_link(self) -> str:
        """The path of a link from a letter that is a week old."""
        keys = self.joining.sessions.clerk.server_keys
        token = write(Purpose.CONFIRM, new_address().encode(), binding_of("", keys), keys, time.time() - _WEEK_S)
        return f"/sign-up/confirm/{token}"

    def link(self, kind: LetterKind, email: str) -> str:
        """The path of the link in somebody's newest letter of a kind, once it is written. Others' may come late."""

        def theirs() -> list[Letter]:
            return [one for one in self.letters if one.kind is kind and one.recipient == email]

        with self._written:
            assert self._written.wait_for(theirs, LETTER_S), f"no letter of kind {kind} was written"
            found = theirs()[-1]
            self.letters.clear()
        return urlsplit(found.url).path

    def _do(self, act: Callable[[], object]) -> None:
        async def work() -> None:
            act()

        self._run(work())
