"""Running `tidegate gate` before servers: llama.cpp's own, and some that are up to no good."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.integration.running import MODEL, START_S, STOP_S, environment, free_port, until, whole_lines
from tests.integration.speaking import Answer, Call, exchange

_PROGRAM = (sys.executable, "-m", "tidegate")
_SERVER = Path(__file__).parents[2] / "bench" / "peers.py"
_URL = re.compile(r"^  (API|Operator) +(https?://[0-9.]+:[0-9]+)", re.MULTILINE)
CHAT = "/v1/chat/completions"


class Bare:
    """llama.cpp's own server on a TCP port, as the benches run it: to be killed, stopped and started again."""

    def __init__(self, models: Path) -> None:
        self.port = free_port()
        self._models = models
        self.process: psutil.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Bare:
        plan = {"slots": 2, "batch_tokens": 64, "context_tokens": 1024, "port": self.port}
        self.process = psutil.Popen(
            [sys.executable, str(_SERVER), json.dumps(plan)],
            stderr=subprocess.DEVNULL,
            env=environment(self._models),
            start_new_session=True,
        )
        until(self._answers, START_S, "the server answers")
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            return exchange(connection, "GET", "/health", None, {}).status == 200
        except OSError:
            return False

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(STOP_S)


@contextmanager
def answering(reply: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that treats each connection like this, by its address."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            reply(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever hangs up on it is right."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


class GateInstance:
    """One `tidegate gate`, from its start to its end."""

    def __init__(
        self,
        folder: Path,
        *upstreams: str,
        config: str = "",
        env: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.data = folder / "data"
        self.config = folder / "tidegate.toml"
        self.config.write_text(config)
        self._out, self._err = folder / "stdout", folder / "stderr"
        self._out.write_text("")
        command = [*_PROGRAM, "gate", "--config", str(self.config), "--data", str(self.data)]
        command += ["--port", "0", "--operator-port", "0", *arguments]
        for url in upstreams:
            command += ["--upstream", url]
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("TIDEGATE_")}
        with self._out.open("ab") as out, self._err.open("ab") as err:
            self.process = psutil.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**inherited, "COLUMNS": "200", **(env or {})},
                start_new_session=True,
            )
        self.public = self.operator = ""

    @property
    def output(self) -> str:
        return self._out.read_text() + self._err.read_text()

    def ready(self) -> GateInstance:
        """Wait until it says that it is open, and read its addresses from what it says."""

        def is_greeted() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output}"
            return "Stop with Ctrl-C" in self._out.read_text()

        until(is_greeted, START_S, "the greeting")
        self.public, self.operator = [url for _, url in _URL.findall(self._out.read_text())]
        return self

    def ask(self, path: str, body: object = None, *, key: str = "sk-ana", at: str = "") -> Answer:
        parts = urlsplit(at or self.public)
        assert parts.hostname
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        return exchange(connection, "GET" if data is None else "POST", path, data, headers)

    def chat(self, key: str = "sk-ana", **fields: Any) -> Answer:
        """One short answer in one piece, or a stream read to its end."""
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, **fields}
        return self.ask(CHAT, body, key=key)

    def meet(self, *keys: str, **fields: Any) -> None:
        """Have keys served once each, and wait until they are known: the gate looks in its store first."""
        assert [self.chat(key, **fields).status for key in keys] == [200] * len(keys)
        until(lambda: len(self.known()) >= len(keys), START_S, "the keys are known")

    def known(self) -> list[dict[str, Any]]:
        """Whom it knows by now."""
        listed = self.verb("callers", "list", "--json")
        assert listed.returncode == 0, listed.stderr
        return list(json.loads(listed.stdout))

    def call(self, **fields: Any) -> Call:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], **fields}
        return Call(self.public, CHAT, "sk-ana", body)

    def readiness(self) -> int:
        return self.ask("/readyz").status

    def events(self, tag: str) -> list[dict[str, Any]]:
        """What the log has of one kind so far."""
        return [event for event in whole_lines(self.data / "logs" / "events.jsonl") if event["event"] == tag]

    def verb(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another verb on the same data directory."""
        command = [*_PROGRAM, *arguments, "--config", str(self.config), "--data", str(self.data)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)

    def verb_alone(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a verb that needs no data directory."""
        return subprocess.run([*_PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return int(self.process.wait(timeout=STOP_S))

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=STOP_S)
