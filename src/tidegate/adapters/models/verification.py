"""Read a model's file from end to end and say whether it is the promised one."""

from __future__ import annotations

import hashlib
import os
import stat
from io import FileIO
from typing import TYPE_CHECKING

import msgspec

from tidegate.ports.models import ModelCorrupt, ModelUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from tidegate.ports.models import Progress

_CHUNK_BYTES = 1 << 20
_GGUF_MAGIC = b"GGUF"
"""The first four bytes; the engine parses the rest, a second parser here could only disagree."""


class FileDigest(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is: its length and its SHA-256."""

    size_bytes: int
    sha256: str


def digest_model(path: Path, progress: Progress, *, follows_links: bool) -> FileDigest:
    """Read a GGUF file whole.

    Raises ModelUnavailable when it is not there or cannot be read, ModelCorrupt
    when it does not begin as a GGUF file does. Without `follows_links` a
    symbolic link in the file's place is refused.
    """
    with _open_regular(path, follows_links=follows_links) as file:
        total_bytes = os.fstat(file.fileno()).st_size
        digest = hashlib.sha256()
        buffer = memoryview(bytearray(_CHUNK_BYTES))
        done_bytes = 0
        while length := file.readinto(buffer):
            if not done_bytes and bytes(buffer[:4]) != _GGUF_MAGIC:
                break
            digest.update(buffer[:length])
            done_bytes += length
            progress(done_bytes, total_bytes)
    if not done_bytes:
        msg = f"{path} is not a GGUF model: its first four bytes are not GGUF; convert it, or give another file."
        raise ModelCorrupt(msg)
    return FileDigest(size_bytes=done_bytes, sha256=digest.hexdigest())


def _open_regular(path: Path, *, follows_links: bool) -> FileIO:
    # O_NONBLOCK: a named pipe in the file's place must not hold up the start.
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follows_links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        msg = f"The model file {path} is missing."
        raise ModelUnavailable(msg) from None
    except OSError as fault:
        msg = f"The model file {path} cannot be opened: {fault.strerror}."
        raise ModelUnavailable(msg) from fault
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        msg = f"{path} is not a file; give the path of a .gguf file."
        raise ModelUnavailable(msg)
    return FileIO(descriptor)
