"""Running the real program: start it, find its ports, ask it, look into its engine, stop it.

Nothing of Tidegate is imported here: what these tests speak to is the installed
program, through its ports, its sockets and its command line.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.integration.speaking import Answer, Call, UnixConnection, exchange

MODEL = "smollm2-135m-instruct"
EMAIL = "ada@example.org"
START_S = 60.0
STOP_S = 30.0

_PROGRAM = (sys.executable, "-m", "tidegate")
_URL = re.compile(r"^  (API|Status|Operator) +(https?://[0-9.]+:[0-9]+)", re.MULTILINE)
A_TOWN_BEHIND_ONE_ADDRESS = """
[gate]
address_rate = 10000
address_burst = 100000
network_rate = 10000
network_burst = 100000
strangers_rate = 10000
strangers_burst = 100000
account_address_rate = 10000
account_address_burst = 100000
"""
"""Settings for tests in which a crowd of people signs up and in, all of it from this machine."""

END_OF_TURN = {"2": -100, "0": -100}
"""A logit bias that keeps the model talking until `max_tokens`."""

_chance = random.SystemRandom()


def until(is_so: Callable[[], object], within_s: float, what: str) -> float:
    """Wait for it, and answer the seconds that it took; fails when it does not come."""
    began = time.monotonic()
    while not is_so():
        waited_s = time.monotonic() - began
        assert waited_s < within_s, f"not within {within_s} s: {what}"
        time.sleep(0.005)
    return time.monotonic() - began


def free_port() -> int:
    """A port that is still free when its service listens: none of those that the kernel gives to whoever connects."""
    first_given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    own = range(10_000, first_given if first_given > 20_000 else 60_000)
    while True:
        port = _chance.choice(own)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def environment(models: Path, **more: str) -> dict[str, str]:
    """This process's environment without settings of its own, and with the shared model cache."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("TIDEGATE_")}
    return {**inherited, "TIDEGATE_MODELS": str(models), "COLUMNS": "200", **more}


def run_verb(
    *arguments: str | Path,
    models: Path,
    stdin: str = "",
    data: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `tidegate ARGUMENTS` to its end."""
    command = [*_PROGRAM, *map(str, arguments), *(("--data", str(data)) if data else ())]
    return subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=env or environment(models),
    )


CALM = {"TIDEGATE_REGISTRATION_CALM_PER_MIN": "100000", "TIDEGATE_REGISTRATION_CALM_AT_ONCE": "100000"}
"""Tests make accounts faster than people do; those that are about that say so in their settings."""


class Instance:
    """One `tidegate serve`, from its start to its end."""

    def __init__(
        self,
        folder: Path,
        models: Path,
        *,
        data: Path | None = None,
        config: str = "",
        ports: Sequence[int] = (0, 0, 0),
        key: str = "",
        env: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        enter: Sequence[str] = (),
    ) -> None:
        """Starts it, by way of `enter`; `ready` waits. With port 0 the addresses are known once it is ready."""
        self.folder, self.models, self.key = folder, models, key
        self.data = data or folder / "data"
        self.out_path, self.err_path = folder / "stdout", folder / "stderr"
        config_path = folder / "tidegate.toml"
        config_path.write_text(config)
        self._urls = [f"http://127.0.0.1:{port}" for port in ports]
        self._calls: list[Call] = []
        public, status, operator = map(str, ports)
        command = [*enter, *_PROGRAM, "serve", "--config", str(config_path), "--data", str(self.data)]
        command += ["--port", public, "--status-port", status, "--operator-port", operator, *arguments]
        with self.out_path.open("ab") as out, self.err_path.open("ab") as err:
            # A session of its own: a Ctrl-C for it is none for the test run.
            self.process = psutil.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**({} if "[registration]" in config else CALM), **(env or environment(models))},
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.out_path.read_text() + self.err_path.read_text()

    @property
    def public(self) -> str:
        return self._urls[0]

    @property
    def status(self) -> str:
        return self._urls[1]

    @property
    def operator(self) -> str:
        return self._urls[2]

    def ready(self, within_s: float = START_S) -> Instance:
        """Wait until it says that it is ready, and read its addresses from what it says."""

        def is_greeted() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output}"
            return "Stop with Ctrl-C" in self.out_path.read_text()

        until(is_greeted, within_s, "the greeting")
        self._urls = [url for _, url in _URL.findall(self.out_path.read_text())]
        assert len(self._urls) == 3
        return self

    def warm(self) -> Instance:
        """Let one answer tell how fast the engine is: a wait that is long by first guesses is refused."""
        told = self.ask("/v1/completions", {"model": MODEL, "prompt": "1, 2,", "max_tokens": 40})
        assert told.status == 200, told
        return self

    def ask(
        self,
        path: str,
        body: object = None,
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
        at: str | None = None,
        key: str | None = None,
    ) -> Answer:
        """Ask the public port (or `at`) with the key; a body that is not bytes is sent as JSON."""
        parts = urlsplit(at or self.public)
        assert parts.hostname
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = {"authorization": f"Bearer {self.key if key is None else key}", "content-type": "application/json"}
        return exchange(
            connection, method or ("GET" if data is None else "POST"), path, data, {**given, **(headers or {})}
        )

    def call(self, body: Mapping[str, Any], path: str = "/v1/chat/completions") -> Call:
        """Send a request without waiting for its answer."""
        call = Call(self.public, path, self.key, {"model": MODEL, **body})
        self._calls.append(call)
        return call

    def hang_up(self) -> None:
        """Leave every call, also those that a failed test forgot."""
        while self._calls:
            self._calls.pop().leave()

    def vitals(self) -> dict[str, Any]:
        """What the operator sees."""
        return dict(self.ask("/api/vitals", at=self.operator).json)

    def readiness(self) -> int:
        return self.ask("/readyz").status

    def ask_engine(self, path: str) -> Answer:
        """Ask the engine itself, on the socket that only the service uses otherwise."""
        return exchange(UnixConnection(self.data / "run" / "engine.sock", 30), "GET", path, None, {})

    def slots(self) -> list[dict[str, Any]]:
        """The engine's own word on what each slot does."""
        return list(self.ask_engine("/slots").json)

    def is_idle(self) -> bool:
        """Nothing runs, neither by the service's word nor by the engine's."""
        vitals = self.vitals()
        return not (vitals["running"] or vitals["waiting"] or any(slot["is_processing"] for slot in self.slots()))

    def engine(self) -> psutil.Process:
        """The engine's process."""
        (child,) = self.process.children()
        return child

    def is_mended(self, dead: psutil.Process) -> bool:
        """Ready again, with another engine than the dead one."""
        pids = {child.pid for child in self.process.children()}
        return self.readiness() == 200 and bool(pids) and dead.pid not in pids

    def verb(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another verb on the same data directory."""
        return run_verb(*arguments, data=self.data, models=self.models, stdin=stdin)

    def events(self) -> list[dict[str, Any]]:
        """The log so far; of a line that is just being written there may be half."""
        whole, _, _ = (self.data / "logs" / "events.jsonl").read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and wait; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return int(self.process.wait(timeout=STOP_S))

    def kill(self) -> None:
        """End it and whatever it left, whatever state it is in."""
        self.hang_up()
        if self.process.poll() is None:
            children = self.process.children(recursive=True)
            self.process.kill()
            for child in children:
                with _gone_is_fine():
                    child.kill()
        self.process.wait(timeout=STOP_S)


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except psutil.NoSuchProcess:
        return


def post_act(instance: Instance, act: Mapping[str, Any]) -> Answer:
    """Do an account act on the control socket, as the command line does."""
    connection = UnixConnection(instance.data / "run" / "control.sock", 30)
    return exchange(connection, "POST", "/acts", json.dumps(act).encode(), {})


def make_data(folder: Path, models: Path) -> str:
    """Make a data directory with one user in it, without a service; answer the user's key."""
    created = run_verb("users", "create", EMAIL, data=folder, models=models)
    assert created.returncode == 0, created.stderr
    printed = run_verb("keys", "create", "--user", EMAIL, "--json", data=folder, models=models)
    assert printed.returncode == 0, printed.stderr
    return str(json.loads(printed.stdout)["key"])


def copy_data(source: Path, target: Path) -> Path:
    """Copy a data directory that nobody uses; sockets are worthless and stay behind."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.sock"))
    return target
