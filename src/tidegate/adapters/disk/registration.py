"""What is remembered of registration, in one file of the data directory.

Nothing in it is secret, and all of it can be learned anew: a file that cannot be read
counts as none. It is replaced whole, so that a crash leaves the one or the other.
What the loss of power takes is a minute of learning, so nobody waits for the disk.
"""

from __future__ import annotations

import os

import msgspec

from tidegate.adapters.disk.datadir import OWNER_ONLY_FILE, DataDir
from tidegate.core.registration.kept import Kept

_NAME = "tidegate.registration.json"
_FORMAT = 1
_LIMIT_BYTES = 4 << 20


class _File(msgspec.Struct):
    format: int
    kept: Kept


class RegistrationFile:
    """The file of one instance. `failures` counts the times that it could not be written."""

    def __init__(self, datadir: DataDir) -> None:
        """Nothing is read yet."""
        self._path = datadir.path / _NAME
        self.failures = 0

    def read(self) -> Kept:
        """What was kept last."""
        try:
            with self._path.open("rb") as file:
                found = msgspec.json.decode(file.read(_LIMIT_BYTES), type=_File)
        except (OSError, ValueError):
            return Kept()
        return found.kept if found.format == _FORMAT else Kept()

    def keep(self, kept: Kept) -> None:
        """Put it in the place of what was kept. A disk that fails changes nothing and stops nobody."""
        draft = self._path.with_name(f"{_NAME}.new")
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, OWNER_ONLY_FILE)
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(_File(_FORMAT, kept)) + b"\n")
            draft.replace(self._path)
        except OSError:
            # Decided: the mode in memory counts, and the next minute tries again.
            self.failures += 1
