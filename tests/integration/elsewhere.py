"""Engines elsewhere, as far as one machine has that: llama.cpp's own server on loopback, scripted ones in a thread."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.adapters.engines.serving import ScriptedServer, in_a_thread
from tests.integration.running import MODEL, free_port, until
from tests.integration.speaking import exchange

_PROGRAM = """
import sys, threading, xllamacpp
model, port, slots = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
params = xllamacpp.CommonParams()
params.model.path, params.hostnames, params.port = model, ["127.0.0.1"], port
params.n_parallel, params.n_ctx, params.n_batch, params.n_ubatch = slots, slots * 1024, 16, 16
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.endpoint_metrics = params.endpoint_slots = True
params.ui = params.warmup = False
params.cache_ram_mib, params.verbosity = 0, 1
server = xllamacpp.Server(params)
sys.stdin.read()
"""


class LlamaServer:
    """A llama.cpp server. It ends with the test's process, whose end closes its standard input."""

    def __init__(self, models: Path, slots: int = 2) -> None:
        self.port = free_port()
        command = [sys.executable, "-c", _PROGRAM, str(models / f"{MODEL}.gguf"), str(self.port), str(slots)]
        self.process = psutil.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        return exchange(connection, "GET", path, None, {})

    def is_up(self) -> bool:
        try:
            return bool(self.ask("/health").status == 200)
        except OSError:
            return False

    def is_idle(self) -> bool:
        return not any(slot["is_processing"] for slot in self.ask("/slots").json)

    def kill(self) -> None:
        if self.process.is_running():
            self.process.kill()
        self.process.wait(timeout=20)
        self.process.stdin.close()


@contextmanager
def llama_servers(models: Path, count: int) -> Iterator[list[LlamaServer]]:
    """So many of them, ready."""
    servers = [LlamaServer(models) for _ in range(count)]
    try:
        for server in servers:
            until(server.is_up, 60, "llama.cpp's server is up")
        yield servers
    finally:
        for server in servers:
            server.kill()


@contextmanager
def scripted_servers(count: int) -> Iterator[list[ScriptedServer]]:
    """So many scripted ones, which serve the same model under the same name."""
    with in_a_thread(count) as servers:
        for server in servers:
            server.models = {"data": [{"id": MODEL, "owned_by": "vllm", "max_model_len": 1024}]}
        yield servers


def named(*urls: str, places: int = 2, **settings: Any) -> str:
    """A settings file that names them, and no embedded engine."""
    engine = "".join(f"{name} = {value}\n" for name, value in settings.items())
    tables = "".join(
        f"[[engines]]\nurl = {json.dumps(url)}\nmodels = [{json.dumps(MODEL)}]\nplaces = {places}\n" for url in urls
    )
    return f"[engine]\nenabled = false\n{engine}{tables}"
