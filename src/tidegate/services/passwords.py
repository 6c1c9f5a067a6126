"""Hashes and checks passwords: in one thread, with a short queue, at a known price.

Argon2 is meant to be slow, so whoever may ask for it without bound holds the
machine: 25 ms each, and the event loop stands still meanwhile when it runs
there. Here at most one runs, at most `max_waiting` wait, and the next is told
to come back at once. People who are signed in and programs with a key never
come this way.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

import argon2

T = TypeVar("T")

PASSWORD_LENGTH: Final = (15, 1024)
"""Least and most characters: NIST SP 800-63B-4 section 3.1.1.2 for a password that stands alone."""

# RFC 9106 profile trimmed to the OWASP minimum (19 MiB, t=2, p=1): a stronger one is a cheaper flood.
HASHER: Final = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_LONGEST_REPEATED = 4
_FIRST_GUESS_S = 0.03


class PasswordsBusyError(Exception):
    """The queue is full; there is room again in about `retry_after_s`."""

    def __init__(self, retry_after_s: float) -> None:
        """Carry the promise."""
        super().__init__(f"passwords are being checked for the next {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class PasswordLane:
    """The only place where passwords are hashed. `close` it in the end."""

    def __init__(self, *, max_waiting: int = 8, hasher: argon2.PasswordHasher = HASHER) -> None:
        """Nothing runs; the thread starts with the first password."""
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")
        self._most_jobs = 1 + max_waiting
        self._jobs: set[Future[Any]] = set()
        self._job_s = _FIRST_GUESS_S
        self._hasher = hasher
        self._nobodys = _hash_of_nothing(hasher)

    async def hash(self, password: str, email: str = "") -> str:
        """Hash a new password. Raises ValueError naming the field, or PasswordsBusyError."""
        self.require_room()  # Even looking at a password costs something.
        return await self._run(self._hasher.hash, checked(password, email))

    async def verify(self, stored_hash: str | None, password: str) -> bool:
        """Whether it is the password; for None it is not, after as long a time. Raises PasswordsBusyError."""
        self.require_room()
        normal = _normal(password)
        if stored_hash is None or normal is None:
            stored_hash, normal = self._nobodys, normal or ""
        return await self._run(self._is_password, stored_hash, normal)

    def require_room(self) -> None:
        """Raise PasswordsBusyError if the next password would be turned away: before anything dearer is asked."""
        if len(self._jobs) >= self._most_jobs:
            raise PasswordsBusyError(len(self._jobs) * self._job_s)

    def is_outdated(self, stored_hash: str) -> bool:
        """Whether it was made with other parameters than a hash would be today."""
        return self._hasher.check_needs_rehash(stored_hash)

    def close(self) -> None:
        """Let what runs end, and drop what waits."""
        self._executor.shutdown(cancel_futures=True)

    async def _run(self, work: Callable[..., T], *arguments: str) -> T:
        self.require_room()
        job = self._executor.submit(self._timed, work, *arguments)
        # The job itself frees its place, when it is done or dropped: a caller may be gone by then, and a running
        # hash cannot be stopped.
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return await asyncio.wrap_future(job)

    def _timed(self, work: Callable[..., T], *arguments: str) -> T:
        began_at = time.perf_counter()
        try:
            return work(*arguments)
        finally:
            self._job_s = time.perf_counter() - began_at

    def _is_password(self, stored_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored_hash, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False


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
