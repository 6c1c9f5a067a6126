"""The files of the built web chat, held in memory in every encoding that they were built in.

They are small and asked for in every crowd: no disk on the way, and a browser
that was here before asks for none of them.
"""

from __future__ import annotations

import mimetypes
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

DIST: Final = Path(__file__).parent / "dist"
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
_TYPES: Final = {".webmanifest": "application/manifest+json", ".js": "text/javascript", ".svg": "image/svg+xml"}


class NotBuiltError(Exception):
    """The web chat's files are missing. The message says how to get them."""


class Asset(msgspec.Struct, frozen=True):
    """One file. `bodies` holds it by content encoding; `identity` is always there. The tag is weak: one for all."""

    media_type: str
    etag: str
    bodies: dict[str, bytes]

    def best_for(self, accept_encoding: str) -> tuple[str, bytes]:
        """The smallest body that the caller takes, and its encoding (RFC 9110 section 12.5.3)."""
        accepted = _accepted(accept_encoding)
        for encoding, _ in _ENCODINGS:
            if encoding in accepted and encoding in self.bodies:
                return encoding, self.bodies[encoding]
        return "identity", self.bodies["identity"]


def load(dist: Path = DIST) -> dict[str, Asset]:
    """Read every file below `dist`, by its path there. Raises NotBuiltError."""
    if not (dist / "index.html").is_file():
        msg = (
            f"the web chat is not built ({dist / 'index.html'} is missing): install Tidegate from a wheel, or run "
            "`make run` in its source tree"
        )
        raise NotBuiltError(msg)
    suffixes = tuple(suffix for _, suffix in _ENCODINGS)
    return {
        path.relative_to(dist).as_posix(): _asset(path)
        for path in sorted(dist.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and not path.name.endswith(suffixes)
    }


def _asset(path: Path) -> Asset:
    plain = path.read_bytes()
    bodies = {"identity": plain}
    for encoding, suffix in _ENCODINGS:
        packed = path.with_name(path.name + suffix)
        if packed.is_file():
            bodies[encoding] = packed.read_bytes()
    guessed = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_text = guessed.startswith("text/")
    return Asset(
        media_type=f"{guessed}; charset=utf-8" if is_text else guessed,
        etag=f'W/"{sha256(plain).hexdigest()[:20]}"',
        bodies=bodies,
    )


def _accepted(header: str) -> set[str]:
    accepted = set()
    for item in header.lower().split(","):
        name, _, parameters = item.strip().partition(";")
        if parameters.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}:
            accepted.add(name.strip())
    return accepted
