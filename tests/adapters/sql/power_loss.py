"""A disk whose power can be cut: SQLite on it keeps what it synced, and may lose everything else.

What a file holds is one thing for whoever reads it and another for the platter:

    written    readers see it; it waits in `pending`
    synced     it is on the platter

and a name is too: a file that was made or removed is found or missing at once,
but on the platter only when its directory was synced. SQLite asks for that as
its own Unix VFS does it: with the first sync of a new journal or log, and with
a removal that says so.

A cut drops all that is pending, or a part of it drawn by chance: each written
512-byte sector, each change of a length and each change of a name survives or
not, whatever was written before or after it. Two writes to one sector stay in
their order, as they do in a page cache. A sector is never mixed from old and
new, and bytes beside a write are not harmed; SQLite takes both for granted
(its "powersafe overwrite").

The real files serve for locks and for the log's shared memory alone, which live
in memory and end with the power. Their contents are here.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTOR_BYTES = 512
_NEW_ARE_SYNCED_WITH_THEIR_DIRECTORY = (
    apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL
)


@dataclass(frozen=True)
class Written:
    """Bytes within one sector."""

    offset: int
    content: bytes

    def change(self, to: bytearray) -> None:
        missing = self.offset - len(to)
        if missing > 0:
            to.extend(bytes(missing))  # what was never written reads as zeros
        to[self.offset : self.offset + len(self.content)] = self.content


@dataclass(frozen=True)
class Cut:
    """A file made shorter or longer."""

    size_bytes: int

    def change(self, to: bytearray) -> None:
        del to[self.size_bytes :]
        to.extend(bytes(self.size_bytes - len(to)))


@dataclass
class Content:
    """What a file holds, whatever it is called."""

    seen: bytearray = field(default_factory=bytearray)
    synced: bytearray = field(default_factory=bytearray)
    pending: list[Written | Cut] = field(default_factory=list)

    def add(self, change: Written | Cut) -> None:
        change.change(self.seen)
        self.pending.append(change)

    def write(self, content: bytes, offset: int) -> None:
        while content:
            room = SECTOR_BYTES - offset % SECTOR_BYTES
            self.add(Written(offset, content[:room]))
            content, offset = content[room:], offset + room

    def sync(self) -> None:
        for change in self.pending:
            change.change(self.synced)
        self.pending.clear()


class PowerIsOffError(apsw.IOError):
    """Whatever is asked of the disk after the cut."""


class Disk:
    """The files of one folder. `cut_after` sets the moment; what survived is written out by `survivors`.

    The moment is counted in calls that change something: a cut before a call
    that only reads is the same as one before the next that changes.
    """

    def __init__(self, folder: Path, chance: random.Random, kept_of_pending: float) -> None:
        """`kept_of_pending` is the share of unsynced changes that survive a cut; 0 is none."""
        self.folder, self.chance, self.kept_of_pending = folder, chance, kept_of_pending
        self.lock = threading.RLock()
        self.is_off = False
        self.changes = 0
        self._last_change: int | None = None
        self.names: dict[str, Content] = {}
        for path in (found for found in folder.iterdir() if found.is_file()):
            stored = path.read_bytes()
            self.names[str(path)] = Content(bytearray(stored), bytearray(stored))
        self._synced_names = dict(self.names)
        self._pending_names: list[tuple[str, Content | None]] = []

    def cut_after(self, changes: int) -> None:
        """Let so many more changes happen."""
        self._last_change = self.changes + changes

    def check_power(self) -> None:
        if self.is_off:
            msg = "the power is off"
            raise PowerIsOffError(msg)

    def count_change(self) -> None:
        """To be called before each change. Raises PowerIsOffError when there will be none any more."""
        self.is_off = self.is_off or (self._last_change is not None and self.changes >= self._last_change)
        self.check_power()
        self.changes += 1

    def link(self, name: str) -> Content:
        """The file of that name, made when there is none."""
        if name not in self.names:
            self.names[name] = Content()
            self._pending_names.append((name, self.names[name]))
        return self.names[name]

    def unlink(self, name: str) -> None:
        del self.names[name]
        self._pending_names.append((name, None))

    def sync_directory(self) -> None:
        self._synced_names = dict(self.names)
        self._pending_names.clear()

    def survivors(self, folder: Path) -> None:
        """Cut the power, unless it is off already, and write what is on the platter into `folder`."""
        with self.lock:
            self.is_off = True
            found: dict[str, Content | None] = {**self._synced_names, **dict(self._kept(self._pending_names))}
            for name, content in found.items():
                if content is None or name.endswith("-shm"):
                    continue  # shared memory ended with the power: SQLite makes it anew
                platter = bytearray(content.synced)
                for change in self._kept(content.pending):
                    change.change(platter)
                (folder / Path(name).name).write_bytes(platter)

    def _kept(self, pending: Collection[Any]) -> list[Any]:
        return [change for change in pending if self.chance.random() < self.kept_of_pending]


class _Contents:
    """The calls that are about what a file holds."""

    disk: Disk
    content: Content
    is_directory_to_sync: bool

    def xRead(self, amount: int, offset: int) -> bytes:
        with self.disk.lock:
            self.disk.check_power()
            return bytes(self.content.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        with self.disk.lock:
            self.disk.count_change()
            self.content.write(bytes(data), offset)

    def xTruncate(self, newsize: int) -> None:
        with self.disk.lock:
            self.disk.count_change()
            self.content.add(Cut(newsize))

    def xSync(self, flags: int) -> None:
        with self.disk.lock:
            self.disk.count_change()
            self.content.sync()
            if self.is_directory_to_sync:
                self.disk.sync_directory()
                self.is_directory_to_sync = False

    def xFileSize(self) -> int:
        with self.disk.lock:
            self.disk.check_power()
            return len(self.content.seen)


class _JournalFile(_Contents):
    """A rollback journal or a log. Nobody locks it."""

    def __init__(self, disk: Disk, content: Content) -> None:
        self.disk, self.content, self.is_directory_to_sync = disk, content, True

    def xClose(self) -> None:
        """Nothing is held."""

    def xFileControl(self, op: int, ptr: int) -> bool:
        return False

    def xDeviceCharacteristics(self) -> int:
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE

    def xSectorSize(self) -> int:
        return SECTOR_BYTES


class _DatabaseFile(_Contents, apsw.VFSFile):
    """A database: SQLite's own VFS locks it and shares the memory of its log."""

    def __init__(self, disk: Disk, name: Any, flags: list[int], content: Content) -> None:
        apsw.VFSFile.__init__(self, "", name, flags)
        self.disk, self.content, self.is_directory_to_sync = disk, content, False


class PowerLossVFS(apsw.VFS):
    """SQLite's way to a Disk, under a name of its own for `apsw.Connection(..., vfs=name)`."""

    def __init__(self, name: str, disk: Disk) -> None:
        self.name, self.disk = name, disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or Path(path).parent != self.disk.folder:
            return apsw.VFSFile("", name, flags)  # a temporary file ends with the power anyway
        with self.disk.lock:
            self.disk.count_change()
            flags[1] = flags[0]
            content = self.disk.link(path)
            if flags[0] & _NEW_ARE_SYNCED_WITH_THEIR_DIRECTORY:
                return _JournalFile(self.disk, content)
            return _DatabaseFile(self.disk, name, flags, content)

    def xAccess(self, pathname: str, flags: int) -> bool:
        with self.disk.lock:
            self.disk.check_power()
            return pathname in self.disk.names

    def xDelete(self, filename: str, syncdir: bool) -> None:
        with self.disk.lock:
            self.disk.count_change()
            if filename not in self.disk.names:
                raise apsw.IOError(filename)
            self.disk.unlink(filename)
            if syncdir:
                self.disk.sync_directory()
