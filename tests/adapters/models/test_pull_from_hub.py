"""The hub's own digest decides what is kept, and a hub that is away says so quickly."""

from __future__ import annotations

import hashlib
import socket
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.adapters.models.servers import COMMIT, HUB_REFERENCE, WEIGHTS, Answer, Server, serve_hub_file
from tidegate.adapters.models import ModelLibrary
from tidegate.ports.models import ModelCorrupt, ModelUnavailable


@pytest.fixture
def library(server: Server, cache_dir: Path) -> ModelLibrary:
    return ModelLibrary(cache_dir, hub_endpoint=server.url, hub_token="hf_secret", hub_timeout_s=5.0)


def test_a_file_comes_from_the_commit_that_was_asked_about_with_the_token(
    server: Server, library: ModelLibrary
) -> None:
    serve_hub_file(server, WEIGHTS)
    heard: list[tuple[int, int | None]] = []

    manifest = library.ensure(HUB_REFERENCE, lambda done, total: heard.append((done, total)))

    assert library.path(manifest).read_bytes() == WEIGHTS
    assert heard[-1] == (len(WEIGHTS), len(WEIGHTS))
    method, asked, headers = server.requests[-1]
    assert (method, asked) == ("GET", f"/acme/tiny-GGUF/resolve/{COMMIT}/tiny.gguf")
    assert headers["authorization"] == "Bearer hf_secret"


def test_without_a_token_none_is_sent(server: Server, cache_dir: Path) -> None:
    serve_hub_file(server, WEIGHTS)
    ModelLibrary(cache_dir, hub_endpoint=server.url).pull(HUB_REFERENCE)
    assert all("authorization" not in headers for _method, _path, headers in server.requests)


def test_the_token_does_not_follow_a_redirect_to_another_host(server: Server, library: ModelLibrary) -> None:
    serve_hub_file(server, WEIGHTS)
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    for revision in ("main", COMMIT):
        answer = server.answers[f"/acme/tiny-GGUF/resolve/{revision}/tiny.gguf"]
        answer.status, answer.body = 302, b""
        answer.headers = {**answer.headers, "Location": f"{elsewhere}/bytes/tiny.gguf"}
    server.answers["/bytes/tiny.gguf"] = Answer(body=WEIGHTS)

    library.pull(HUB_REFERENCE)

    (headers,) = [headers for _method, path, headers in server.requests if path == "/bytes/tiny.gguf"]
    assert "authorization" not in headers


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_broken_download_ends_as_the_whole_file(server: Server, library: ModelLibrary, knows_ranges: bool) -> None:
    serve_hub_file(server, WEIGHTS)
    server.cuts, server.knows_ranges = [5000], knows_ranges
    assert library.path(library.pull(HUB_REFERENCE)).read_bytes() == WEIGHTS
    (_first, again) = [headers.get("range") for method, _path, headers in server.requests if method == "GET"]
    assert again == "bytes=5000-"


def test_bytes_that_are_not_the_promised_ones_are_not_kept(
    server: Server, library: ModelLibrary, cache_dir: Path
) -> None:
    serve_hub_file(server, WEIGHTS, etag="a" * 64)
    with pytest.raises(ModelCorrupt, match="instead of aaaa"):
        library.pull(HUB_REFERENCE)
    assert not list(cache_dir.glob("*.gguf"))


def test_a_disk_that_gives_back_other_bytes_than_it_took_is_noticed(
    server: Server, library: ModelLibrary, cache_dir: Path
) -> None:
    serve_hub_file(server, WEIGHTS)

    def spoil(done_bytes: int, _total_bytes: int | None, /) -> None:
        if done_bytes == len(WEIGHTS):
            (weights,) = cache_dir.glob(".*.part/weights")
            with weights.open("r+b") as file:
                file.seek(100)
                file.write(b"!")

    with pytest.raises(ModelCorrupt, match="reads back differently; check the disk"):
        library.pull(HUB_REFERENCE, spoil)


def test_a_disk_without_room_for_the_file_is_noticed_before_the_download(
    server: Server, library: ModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_hub_file(server, WEIGHTS)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=64_000_000))
    with pytest.raises(ModelUnavailable, match=r"0\.06 GB free"):
        library.pull(HUB_REFERENCE)
    assert server.downloads(".gguf") == 0


def test_more_bytes_than_promised_are_not_taken(server: Server, library: ModelLibrary) -> None:
    serve_hub_file(server, WEIGHTS, size_bytes=1000)
    with pytest.raises(ModelCorrupt, match="More than the promised 1,000 bytes"):
        library.pull(HUB_REFERENCE)


def test_a_file_for_which_the_hub_gives_no_sha256_is_refused(server: Server, library: ModelLibrary) -> None:
    serve_hub_file(server, WEIGHTS, etag=hashlib.sha1(WEIGHTS, usedforsecurity=False).hexdigest())
    with pytest.raises(ModelUnavailable, match="gives no SHA-256"):
        library.pull(HUB_REFERENCE)
    assert server.downloads(".gguf") == 0


@pytest.mark.parametrize(
    ("status", "code", "complaint"),
    [
        (404, "EntryNotFound", "has no file tiny.gguf"),
        (404, "RevisionNotFound", "has no revision main"),
        (401, "RepoNotFound", "knows no repository acme/tiny-GGUF"),
        (403, "GatedRepo", "only on conditions"),
        (500, "", "answered 500"),
    ],
)
def test_each_refusal_of_the_hub_becomes_a_sentence_with_the_way_on(
    server: Server, library: ModelLibrary, status: int, code: str, complaint: str
) -> None:
    headers = {"X-Error-Code": code} if code else {}
    server.answers["/acme/tiny-GGUF/resolve/main/tiny.gguf"] = Answer(status=status, headers=headers)
    with pytest.raises(ModelUnavailable, match=complaint):
        library.pull(HUB_REFERENCE)


def test_a_hub_that_nobody_answers_for_is_out_of_reach(cache_dir: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"The Hugging Face hub cannot be reached at http://127\.0\.0\.1:9 "):
        ModelLibrary(cache_dir, hub_endpoint="http://127.0.0.1:9").ensure("qwen3-4b")
    assert not list(cache_dir.glob("*.part"))


def test_a_hub_that_stays_silent_is_out_of_reach_within_the_timeout(cache_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        before = time.monotonic()
        with pytest.raises(ModelUnavailable, match="cannot be reached"):
            ModelLibrary(cache_dir, hub_endpoint=address, hub_timeout_s=0.3).ensure("qwen3-4b")
        assert time.monotonic() - before < 5


def test_a_host_switched_to_offline_is_told_so(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        ModelLibrary(cache_dir, hub_endpoint="http://127.0.0.1:9").ensure("qwen3-4b")
