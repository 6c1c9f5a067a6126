"""The one directory that holds everything an instance keeps.

    tidegate.lock   held while a process uses the directory
    tidegate.db     records (unless they are in PostgreSQL)
    tidegate.pins.json   how models answered when they were known to be right
    tidegate.registration.json   the mode of registration, and what it goes by
    tidegate.tickets     which tickets of the waiting room were used
    user-keys.db    the users' wrapped data keys, apart so that destroying one is final
    callers.db      what a gate before another server knows of its callers
    inhabited       which addresses were a known person's lately, named by nobody
    secrets/        the keys of this instance
    run/            sockets and process ids, worthless after a stop
    mail/           letters that were kept instead of delivered, in development
    logs/           what this instance wrote about itself

All of it is for its owner only (0700).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

OWNER_ONLY_DIRECTORY = 0o700
OWNER_ONLY_FILE = 0o600
_LOCK = "tidegate.lock"
_FOLDERS = ("secrets", "run", "logs")
_HARMLESS = frozenset({*_FOLDERS, "mail", "user-keys.db", "callers.db", "lost+found"})


class DataDirError(Exception):
    """The path cannot serve as a data directory; the message says why and what to do."""


class DataDirLocked(DataDirError):  # noqa: N818 - reads as what it is: the directory is locked
    """Another process uses the directory. `holder_pid` is None when it has not said who it is."""

    def __init__(self, path: Path, holder_pid: int | None) -> None:
        """Name the directory and who holds it."""
        who = "another process" if holder_pid is None else f"process {holder_pid}"
        super().__init__(f"{path} is in use by {who}: stop it first, or give another --data directory")
        self.holder_pid = holder_pid


class DataDir(msgspec.Struct, frozen=True):
    """Where things are below `path`."""

    path: Path

    @classmethod
    def open(cls, path: Path) -> DataDir:
        """Make the directory and its folders where missing, and take them from everybody else's eyes.

        Raises DataDirError when `path` is a file, cannot be made or written, or
        is a directory of something else.
        """
        # Closing /tmp or a home directory to all others, for a typing error, would do more harm than good.
        if not _may_be_ours(path):
            msg = f"{path} holds other things than Tidegate's: name a new or an empty directory"
            raise DataDirError(msg)
        for folder in (path, *(path / name for name in _FOLDERS)):
            _make_private(folder)
        if not os.access(path, os.W_OK | os.X_OK):
            msg = f"{path} is not writable: give it to this user (chown), or give another --data directory"
            raise DataDirError(msg)
        return cls(path)

    @property
    def database_path(self) -> Path:
        """The records."""
        return self.path / "tidegate.db"

    @property
    def user_keys_path(self) -> Path:
        """The users' wrapped data keys."""
        return self.path / "user-keys.db"

    @property
    def callers_path(self) -> Path:
        """What a gate knows of its callers."""
        return self.path / "callers.db"

    @property
    def inhabited_path(self) -> Path:
        """From where known people came lately."""
        return self.path / "inhabited"

    @property
    def secrets_path(self) -> Path:
        """The folder of this instance's keys."""
        return self.path / "secrets"

    @property
    def run_path(self) -> Path:
        """The folder of sockets and process ids."""
        return self.path / "run"

    @property
    def mail_path(self) -> Path:
        """The mailbox for development."""
        return self.path / "mail"

    @property
    def logs_path(self) -> Path:
        """The folder of logs."""
        return self.path / "logs"

    @property
    def database_url(self) -> str:
        """The records, as a database URL."""
        return f"sqlite:///{self.database_path.absolute()}"

    @property
    def user_keys_url(self) -> str:
        """The users' wrapped data keys, as a database URL."""
        return f"sqlite:///{self.user_keys_path.absolute()}"

    @property
    def callers_url(self) -> str:
        """What a gate knows of its callers, as a database URL."""
        return f"sqlite:///{self.callers_path.absolute()}"

    def is_empty(self) -> bool:
        """Whether nothing was ever kept here: no file but the lock, however many folders."""
        return not any(found.name != _LOCK for found in self.path.rglob("*") if not found.is_dir())

    def holds_data(self) -> bool:
        """Whether an instance was ever made here. Makes nothing; raises DataDirError when it may not look."""
        try:
            kept = (self.database_path, self.user_keys_path, self.callers_path, *self.secrets_path.glob("*"))
            return any(path.exists() for path in kept)
        except OSError as error:
            raise _unusable(self.path, error) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for this process. Raises DataDirLocked, or DataDirError when it may not.

        The kernel lets go when the process ends, however it ends, so a lock
        never goes stale. A forked child would inherit it; a started program
        does not.
        """
        try:
            handle = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY_FILE)
        except OSError as error:
            raise _unusable(self.path, error) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataDirLocked(self.path, _holder(handle)) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
            # The file stays: deleting it would let two processes lock two files of one name.
            yield
        finally:
            os.close(handle)


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive the loss of power."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _may_be_ours(path: Path) -> bool:
    try:
        names = {entry.name for entry in path.iterdir()}
    except OSError:
        return True  # the caller finds out what is wrong with it
    return names <= _HARMLESS or any(name.startswith("tidegate.") for name in names)


def _make_private(folder: Path) -> None:
    try:
        is_new = not folder.exists()
        folder.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
        folder.chmod(OWNER_ONLY_DIRECTORY)
        if is_new:
            # What is kept in it is worth nothing if the folder's own name is lost with the power.
            sync_directory(folder.parent)
    except FileExistsError:
        msg = f"{folder} is a file: a data directory is needed"
        raise DataDirError(msg) from None
    except NotADirectoryError:
        msg = f"{folder} lies below a file: a data directory is needed"
        raise DataDirError(msg) from None
    except OSError as error:
        raise _unusable(folder, error) from error


def _unusable(folder: Path, error: OSError) -> DataDirError:
    return DataDirError(
        f"{folder} cannot be used as a data directory ({error.strerror}): "
        "give it to this user (chown), or give another --data directory"
    )


def _holder(handle: int) -> int | None:
    text = os.pread(handle, 32, 0).strip()
    return int(text) if text.isdigit() else None
