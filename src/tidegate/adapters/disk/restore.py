"""Putting a backup back in the place of a data directory.

It trusts nothing: a member that is not listed, not known, larger than listed or
different from its hash, a database that SQLite finds damaged or a secret that
cannot be used ends it before the data directory is touched.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import IO, Self

import msgspec

from tidegate.adapters.disk.datadir import OWNER_ONLY_DIRECTORY, OWNER_ONLY_FILE, DataDir, sync_directory
from tidegate.adapters.disk.manifest import (
    CALLERS,
    CHUNK_BYTES,
    DATABASES,
    MANIFEST,
    MANIFEST_LIMIT_BYTES,
    BackupError,
    Counter,
    Manifest,
    Member,
    Progress,
    parse_manifest,
)
from tidegate.adapters.disk.secrets import SecretsError, load_secrets


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was restored, and where the directory that it replaced is now kept, if there was one."""

    manifest: Manifest
    kept_aside: Path | None


def read_backup(path: Path, target: Path, *, force: bool = False, progress: Progress | None = None) -> Restored:
    """Make `target` the data directory that the backup at `path` was made of.

    The backup is unpacked and verified beside `target`, then takes its place.
    With `force`, a directory that holds something is kept as
    `<target>.before-restore-<n>`. The service must not be running on it.
    Raises BackupError (or DataDirLocked), and `target` is as it was.
    """
    target = target.absolute()
    try:
        with path.open("rb") as file:
            return _restore(file, target, progress, force=force)
    except (gzip.BadGzipFile, EOFError, tarfile.TarError, zlib.error) as error:
        msg = f"{path} was not restored: it is cut short, damaged or no Tidegate backup"
        raise BackupError(msg) from error
    except OSError as error:
        is_source = error.filename == str(path)
        what = "it cannot be read" if is_source else f"{target.parent} cannot be written"
        msg = f"{path} was not restored: {what} ({error.strerror})"
        raise BackupError(msg) from error


def _restore(file: IO[bytes], target: Path, progress: Progress | None, *, force: bool) -> Restored:
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{target.name}.restoring-", dir=target.parent))
    try:
        manifest = _unpack(file, staged, progress)
        _require_usable(DataDir.open(staged))
        return Restored(manifest=manifest, kept_aside=_take_place(staged, target, force=force))
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _require_usable(staged: DataDir) -> None:
    """Look into what was unpacked: a checksum only says that it is what somebody put into the backup."""
    for name in (*DATABASES, CALLERS):
        if (staged.path / name).exists() and not _is_sound(staged.path / name):
            msg = f"{name} in the backup is damaged: take another backup"
            raise BackupError(msg)
    try:
        load_secrets(staged)
    except SecretsError as error:
        # The sentence names a file; what a person knows it by is its place in the backup.
        msg = f"in the backup, {str(error).replace(f'{staged.path}/', '').partition(':')[0]}: take another backup"
        raise BackupError(msg) from error


def _is_sound(database: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)])
    except sqlite3.Error:
        return False


class _PlainHeader(tarfile.TarInfo):
    """A header that describes itself: other kinds bring more text with them, of any length, read before anyone asks."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header, or raise BackupError for one that is not a file's."""
        header = super().frombuf(buf, encoding, errors)
        if header.type not in {tarfile.REGTYPE, tarfile.AREGTYPE}:
            msg = f"the backup holds {header.name!r}, which its manifest does not describe so"
            raise BackupError(msg)
        return header


def _unpack(file: IO[bytes], staged: Path, progress: Progress | None) -> Manifest:
    with (
        gzip.GzipFile(fileobj=file, mode="rb") as packed,
        tarfile.open(fileobj=packed, mode="r|", tarinfo=_PlainHeader) as archive,
    ):
        manifest = _read_manifest(archive)
        missing = {member.name: member for member in manifest.members}
        counter = Counter(manifest, progress)
        while (header := archive.next()) is not None:
            member = missing.pop(header.name, None)
            if member is None or not header.isreg() or header.size != member.size_bytes:
                msg = f"the backup holds {header.name!r}, which its manifest does not describe so"
                raise BackupError(msg)
            _unpack_member(archive, header, member, staged / member.name, counter)
    if missing:
        msg = f"the backup is incomplete: {', '.join(sorted(missing))} missing"
        raise BackupError(msg)
    return manifest


def _read_manifest(archive: tarfile.TarFile) -> Manifest:
    header = archive.next()
    content = None if header is None or not header.isreg() else archive.extractfile(header)
    if header is None or content is None or header.name != MANIFEST or header.size > MANIFEST_LIMIT_BYTES:
        msg = "this is not a Tidegate backup: it does not begin with a manifest"
        raise BackupError(msg)
    return parse_manifest(content.read())


def _unpack_member(
    archive: tarfile.TarFile,
    header: tarfile.TarInfo,
    member: Member,
    place: Path,
    counter: Counter,
) -> None:
    source = archive.extractfile(header)
    assert source is not None, "a regular file has content"
    place.parent.mkdir(mode=OWNER_ONLY_DIRECTORY, exist_ok=True)
    digest = sha256()
    with place.open("xb") as out:
        os.fchmod(out.fileno(), OWNER_ONLY_FILE)
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
            counter.add(len(chunk))
        out.flush()
        os.fsync(out.fileno())
    sync_directory(place.parent)
    if digest.hexdigest() != member.sha256:
        msg = f"{member.name} in the backup is damaged: its checksum does not match"
        raise BackupError(msg)


def _take_place(staged: Path, target: Path, *, force: bool) -> Path | None:
    """Swap the directories, and tell where the old one is kept."""
    if not target.exists():
        staged.rename(target)
        sync_directory(target.parent)
        return None
    current = DataDir(target)
    if not target.is_dir():
        msg = f"{target} is a file: name a data directory with --data"
        raise BackupError(msg)
    with current.lock():
        was_empty = current.is_empty()
        if not was_empty and not force:
            msg = f"{target} is not empty: name another with --data, or use --force (what is there is kept beside it)"
            raise BackupError(msg)
        aside = _free_name(target)
        target.rename(aside)
        try:
            staged.rename(target)
        except OSError:
            aside.rename(target)
            raise
        sync_directory(target.parent)
    if was_empty:
        shutil.rmtree(aside)
        return None
    return aside


def _free_name(target: Path) -> Path:
    number = 1
    while (aside := target.with_name(f"{target.name}.before-restore-{number}")).exists():
        number += 1
    return aside
