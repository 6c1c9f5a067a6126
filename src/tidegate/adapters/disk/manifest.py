"""What a backup says about itself, in the file `manifest.json` that it begins with."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from tidegate.adapters.disk.secrets import SECRET_NAMES

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in total."""

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
MANIFEST_LIMIT_BYTES: Final = 1 << 20
CHUNK_BYTES: Final = 1 << 20
KNOWN_MEMBER: Final = re.compile(
    r"(?:tidegate\.db|user-keys\.db|callers\.db|secrets/[a-z0-9][a-z0-9-]{0,62})\Z", re.ASCII
)
"""Everything a backup may hold; all else is refused, in a manifest and in an archive."""
DATABASES: Final = ("tidegate.db", "user-keys.db")
CALLERS: Final = "callers.db"
"""Only a gate before another server has it: a backup of a service does not say that it was left out."""
_USUAL: Final = (*DATABASES, *(f"secrets/{name}" for name in SECRET_NAMES))
"""Everything a backup holds, but for the databases that its manifest says were left out."""


class BackupError(Exception):
    """A backup cannot be made or restored; the message says why. The data directory is as it was."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One file in a backup."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All files in a backup, and who made it when (Unix seconds); `left_out` names databases that are not in it."""

    format: int
    program_version: str
    made_at_s: float
    members: list[Member]
    left_out: list[str] = []

    @property
    def size_bytes(self) -> int:
        """What the members take together, unpacked."""
        return sum(member.size_bytes for member in self.members)


def parse_manifest(text: bytes) -> Manifest:
    """Read a manifest that anybody may have written. Raises BackupError."""
    try:
        found_format = msgspec.json.decode(text, type=dict[str, object]).get("format")
        if isinstance(found_format, int) and found_format > FORMAT:
            msg = f"the backup has format {found_format}, this Tidegate reads up to {FORMAT}: update Tidegate"
            raise BackupError(msg)
        if not isinstance(found_format, int) or found_format < 1:
            msg = f"the backup's manifest is damaged: no backup has format {found_format!r}"
            raise BackupError(msg)
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        msg = "the backup's manifest is damaged"
        raise BackupError(msg) from error
    unknown = [member.name for member in manifest.members if not KNOWN_MEMBER.match(member.name)]
    if unknown or len({member.name for member in manifest.members}) != len(manifest.members):
        msg = f"the backup's manifest lists what no backup has: {', '.join(unknown) or 'one name twice'}"
        raise BackupError(msg)
    require_usual(manifest)
    return manifest


def require_usual(manifest: Manifest) -> None:
    """Raise BackupError when something is missing that every backup holds, and that is not said to be left out."""
    excused = {name for name in manifest.left_out if name in DATABASES}
    missing = set(_USUAL) - excused - {member.name for member in manifest.members}
    if missing:
        msg = f"the backup is incomplete: {', '.join(sorted(missing))} missing"
        raise BackupError(msg)


class Counter:
    """Adds up bytes and tells whoever asked to know."""

    def __init__(self, manifest: Manifest, progress: Progress | None) -> None:
        """Count towards the manifest's size."""
        self._done_bytes = 0
        self._total_bytes = manifest.size_bytes
        self._progress = progress

    def add(self, size_bytes: int) -> None:
        """Note that so many more bytes are done."""
        self._done_bytes += size_bytes
        if self._progress is not None:
            self._progress(self._done_bytes, self._total_bytes)
