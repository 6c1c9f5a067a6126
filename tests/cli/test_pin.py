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
    asked: Any = None


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, _Control)
        self.server.asked = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or "null")
        self.do_GET()

    def do_GET(self) -> None:
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


def served(data: Path, *more: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["served", "--data", str(data), *more])
    return result.exit_code, result.stdout, result.stderr


AT_S, AT = 1_795_000_000.0, "2026-11-18 11:06 UTC"


def test_what_was_pinned_is_said_and_printed_for_programs(data: Path, service: _Control) -> None:
    service.told = {
        "pinned": [
            {"model": "tide-1", "replica": None, "pinned_at_s": AT_S},
            {"model": "tide-2", "replica": "10.0.0.5:8000", "pinned_at_s": AT_S},
        ],
        "not_pinned": [{"model": "tide-2", "replica": "10.0.0.6:8000", "why": "the engine is not ready"}],
    }

    code, out, _ = pin(data)
    assert (code, service.asked) == (0, None)
    assert out.splitlines() == [
        f"tide-1 is pinned as it answers now ({AT}).",
        f"tide-2 at 10.0.0.5:8000 is pinned as it answers now ({AT}).",
        "tide-2 at 10.0.0.6:8000 is not pinned: the engine is not ready.",
    ]
    code, out, _ = pin(data, "--json")
    assert (code, json.loads(out)) == (0, service.told)


def test_what_a_server_calls_its_model_is_no_command_to_a_terminal(data: Path, service: _Control) -> None:
    why = "the engine is not ready"
    service.told = {"pinned": [], "not_pinned": [{"model": "tide\x1b[2J", "replica": "10.0.0.6:8000", "why": why}]}

    assert pin(data)[1] == f"tide?[2J at 10.0.0.6:8000 is not pinned: {why}.\n"


def test_one_engine_alone_is_pinned(data: Path, service: _Control) -> None:
    service.told = {"pinned": [], "not_pinned": []}

    assert pin(data, "--engine", "10.0.0.5:8000")[0] == 0
    assert service.asked == {"engine": "10.0.0.5:8000"}


def test_what_is_served_is_said_in_words_and_printed_for_programs(data: Path, service: _Control) -> None:
    steps = [["If it is right:", "tidegate models pin"]]
    service.told = [
        {
            "report": {"model": "tide-1", "replica": None},
            "words": {"sentence": "Answers are as pinned:", "at_s": AT_S, "more": [], "steps": []},
        },
        {
            "report": {"model": "tide-2", "replica": "10.0.0.5:8000"},
            "words": {"sentence": "tide-2 at 10.0.0.5:8000: not.", "at_s": None, "more": ["Look."], "steps": steps},
        },
    ]
    code, out, _ = served(data)
    assert code == 0
    first, second, more, step = out.splitlines()
    assert (first, second) == (f"tide-1: Answers are as pinned: {AT}", "tide-2 at 10.0.0.5:8000: not.")
    assert (more, step.endswith("models pin")) == ("  Look.", True)
    code, out, _ = served(data, "--json")
    assert json.loads(out) == [one["report"] for one in service.told]


def test_why_nothing_was_pinned_is_the_answer(data: Path, service: _Control) -> None:
    service.status, service.told = 409, {"error": {"message": "the engine is not ready: try again when it is"}}

    code, out, err = pin(data)
    assert (code, out) == (1, "")
    assert "not ready" in err


def test_without_a_service_nothing_is_pinned_or_served(data: Path) -> None:
    for verb in (pin, served):
        code, _, err = verb(data)
        assert code == 1
        assert "no service runs" in err
