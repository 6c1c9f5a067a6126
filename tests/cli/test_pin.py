"""`tidegate models pin` asks the running service, and says so when there is none."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tidegate.adapters.disk import DataDir
from tidegate.cli.models import app


class _Control(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    status = 200
    told: Any = None


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, _Control)
        body = json.dumps(self.server.told if self.path == "/pin" else {}).encode()
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    datadir = DataDir.open(tmp_path / "d")
    datadir.database_path.touch()
    return datadir.path


@pytest.fixture
def service(data: Path) -> Iterator[_Control]:
    """Whatever listens on the control socket answers what a test has set."""
    with _Control(str(data / "run" / "control.sock"), _Answer) as control:
        thread = threading.Thread(target=control.serve_forever, args=(0.01,))
        thread.start()
        yield control
        control.shutdown()
        thread.join()


def pin(data: Path, *more: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["pin", "--data", str(data), *more])
    return result.exit_code, result.stdout, result.stderr


def test_what_was_pinned_is_said_and_printed_for_programs(data: Path, service: _Control) -> None:
    service.told = {"model": "tide-1", "pinned_at_s": 1_795_000_000.0}

    assert pin(data) == (0, "tide-1 is pinned as it answers now (2026-11-18 11:06 UTC).\n", "")
    code, out, _ = pin(data, "--json")
    assert (code, json.loads(out)) == (0, service.told)


def test_why_nothing_was_pinned_is_the_answer(data: Path, service: _Control) -> None:
    service.status, service.told = 409, {"error": {"message": "the engine is not ready: try again when it is"}}

    code, out, err = pin(data)
    assert (code, out) == (1, "")
    assert "not ready" in err


def test_without_a_service_nothing_is_pinned(data: Path) -> None:
    code, _, err = pin(data)

    assert code == 1
    assert "no service runs" in err
