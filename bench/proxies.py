"""What is put before one and the same server to be compared: nginx, the gate, a bare proxy in Python, LiteLLM.

Each has one core for itself. LiteLLM is installed from PyPI into an environment of
its own below `.cache/`, once; where that cannot be done it is left out, and why is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
from gating import Callers, fresh_key, gate_running
from peers import await_answer, nginx_running
from service import MODEL, free_port

ROOT = Path(__file__).parents[1]
LITELLM = "litellm[proxy]==1.106.2"
INSTALLED_WITHIN_S = 280
STARTS_WITHIN_S = 120.0
KEYS = 1024
"""Callers. One key may ask 50 times a second: a thousand of them are never refused for that."""


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """Something that answers at `port`; `pids` are its own processes, `keys` those that its callers show."""

    name: str
    port: int
    pids: list[int]
    keys: list[str]
    times: int = 1


class MissingError(Exception):
    """This one cannot be measured here, and why."""


@contextlib.contextmanager
def direct(upstream: int, _core: int) -> Iterator[Proxy]:
    """Nothing in between."""
    yield Proxy(name="direct", port=upstream, pids=[], keys=_keys())


@contextlib.contextmanager
def nginx(upstream: int, core: int) -> Iterator[Proxy]:
    """A plain reverse proxy without limits, connections kept."""
    behind = f"upstream behind {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}"
    location = """
        location / {
            proxy_pass http://behind;
            proxy_http_version 1.1;
            proxy_set_header connection "";
            proxy_buffering off;
        }"""
    with nginx_running(location, core, upstream=behind) as (port, pids):
        yield Proxy(name="nginx", port=port, pids=pids, keys=_keys())


@contextlib.contextmanager
def gate(upstream: int, core: int) -> Iterator[Proxy]:
    """`tidegate gate` as it comes, and callers whom its operator vouches for."""
    with gate_running(upstream, core) as running:
        keys = asyncio.run(_vouched(running.control_socket, running.data_dir))
        yield Proxy(name="gate", port=running.port, pids=[running.pid], keys=keys)


async def _vouched(control_socket: str, data_dir: str) -> list[str]:
    async with Callers(control_socket, data_dir) as callers:
        return await callers.vouched(KEYS)


@contextlib.contextmanager
def floor(upstream: int, core: int) -> Iterator[Proxy]:
    """Uvicorn and aiohttp, and nothing decided."""
    port = free_port()
    program = str(Path(__file__).with_name("floor.py"))
    command = [sys.executable, program, f"http://127.0.0.1:{upstream}", str(port)]
    with _running(command, core, port, "/v1/models") as pid:
        yield Proxy(name="uvicorn+aiohttp", port=port, pids=[pid], keys=_keys())


@contextlib.contextmanager
def litellm(upstream: int, core: int) -> Iterator[Proxy]:
    """LiteLLM's proxy with one worker, a master key and no database. Raises MissingError."""
    place, port, key = _litellm_place(), free_port(), f"sk-{secrets.token_hex(24)}"
    behind = {"model": f"openai/{MODEL}", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "sk-none"}
    settings = {"model_list": [{"model_name": MODEL, "litellm_params": behind}]}
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "LITELLM_MASTER_KEY": key,
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-litellm-") as folder:
        config = Path(folder, "config.yaml")
        config.write_bytes(msgspec.json.encode(settings))  # JSON is YAML.
        command = [str(place / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1"]
        command += ["--port", str(port), "--num_workers", "1", "--telemetry", "False"]
        with _running(command, core, port, "/health/liveliness", environment) as pid:
            yield Proxy(name="litellm", port=port, pids=[pid], keys=[key], times=4)


def _litellm_place() -> Path:
    """Where LiteLLM is installed; installs it first. Raises MissingError."""
    place = ROOT / ".cache" / "bench" / "litellm-1.106.2"
    if (place / "bin" / "litellm").exists():
        return place
    found = [*sorted(map(str, (ROOT / ".cache").glob("uv-*/bin/uv"))), *filter(None, [shutil.which("uv")])]
    if not found:
        message = "there is no uv; `make uv` gets it"
        raise MissingError(message)
    python = str(place / "bin" / "python")
    for command in (
        [found[0], "venv", "--quiet", "--clear", "--python", sys.executable, str(place)],
        [found[0], "pip", "install", "--quiet", "--python", python, LITELLM],
    ):
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=INSTALLED_WITHIN_S)
        except subprocess.TimeoutExpired:
            shutil.rmtree(place, ignore_errors=True)
            message = f"{LITELLM} was not installed within {INSTALLED_WITHIN_S} s"
            raise MissingError(message) from None
        if done.returncode:
            shutil.rmtree(place, ignore_errors=True)
            message = f"{LITELLM} cannot be installed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}"
            raise MissingError(message)
    return place


@contextlib.contextmanager
def _running(
    command: list[str], core: int, port: int, path: str, environment: dict[str, str] | None = None
) -> Iterator[int]:
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await_answer(f"http://127.0.0.1:{port}{path}", process, STARTS_WITHIN_S)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _keys() -> list[str]:
    return [fresh_key() for _ in range(KEYS)]


Start = Callable[[int, int], AbstractContextManager[Proxy]]
STARTS: dict[str, Start] = {
    "direct": direct,
    "nginx": nginx,
    "uvicorn+aiohttp": floor,
    "gate": gate,
    "litellm": litellm,
}


@contextlib.contextmanager
def started(names: list[str], upstream: int, core: int) -> Iterator[tuple[list[Proxy], dict[str, str]]]:
    """All of these before one server; and those that cannot be, with why."""
    with contextlib.ExitStack() as stack:
        proxies, missing = [], {}
        for name in names:
            try:
                proxies.append(stack.enter_context(STARTS[name](upstream, core)))
            except MissingError as error:
                missing[name] = str(error)
                print(f"  {name} is left out: {error}", flush=True)
        yield proxies, missing
