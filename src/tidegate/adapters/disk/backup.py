"""A data directory as one file, made while the service runs.

The file is a .tar.gz: first `manifest.json`, which lists every member with its
size and SHA-256, then the members.

Whoever holds a backup can read everything in it: it carries the secrets. And
it carries the users' data keys, so destroying one reaches only as far as backups are kept;
with `include_user_keys=False` it reaches into the backup too, which then
restores accounts but no conversation that can be read. Records kept in
PostgreSQL are not in it: back those up with pg_dump.
"""

from __future__ import annotations

import gzip
import os
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import IO

import msgspec

import tidegate
from tidegate.adapters.disk.datadir import OWNER_ONLY_FILE, DataDir, sync_directory
from tidegate.adapters.disk.manifest import (
    CHUNK_BYTES,
    DATABASES,
    FORMAT,
    KNOWN_MEMBER,
    MANIFEST,
    BackupError,
    Counter,
    Manifest,
    Member,
    Progress,
    require_usual,
)

_BUSY_WAIT_S = 30.0


def write_backup(
    datadir: DataDir,
    out_path: Path,
    *,
    include_user_keys: bool = True,
    progress: Progress | None = None,
) -> Manifest:
    """Write everything worth keeping in `datadir` to `out_path` (mode 0600), and say what it is.

    Blocks; the service may run on. Needs room for two copies of the databases
    beside `out_path`. Raises BackupError, also when `out_path` exists.
    """
    try:
        if out_path.exists():
            msg = f"{out_path} exists already: name another file"
            raise BackupError(msg)
        with tempfile.TemporaryDirectory(prefix=".tidegate-backup-", dir=out_path.absolute().parent) as scratch:
            return _write(datadir, out_path, Path(scratch), progress, include_user_keys=include_user_keys)
    except FileExistsError as error:
        msg = f"{out_path} exists already: name another file"
        raise BackupError(msg) from error
    except OSError as error:
        msg = f"no backup was made, {out_path} cannot be written: {error.strerror}"
        if error.filename and str(error.filename).startswith(str(datadir.path)):
            msg = f"no backup was made, {error.filename} cannot be read: {error.strerror}"
        raise BackupError(msg) from error


def _write(
    datadir: DataDir,
    out_path: Path,
    scratch: Path,
    progress: Progress | None,
    *,
    include_user_keys: bool,
) -> Manifest:
    sources = dict(_sources(datadir, scratch, include_user_keys=include_user_keys))
    members = [_describe(name, source) for name, source in sources.items()]
    if not members:
        msg = f"{datadir.path} holds nothing to back up"
        raise BackupError(msg)
    manifest = Manifest(
        format=FORMAT,
        program_version=tidegate.__version__,
        made_at_s=time.time(),
        members=members,
        left_out=[name for name in DATABASES if name not in sources],
    )
    require_usual(manifest)
    draft = scratch / "draft.tar.gz"
    with draft.open("xb") as file:
        os.fchmod(file.fileno(), OWNER_ONLY_FILE)
        # Most of it is ciphertext, which does not compress: level 1 costs little and finds the rest.
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as packed:
            _pack(packed, manifest, sources, progress)
        file.flush()
        os.fsync(file.fileno())
    # A link, unlike a rename, never replaces what somebody else put there meanwhile.
    out_path.hardlink_to(draft)
    sync_directory(out_path.absolute().parent)
    return manifest


def _sources(datadir: DataDir, scratch: Path, *, include_user_keys: bool) -> Iterator[tuple[str, Path]]:
    # Records before keys: a user's key is made before anything is sealed with
    # it, so every sealed row in the copy finds its key in the copy.
    databases = [datadir.database_path, datadir.callers_path]
    if include_user_keys:
        databases.append(datadir.user_keys_path)
    for database in databases:
        if database.exists():
            copy = scratch / database.name
            _copy(database, copy)
            yield database.name, copy
    for secret in sorted(datadir.secrets_path.iterdir()):
        name = f"secrets/{secret.name}"
        if secret.is_file() and KNOWN_MEMBER.match(name):
            yield name, secret


def _copy(database: Path, copy: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute(f"PRAGMA busy_timeout={_BUSY_WAIT_S * 1000:.0f}")
            connection.execute("VACUUM INTO ?", (str(copy),))
    except sqlite3.Error as error:
        msg = f"no backup was made: {database} cannot be copied ({error})"
        raise BackupError(msg) from error


def _describe(name: str, source: Path) -> Member:
    digest = sha256()
    size_bytes = 0
    with source.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
    return Member(name=name, size_bytes=size_bytes, sha256=digest.hexdigest())


def _pack(
    packed: IO[bytes] | gzip.GzipFile,
    manifest: Manifest,
    sources: dict[str, Path],
    progress: Progress | None,
) -> None:
    counter = Counter(manifest, progress)
    # This format has room for every size in the header itself: restoring takes no other kind of header.
    with tarfile.open(fileobj=packed, mode="w|", bufsize=CHUNK_BYTES, format=tarfile.GNU_FORMAT) as archive:
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        with tempfile.TemporaryFile() as file:
            file.write(text)
            file.seek(0)
            archive.addfile(_tar_header(MANIFEST, len(text), manifest), file)
        for member in manifest.members:
            with sources[member.name].open("rb") as file:
                archive.addfile(_tar_header(member.name, member.size_bytes, manifest), _Reading(file, counter))


def _tar_header(name: str, size_bytes: int, manifest: Manifest) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size = size_bytes
    header.mode = OWNER_ONLY_FILE
    header.mtime = int(manifest.made_at_s)
    return header


class _Reading:
    """A file that counts what is read from it."""

    def __init__(self, file: IO[bytes], counter: Counter) -> None:
        self._file = file
        self._counter = counter

    def read(self, size_bytes: int = -1) -> bytes:
        chunk = self._file.read(size_bytes)
        self._counter.add(len(chunk))
        return chunk
