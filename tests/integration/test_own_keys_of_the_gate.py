"""`tidegate gate` with the server's key: callers show keys of the gate's own, and the server sees only its own."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.running import START_S, STOP_S, environment, run_verb, until
from tests.integration.speaking import Answer, exchange

UPSTREAM_KEY = "sk-the-servers-own"
BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
}


class Upstream:
    """A server of models that knows one key, or asks for none, and remembers what it was shown."""

    def __init__(self, wanted: str | None) -> None:
        upstream = self
        self.wanted = wanted

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer({"object": "list", "data": [{"id": "m", "object": "model"}]})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self._answer(ANSWER)

            def _answer(self, body: dict[str, Any]) -> None:
                upstream.heads.append(str(self.headers))
                is_good = upstream.wanted in {None, (self.headers["authorization"] or "").removeprefix("Bearer ")}
                data = json.dumps(body if is_good else {"error": {"message": "who are you?"}}).encode()
                self.send_response(200 if is_good else 401)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server names it
                return

        self.heads: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def seen(self) -> str:
        return "".join(self.heads)

    @property
    def callers(self) -> list[str]:
        """The heads of what callers have asked; the gate asks for itself, too, whenever it wants to know how it is."""
        return [head for head in self.heads if "x-forwarded-for" in head.lower()]


@contextmanager
def an_upstream(wanted: str | None = UPSTREAM_KEY) -> Iterator[Upstream]:
    upstream = Upstream(wanted)
    upstream.thread.start()
    try:
        yield upstream
    finally:
        upstream.server.shutdown()
        upstream.thread.join()
        upstream.server.server_close()


class Gate:
    """One `tidegate gate`."""

    def __init__(
        self, folder: Path, url: str, config: str, *arguments: str, env: dict[str, str], trouble: str = ""
    ) -> None:
        self.data, self.models = folder / "data", folder / "models"
        self.out_path, self.err_path = folder / "out", folder / "err"
        (folder / "gate.toml").write_text(config)
        command: Sequence[str] = [sys.executable, "-m", "tidegate", "gate", "--upstream", url, *arguments]
        command = [*command, "--config", str(folder / "gate.toml"), "--data", str(self.data)]
        with self.out_path.open("wb") as out, self.err_path.open("wb") as err:
            self.process = subprocess.Popen(
                [*command, "--port", "0", "--operator-port", "0"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment(self.models, **env),
                start_new_session=True,
            )

        def is_open() -> bool:
            assert self.process.poll() is None, self.err_path.read_text()
            said = self.err_path.read_text() if trouble else self.out_path.read_text()
            return (trouble or "Stop with Ctrl-C") in said

        try:
            until(is_open, START_S, trouble or "the greeting")
        except BaseException:
            self.end()
            raise
        if trouble:
            return
        found = re.search(r"^  API +(http://[0-9.:]+)/v1", self.out_path.read_text(), re.MULTILINE)
        assert found
        self.url = found[1]

    def ask(self, path: str, body: object = None, **headers: str) -> Answer:
        parts = urlsplit(self.url)
        assert parts.hostname
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        data = None if body is None else json.dumps(body).encode()
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        return exchange(connection, "GET" if data is None else "POST", path, data, given)

    def chat(self, key: str) -> Answer:
        return self.ask("/v1/chat/completions", BODY, authorization=f"Bearer {key}", content_type="application/json")

    def verb(self, *arguments: str, stdin: str = "") -> dict[str, Any]:
        said = run_verb(*arguments, "--json", data=self.data, models=self.models, stdin=stdin)
        assert said.returncode == 0, said.stderr
        return dict(json.loads(said.stdout))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(STOP_S) == 0

    def end(self) -> None:
        self.process.kill()
        self.process.wait(STOP_S)


@contextmanager
def a_gate(folder: Path, url: str, *arguments: str, config: str = "", trouble: str = "", **env: str) -> Iterator[Gate]:
    gate = Gate(folder, url, config, *arguments, env=env, trouble=trouble)
    try:
        yield gate
    finally:
        gate.end()


WITH_KEY = ("--upstream-key-env", "UPSTREAM_KEY")


@pytest.mark.integration
def test_callers_show_our_keys_and_the_server_sees_its_own_and_no_other(tmp_path: Path) -> None:
    with (
        an_upstream() as upstream,
        a_gate(tmp_path, upstream.url, *WITH_KEY, UPSTREAM_KEY=UPSTREAM_KEY) as gate,
    ):
        assert "callers create" in gate.out_path.read_text()
        created = gate.verb("callers", "create", "--name", "tests")
        key = created["key"]
        upstream.heads.clear()

        answered = gate.chat(key)
        as_anthropics = gate.ask("/v1/messages", BODY, x_api_key=key, content_type="application/json")
        listed = gate.ask("/v1/models", authorization=f"Bearer {key}", cookie=f"k={key}", api_key=key)

        assert (answered.status, answered.json) == (200, ANSWER)
        assert [as_anthropics.status, listed.status] == [200, 200]
        assert [f"authorization: Bearer {UPSTREAM_KEY}" in head for head in upstream.callers] == [True] * 3
        assert key not in upstream.seen
        assert created["principal"] not in upstream.seen


@pytest.mark.integration
def test_it_is_no_open_relay(tmp_path: Path) -> None:
    """Whoever shows nothing, a key of somebody else's, the server's own, or a key that was ended, reaches nobody."""
    with (
        an_upstream() as upstream,
        a_gate(tmp_path, upstream.url, *WITH_KEY, UPSTREAM_KEY=UPSTREAM_KEY) as gate,
    ):
        created = gate.verb("callers", "create")
        key = created["key"]
        assert gate.chat(key).status == 200
        assert gate.verb("callers", "revoke", "--key-stdin", stdin=key) == {
            "principal": created["principal"],
            "keys": 1,
        }
        upstream.heads.clear()

        for shown in (key, UPSTREAM_KEY, "sk-anything", key[:-1] + "0"):
            refused = gate.chat(shown)
            assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
        assert gate.ask("/v1/chat/completions", BODY, content_type="application/json").status == 401
        assert gate.ask("/v1/models").status == 401
        assert gate.ask("/healthz").status == 200
        assert upstream.callers == []


@pytest.mark.integration
def test_keys_last_longer_than_the_gate_runs(tmp_path: Path) -> None:
    with an_upstream() as upstream:
        made = run_verb("callers", "create", "--json", data=tmp_path / "data", models=tmp_path / "models", stdin="")
        key = json.loads(made.stdout)["key"]
        for _ in range(2):
            with a_gate(tmp_path, upstream.url, *WITH_KEY, UPSTREAM_KEY=UPSTREAM_KEY) as gate:
                assert gate.chat(key).status == 200
                gate.stop()


@pytest.mark.integration
def test_before_a_server_without_a_key_our_keys_stay_here_too(tmp_path: Path) -> None:
    with (
        an_upstream(wanted=None) as upstream,
        a_gate(tmp_path, upstream.url, config='[passing]\nkeys = "own"\n') as gate,
    ):
        key = gate.verb("callers", "create")["key"]
        assert gate.chat(key).status == 200
        assert gate.chat("sk-anything").status == 401
        assert key not in upstream.seen
        assert "authorization" not in upstream.seen.lower()


@pytest.mark.integration
def test_a_server_that_does_not_take_the_gates_key_is_not_the_callers_fault(tmp_path: Path) -> None:
    with an_upstream() as upstream, a_gate(tmp_path, upstream.url, *WITH_KEY, UPSTREAM_KEY=UPSTREAM_KEY) as gate:
        key = gate.verb("callers", "create")["key"]
        assert gate.chat(key).status == 200
        upstream.wanted = "sk-another-one"
        for refused in [gate.chat(key) for _ in range(2)]:
            assert (refused.status, refused.error["code"]) in {(502, "engine_failed"), (503, "engine_unavailable")}
            assert "who are you" not in refused.body.decode()


@pytest.mark.integration
def test_a_wrong_key_for_the_server_is_said_at_the_start_and_not_found_out_by_callers(tmp_path: Path) -> None:
    with (
        an_upstream() as upstream,
        a_gate(
            tmp_path, upstream.url, *WITH_KEY, UPSTREAM_KEY="sk-a-wrong-one", trouble="refuses the gate's key"
        ) as gate,
    ):
        assert "The gate is open" not in gate.out_path.read_text()
