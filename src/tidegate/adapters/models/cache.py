"""The directory in which pulled models live, shared by every instance of this user.

For each model `ID.gguf` holds the weights and `ID.json` says what they are.
The manifest is written last, so a model without one is not there. While a pull
runs it holds a lock on `.ID.lock` and writes only below `.ID.part/`; whatever
an earlier pull left there when it was killed goes when the next one begins.
The lock's file goes with the model, or with the pull that brought none.

A local model has a manifest only: its file stays where its owner keeps it, and
is never touched from here.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tidegate.adapters.models.verification import digest_model
from tidegate.core.models.reference import is_model_id
from tidegate.ports.models import ModelCorrupt, ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.ports.models import Progress

_MANIFEST_LIMIT_BYTES = 65_536
_SPARE_BYTES = 64_000_000
"""Left free on the disk: a database next to the cache must still be able to write."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What was pulled. `file` is a name in the cache, or the absolute path of a local model."""

    id: str
    file: str
    size_bytes: int
    sha256: str
    source: str
    licence: str
    pulled_at_s: float

    @property
    def is_local(self) -> bool:
        """Whether the weights lie outside the cache."""
        return self.file == self.source


class ModelCache:
    """Manifests and files below one directory, which is made when it is first needed."""

    def __init__(self, directory: Path) -> None:
        """Use `directory`; nothing is read or written yet."""
        self._directory = directory

    def manifests(self) -> tuple[Manifest, ...]:
        """Every model that is here, by name. One whose manifest is damaged counts as absent."""
        try:
            names = sorted(path.name.removesuffix(".json") for path in self._directory.glob("*.json"))
        except OSError:
            return ()
        found = (self.manifest(name) for name in names)
        return tuple(manifest for manifest in found if manifest is not None)

    def manifest(self, model_id: str) -> Manifest | None:
        """Read one manifest. One that speaks of another model or of a file elsewhere counts as absent."""
        if not is_model_id(model_id):
            return None
        try:
            with (self._directory / f"{model_id}.json").open("rb") as file:
                manifest = msgspec.json.decode(file.read(_MANIFEST_LIMIT_BYTES), type=Manifest)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        is_own_file = manifest.file == f"{model_id}.gguf"
        is_local_file = manifest.is_local and Path(manifest.file).is_absolute()
        return manifest if manifest.id == model_id and (is_own_file or is_local_file) else None

    def path(self, manifest: Manifest) -> Path:
        """Where the weights are. Joining an absolute path gives that path, which is what a local model needs."""
        return self._directory / manifest.file

    def verify(self, manifest: Manifest, progress: Progress) -> Path:
        """Read the weights and compare. Raises ModelUnavailable when missing, ModelCorrupt when different."""
        path = self.path(manifest)
        fix = (
            f"if you changed it on purpose, run: tidegate models pull {manifest.source}"
            if manifest.is_local
            else f"fetch it again with: tidegate models pull {manifest.id}"
        )
        size_bytes = _size_of(path)
        if size_bytes is not None and size_bytes != manifest.size_bytes:
            msg = f"The model file {path} has {size_bytes:,} bytes instead of {manifest.size_bytes:,}; {fix}"
            raise ModelCorrupt(msg)
        actual = digest_model(path, progress, follows_links=manifest.is_local)
        if actual.sha256 != manifest.sha256:
            msg = f"The model file {path} has SHA-256 {actual.sha256} instead of {manifest.sha256}; {fix}"
            raise ModelCorrupt(msg)
        return path

    @contextmanager
    def pulling(self, model_id: str) -> Iterator[Path]:
        """Wait until no other process pulls this model, then lend an empty directory that vanishes afterwards."""
        scratch = self._directory / f".{_checked(model_id)}.part"
        with self._locked(model_id):
            _clear(scratch)
            scratch.mkdir()
            try:
                yield scratch
            finally:
                _clear(scratch)

    def require_room(self, size_bytes: int) -> None:
        """Raise ModelUnavailable when the disk cannot take this much."""
        free_bytes = shutil.disk_usage(self._directory).free
        if size_bytes + _SPARE_BYTES > free_bytes:
            msg = (
                f"The disk of {self._directory} has {free_bytes / 1e9:.2f} GB free and the pull needs "
                f"{(size_bytes + _SPARE_BYTES) / 1e9:.2f} GB; remove a model with `tidegate models remove`, "
                "or point TIDEGATE_MODELS at a larger disk."
            )
            raise ModelUnavailable(msg)

    def keep(self, manifest: Manifest, scratch: Path, weights: Path | None) -> None:
        """Give the finished files their names: the weights first, the manifest last."""
        text = scratch / "manifest"
        with text.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if weights is not None:
            weights.replace(self._directory / f"{_checked(manifest.id)}.gguf")
        text.replace(self._directory / f"{_checked(manifest.id)}.json")

    def remove(self, model_id: str) -> bool:
        """Take a model away; False when there was none. A local model's file stays."""
        if not is_model_id(model_id) or not self._directory.is_dir():
            return False
        with self._locked(model_id):
            was_here = False
            # The manifest goes first: a model cut in half must not look whole.
            for name in (f"{model_id}.json", f"{model_id}.gguf"):
                path = self._directory / name
                was_here |= os.path.lexists(path)
                path.unlink(missing_ok=True)
            _clear(self._directory / f".{model_id}.part")
        return was_here

    @contextmanager
    def _locked(self, model_id: str) -> Iterator[None]:
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f".{_checked(model_id)}.lock"
        descriptor = _lock(path)
        try:
            yield
        finally:
            if not (self._directory / f"{model_id}.json").exists():
                path.unlink(missing_ok=True)
            os.close(descriptor)


def _lock(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.lstat()):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        # Whoever held it took the file away: a newcomer would not see a lock on what has no name.
        os.close(descriptor)


def _checked(model_id: str) -> str:
    if not is_model_id(model_id):
        msg = f"{model_id!r} cannot name a model"
        raise ValueError(msg)
    return model_id


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _clear(directory: Path) -> None:
    if directory.is_symlink() or directory.is_file():
        directory.unlink()
    elif directory.exists():
        shutil.rmtree(directory)
