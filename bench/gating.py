"""Starts a real `tidegate gate` before a server, and makes callers known to it as an operator does.

Callers are the keys that they show. An operator vouches for a key through the
control socket, as `tidegate callers vouch` does; a key that nobody vouches for
becomes somebody by being accepted by the server behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import msgspec
from peers import Peer, Shape, await_answer, bare
from service import free_port

from tidegate.adapters.disk import DataDir
from tidegate.adapters.disk.secrets import load_secrets
from tidegate.core.callers import principal_of

INTRODUCED_AT_ONCE = 8


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A running gate, alone in a data directory of its own."""

    pid: int
    port: int
    operator_port: int
    data_dir: str

    @property
    def control_socket(self) -> str:
        """Where an operator's acts are asked for."""
        return str(Path(self.data_dir) / "run" / "control.sock")


@contextlib.contextmanager
def gate_running(upstream_port: int, core: int) -> Iterator[Gate]:
    """A gate on one core, with all settings as they come, until the block ends."""
    ports = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-gate-") as place:
        data_dir = Path(place, "data")
        process = subprocess.Popen(
            [
                *("taskset", "-c", str(core), sys.executable, "-m", "tidegate", "gate"),
                *("--upstream", f"http://127.0.0.1:{upstream_port}", "--data", str(data_dir)),
                *("--port", str(ports[0]), "--operator-port", str(ports[1])),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            await_answer(f"http://127.0.0.1:{ports[0]}/readyz", process)
            yield Gate(pid=process.pid, port=ports[0], operator_port=ports[1], data_dir=str(data_dir))
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def before_bare(shape: Shape, engine_core: int, our_core: int) -> Iterator[Peer]:
    """A gate before llama.cpp's own server, as `peers.bare` runs it."""
    with (
        bare(shape, engine_core, our_core) as engine,
        gate_running(engine.port, our_core) as gate,
    ):
        yield Peer(
            name="gate",
            port=gate.port,
            state_port=gate.operator_port,
            pids={**engine.pids, "gate": gate.pid},
            control_socket=gate.control_socket,
            data_dir=gate.data_dir,
        )


def fresh_key() -> str:
    """A key that nobody has seen yet."""
    return f"sk-{secrets.token_hex(24)}"


class Callers:
    """Makes callers known to a running gate. Use it as an async context."""

    def __init__(self, control_socket: str, data_dir: str) -> None:
        """The gate that owns both."""
        self._secret = load_secrets(DataDir.open(Path(data_dir))).fingerprint_key
        self._http = aiohttp.ClientSession(connector=aiohttp.UnixConnector(control_socket))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def vouched(self, count: int) -> list[str]:
        """So many keys that the operator vouches for."""
        keys = [fresh_key() for _ in range(count)]
        for key in keys:
            principal = principal_of(key, self._secret)
            act = {"act": "vouch_for_caller", "principal": str(principal), "may_be_new": True}
            async with self._http.post("http://control/callers", data=msgspec.json.encode(act)) as response:
                response.raise_for_status()
        return keys


async def introduced(port: int, body: bytes, sources: list[str]) -> list[str]:
    """Keys that the server behind has accepted once, one from each of these addresses."""
    limit = asyncio.Semaphore(INTRODUCED_AT_ONCE)

    async def introduce(source: str) -> str | None:
        key = fresh_key()
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        connector = aiohttp.TCPConnector(local_addr=(source, 0))
        async with (
            limit,
            aiohttp.ClientSession(connector=connector) as caller,
            caller.post(f"http://127.0.0.1:{port}/v1/chat/completions", data=body, headers=headers) as answer,
        ):
            await answer.read()
            return key if answer.status == 200 else None

    return [key for key in await asyncio.gather(*map(introduce, sources)) if key is not None]
