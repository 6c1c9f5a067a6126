"""Hashes and checks passwords: in one thread, with a short line before it, at a known price.

Argon2 is meant to be slow, so whoever may ask for it without bound holds the
machine: 25 ms each, and the event loop stands still meanwhile when it runs
there. Here at most one runs, few wait, in an order that known devices lead
(core/entering/line.py), and the next is told to come back at once. People who
are signed in and programs with a key never come this way.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import Any, Final, TypeVar

import argon2
import msgspec

from tidegate.core.entering.line import Full, Held, LinePlan, PasswordLine
from tidegate.core.entering.places import Claim, Place

T = TypeVar("T")

PASSWORD_LENGTH: Final = (15, 1024)
"""Least and most characters: NIST SP 800-63B-4 section 3.1.1.2 for a password that stands alone."""

# RFC 9106 profile trimmed to the OWASP minimum (19 MiB, t=2, p=1): a stronger one is a cheaper flood.
HASHER: Final = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_LONGEST_REPEATED = 4
_DICE: Final = secrets.SystemRandom()


class PasswordsBusyError(Exception):
    """The queue is full; there is room again in about `retry_after_s`."""

    def __init__(self, retry_after_s: float) -> None:
        """Carry the promise."""
        super().__init__(f"passwords are being checked for the next {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


def _never() -> bool:
    return False


class _Job(msgspec.Struct, frozen=True):
    place: Place
    work: Callable[..., Any]
    arguments: tuple[str, ...]
    answered: asyncio.Future[Any]


class PasswordLane:
    """The only place where passwords are hashed, for one event loop. `close` it in the end.

    `is_attacked` tells whether strangers are guessing just now: they are then held to a part of the thread's time.
    """

    def __init__(
        self,
        plan: LinePlan | None = None,
        *,
        hasher: argon2.PasswordHasher = HASHER,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = _DICE.random,
    ) -> None:
        """Nothing runs; the thread starts with the first password. `draw` makes lots from 0 to 1."""
        self.is_attacked: Callable[[], bool] = _never
        self._line = PasswordLine(plan or LinePlan())
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")
        self._hasher = hasher
        self._nobodys = _hash_of_nothing(hasher)
        self._clock = clock
        self._draw = draw
        self._numbers = count(1)
        self._jobs: dict[int, _Job] = {}
        self._took_s = 0.0
        self._later: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def remembered(self) -> int:
        """How many run or wait."""
        return self._line.remembered

    def capacity(self) -> float:
        """How many passwords of strangers can be checked a second when everybody else wants one, too."""
        return self._line.capacity()

    def claim(self, place: Place = Place.OWN, account: str = "", effort: int = 0) -> Claim:
        """What one password goes into the line with."""
        return Claim(place=place, account=account, effort=effort, lot=self._draw())

    async def hash(self, password: str, email: str = "", claim: Claim | None = None) -> str:
        """Hash a new password. Raises ValueError naming the field, or PasswordsBusyError."""
        claim = claim or self.claim()
        self.require_room(claim)  # Even looking at a password costs something.
        return await self._run(claim, self._hasher.hash, checked(password, email))

    async def verify(self, stored_hash: str | None, password: str, claim: Claim | None = None) -> bool:
        """Whether it is the password; for None it is not, after as long a time. Raises PasswordsBusyError."""
        claim = claim or self.claim()
        self.require_room(claim)
        normal = _normal(password)
        if stored_hash is None or normal is None:
            stored_hash, normal = self._nobodys, normal or ""
        return await self._run(claim, self._is_password, stored_hash, normal)

    def require_room(self, claim: Claim | None = None) -> None:
        """Raise PasswordsBusyError if a password would be turned away now: before anything dearer is asked."""
        full = self._line.room(claim or self.claim())
        if full is not None:
            raise PasswordsBusyError(full.retry_after_s)

    def is_outdated(self, stored_hash: str) -> bool:
        """Whether it was made with other parameters than a hash would be today."""
        return self._hasher.check_needs_rehash(stored_hash)

    def close(self) -> None:
        """Let what runs end, and drop what waits."""
        self._is_closed = True
        for job in list(self._jobs.values()):
            _in_loop_of(job, job.answered.cancel)
        self._executor.shutdown()

    async def _run(self, claim: Claim, work: Callable[..., T], *arguments: str) -> T:
        number = next(self._numbers)
        joined = self._line.join(number, claim, self._clock())
        if isinstance(joined, Full):
            raise PasswordsBusyError(joined.retry_after_s)
        if joined.evicted is not None:
            self._turn_away(joined.evicted, joined.retry_after_s)
        job = self._jobs[number] = _Job(claim.place, work, arguments, asyncio.get_running_loop().create_future())
        self._call_next()
        try:
            hashed: T = await job.answered
        except asyncio.CancelledError:
            # One that runs cannot be stopped, and keeps its place until it ends; one that waits goes at once.
            if self._jobs.pop(number, None) is not None:
                self._line.leave(number)
            raise
        return hashed

    def _call_next(self) -> None:
        now = self._clock()
        for number in self._line.late(now):
            self._turn_away(number, self._line.drain_s(self._jobs[number].place))
        called = None if self._is_closed else self._line.call(now, is_attacked=self.is_attacked())
        if isinstance(called, Held):
            if self._later is None:
                self._later = asyncio.get_running_loop().call_later(called.wait_s, self._call_again)
        elif called is not None:
            job = self._jobs.pop(called)
            running = self._executor.submit(self._timed, job.work, *job.arguments)
            running.add_done_callback(lambda done: _in_loop_of(job, self._finish, called, job, done))

    def _call_again(self) -> None:
        self._later = None
        self._call_next()

    def _finish(self, number: int, job: _Job, done: Future[Any]) -> None:
        self._line.done(number, self._took_s, self._clock())
        if not job.answered.done():
            error = done.exception()
            if error is None:
                job.answered.set_result(done.result())
            else:
                job.answered.set_exception(error)
        self._call_next()

    def _turn_away(self, number: int, retry_after_s: float) -> None:
        job = self._jobs.pop(number)
        if not job.answered.done():
            job.answered.set_exception(PasswordsBusyError(retry_after_s))

    def _timed(self, work: Callable[..., T], *arguments: str) -> T:
        began_at = time.perf_counter()
        try:
            return work(*arguments)
        finally:
            self._took_s = time.perf_counter() - began_at

    def _is_password(self, stored_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored_hash, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False


def _in_loop_of(job: _Job, call: Callable[..., object], *arguments: object) -> None:
    """Have a job's event loop do this; one that is closed has nobody left to tell."""
    with contextlib.suppress(RuntimeError):
        job.answered.get_loop().call_soon_threadsafe(call, *arguments)


def checked(password: str, email: str = "") -> str:
    """Bring a new password to the form that is hashed. Raises ValueError saying what is wrong, never quoting."""
    least, most = PASSWORD_LENGTH
    if not least <= len(password) <= most:
        msg = f"password: between {least} and {most} characters"
        raise ValueError(msg)
    normal = _normal(password)
    if normal is None:
        msg = "password: expected text in UTF-8"
        raise ValueError(msg)
    if _is_repeated(normal) or _is_address(normal, email):
        msg = "password: too easy to guess; a few unrelated words make a good one"
        raise ValueError(msg)
    return normal


def _normal(password: str) -> str | None:
    """One keyboard composes what another sends in parts (NIST SP 800-63B-4 section 3.1.1.2); None for no text."""
    # Bytes that are no text; the codec's own error would quote from the password.
    is_text = not any("\ud800" <= character <= "\udfff" for character in password)
    return unicodedata.normalize("NFKC", password) if is_text and len(password) <= PASSWORD_LENGTH[1] else None


def _is_repeated(password: str) -> bool:
    return any((password[:n] * len(password)).startswith(password) for n in range(1, _LONGEST_REPEATED + 1))


def _is_address(password: str, email: str) -> bool:
    """Whether all its letters are the address or its first part, again and again."""
    letters, address, local = map(_letters, (password, email, email.rpartition("@")[0]))
    return bool(local and letters) and not letters.replace(address, "").replace(local, "")


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text.casefold()))


def _hash_of_nothing(hasher: argon2.PasswordHasher) -> str:
    """A hash with the hasher's parameters that no password has: salt and digest are random."""
    salt, digest = (b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (hasher.salt_len, hasher.hash_len))
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"
