"""The keys of this instance, made on first use and never again.

Each is a small JSON file with a checksum, because a key with a flipped bit
looks like any other key: it would quietly end every session or make every
conversation unreadable. A damaged or missing key is for a person to restore
from a backup; it is never replaced.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from tidegate.adapters.disk.datadir import OWNER_ONLY_DIRECTORY, OWNER_ONLY_FILE, DataDir, sync_directory
from tidegate.core.credentials import SERVER_KEY_BYTES, ServerKeys

KEY_BYTES: Final = 32
SECRET_NAMES: Final = ("fingerprint", "kek", "server-keys")
_FORMAT = 1
_CHECK_DIGITS = 16
_FIRST_SERVER_KEY = 1
_MAKING = ".making"
_Body = TypeVar("_Body")


class SecretsError(Exception):
    """A secret cannot be used. The message names the file and what to do, never the secret."""


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of one instance.

    `kek` wraps the users' data keys, `server_keys` sign credentials,
    `fingerprint_key` makes the fingerprints that stand for prompts in logs.
    """

    kek: bytes
    server_keys: ServerKeys
    fingerprint_key: bytes

    def __repr__(self) -> str:
        """Say nothing: a traceback or a log line must not carry keys."""
        return "Secrets(...)"


class _File(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    check: str
    secret: msgspec.Raw


def load_or_create_secrets(datadir: DataDir) -> Secrets:
    """Read this instance's keys, or make all of them for a new instance. Hold the directory's lock.

    Raises SecretsError for a file that is damaged, readable by others or from a
    newer program, and when one is missing beside others or beside a database:
    a new one in its place would end every session, or make what is kept
    unreadable.
    """
    folder = datadir.secrets_path
    try:
        _finish_making(folder)
        missing = [folder / name for name in SECRET_NAMES if not (folder / name).exists()]
        kept = (datadir.database_path, datadir.user_keys_path, datadir.callers_path)
        if len(missing) == len(SECRET_NAMES) and not any(path.exists() for path in kept):
            _make_all(folder)
        elif missing:
            msg = f"{missing[0]} is missing, and what is kept here depends on it: restore a backup"
            raise SecretsError(msg)
    except OSError as error:
        msg = f"{folder} cannot be used: {error.strerror or error}"
        raise SecretsError(msg) from error
    return load_secrets(datadir)


def load_secrets(datadir: DataDir) -> Secrets:
    """Read this instance's keys; raises SecretsError also for a missing one."""
    folder = datadir.secrets_path
    return Secrets(
        kek=_key(folder / "kek"),
        server_keys=_server_keys(folder / "server-keys"),
        fingerprint_key=_key(folder / "fingerprint"),
    )


def _make_all(folder: Path) -> None:
    # All of them aside first: a crash in between must not look like a lost secret at the next start.
    making = folder / _MAKING
    making.mkdir(mode=OWNER_ONLY_DIRECTORY)
    _create(making / "fingerprint", secrets.token_bytes(KEY_BYTES))
    _create(making / "kek", secrets.token_bytes(KEY_BYTES))
    first = {_FIRST_SERVER_KEY: secrets.token_bytes(SERVER_KEY_BYTES)}
    _create(making / "server-keys", ServerKeys(current=_FIRST_SERVER_KEY, keys=first))
    sync_directory(folder)
    _finish_making(folder)


def _finish_making(folder: Path) -> None:
    """Give complete new secrets their places, also those of a process that was killed over it; drop incomplete ones."""
    making = folder / _MAKING
    if not making.is_dir():
        return
    placed = [name for name in SECRET_NAMES if (folder / name).exists()]
    drafted = [name for name in SECRET_NAMES if (making / name).exists()]
    if sorted(placed + drafted) == sorted(SECRET_NAMES):
        for name in drafted:
            (making / name).rename(folder / name)
        sync_directory(folder)
    shutil.rmtree(making)


def _key(path: Path) -> bytes:
    key = _load(path, bytes)
    if len(key) != KEY_BYTES:
        raise _damaged(path, f"{KEY_BYTES} bytes expected")
    return key


def _server_keys(path: Path) -> ServerKeys:
    keys = _load(path, ServerKeys)
    if keys.current not in keys.keys or any(len(key) != SERVER_KEY_BYTES for key in keys.keys.values()):
        raise _damaged(path, f"a current key and {SERVER_KEY_BYTES} bytes for each expected")
    return keys


def _create(path: Path, secret: object) -> None:
    body = msgspec.json.encode(secret)
    content = msgspec.json.encode(_File(format=_FORMAT, check=_check(path.name, body), secret=msgspec.Raw(body)))
    # Under another name first, so that a crash leaves no half-written key under the real one.
    draft = path.with_name(f".{path.name}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY_FILE)
    with os.fdopen(handle, "wb") as file:
        file.write(content + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_directory(path.parent)


def _load(path: Path, kind: type[_Body]) -> _Body:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            msg = f"{path} can be read by other users: chmod 600 it, and consider its keys known to them"
            raise SecretsError(msg)
        found = msgspec.json.decode(path.read_bytes(), type=_File)
        if found.format > _FORMAT:
            msg = f"{path} was written by a newer Tidegate: update this one"
            raise SecretsError(msg)
        if found.format < 1 or found.check != _check(path.name, bytes(found.secret)):
            raise _damaged(path, "its checksum does not match")
        return msgspec.json.decode(found.secret, type=kind)
    except msgspec.DecodeError as error:
        raise _damaged(path, "it is not in the expected form") from error
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise SecretsError(msg) from error


def _check(name: str, body: bytes) -> str:
    # Of a 256-bit random key, 64 bits of a hash tell nobody anything.
    return sha256(name.encode() + b"\0" + body).hexdigest()[:_CHECK_DIGITS]


def _damaged(path: Path, why: str) -> SecretsError:
    return SecretsError(f"{path} is damaged ({why}): restore it from a backup; deleting it loses what it protects")
