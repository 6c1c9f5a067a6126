"""Who is measured: Tidegate, the bare engine, and the engine behind nginx with its limits.

Run as a program with a JSON object it is the bare engine: llama.cpp's own server on
a TCP port, with the plan that Tidegate runs it with.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
from service import free_port, pin, running

from tidegate.config import Settings

STARTS_WITHIN_S = 60.0
NICENESS = 5  # As the engine's child does.


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How the engine runs, the same for all."""

    slots: int = 4
    batch_tokens: int = 6
    context_tokens: int = 2048


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Something that listens on `port`. `pids` are its processes by name, `state_port` tells who waits."""

    name: str
    port: int
    state_port: int
    pids: dict[str, int]
    control_socket: str = ""
    data_dir: str = ""


@contextlib.contextmanager
def tidegate(shape: Shape, engine_core: int, our_core: int) -> Iterator[Peer]:
    """`tidegate serve`, engine on one core and the rest on the other."""
    settings = (
        f"[engine]\nslots = {shape.slots}\nbatch_tokens = {shape.batch_tokens}\nthreads = 1\n"
        f"context_tokens = {shape.context_tokens}\n"
        # What fresh accounts do is measured, not how few of them are let in.
        "[registration]\ncalm_per_min = 100000\ncalm_at_once = 100000\n"
    )
    with running(settings) as service:
        pin(service.engine_pid, {engine_core})
        pin(service.process.pid, {our_core})
        yield Peer(
            name="tidegate",
            port=service.port,
            state_port=service.operator_port,
            pids={"engine": service.engine_pid, "gate": service.process.pid},
            control_socket=service.control_socket,
            data_dir=str(service.data_dir),
        )


@contextlib.contextmanager
def bare(shape: Shape, engine_core: int, _our_core: int) -> Iterator[Peer]:
    """llama.cpp's server and nothing before it."""
    port = free_port()
    plan = {**msgspec.structs.asdict(shape), "port": port}
    command = [sys.executable, __file__, msgspec.json.encode(plan).decode()]
    process = subprocess.Popen(["taskset", "-c", str(engine_core), *command], stderr=subprocess.DEVNULL)
    try:
        await_answer(f"http://127.0.0.1:{port}/health", process)
        yield Peer(name="bare", port=port, state_port=port, pids={"engine": process.pid})
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def nginx(shape: Shape, engine_core: int, our_core: int) -> Iterator[Peer]:
    """The engine behind nginx: one request in 2 s of one address and bursts of 4, 4 connections."""
    with bare(shape, engine_core, our_core) as engine, nginx_running(proxying(engine.port), our_core) as (port, pids):
        yield Peer(name="nginx", port=port, state_port=engine.port, pids={**engine.pids, "gate": pids[-1]})


def proxying(upstream: int) -> str:
    """Limits by address before an upstream, as nginx' own guide to streaming upstreams has them."""
    return f"""
        location / {{
            limit_req zone=requests burst=4 nodelay;
            limit_conn connections 4;
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_read_timeout 60s;
        }}"""


@contextlib.contextmanager
def nginx_running(location: str, core: int, rate: str = "30r/m", upstream: str = "") -> Iterator[tuple[int, list[int]]]:
    """Nginx with one worker on one core: its port, and its processes, the worker last."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-nginx-") as place:
        Path(place, "nginx.conf").write_text(
            f"""
            daemon off; worker_processes 1; pid {place}/pid; error_log /dev/null crit;
            worker_rlimit_nofile 20000;
            events {{ worker_connections 8192; }}
            http {{
                access_log off; client_body_temp_path {place}; proxy_temp_path {place};
                fastcgi_temp_path {place}; uwsgi_temp_path {place}; scgi_temp_path {place};
                keepalive_requests 100000000; client_max_body_size 8m;
                limit_req_zone $binary_remote_addr zone=requests:16m rate={rate};
                limit_conn_zone $binary_remote_addr zone=connections:16m;
                limit_req_status 429; limit_conn_status 429; {upstream}
                server {{ listen 127.0.0.1:{port} backlog=4096 reuseport; {location} }}
            }}"""
        )
        process = subprocess.Popen(
            ["taskset", "-c", str(core), "nginx", "-p", place, "-c", f"{place}/nginx.conf", "-e", f"{place}/error.log"],
            stderr=subprocess.DEVNULL,
        )
        try:
            await_answer(f"http://127.0.0.1:{port}/health", process)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            yield port, [process.pid, *map(int, children)]
        finally:
            process.terminate()
            process.wait(20)


def await_answer(url: str, process: subprocess.Popen[bytes], within_s: float = STARTS_WITHIN_S) -> None:
    """Wait until a server answers with anything but 503."""
    ends_at = time.monotonic() + within_s
    while time.monotonic() < ends_at and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own
                return
        except urllib.error.HTTPError as error:
            if error.code != 503:  # It answers, and is not loading.
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.05)
    process.kill()
    sys.exit(f"nothing answers at {url}")


def _serve_engine(text: str) -> None:
    import xllamacpp  # noqa: PLC0415 - only the engine's own process should map it

    class Listening(Shape, frozen=True, kw_only=True):
        port: int

    shape = msgspec.json.decode(text, type=Listening)
    os.nice(NICENESS)
    cache = Path(os.environ.get("TIDEGATE_MODELS") or Settings().models.cache_dir).expanduser()
    params = xllamacpp.CommonParams()
    params.model.path = str(cache / f"{Settings().engine.model}.gguf")
    params.hostnames, params.port = ["127.0.0.1"], shape.port
    params.n_parallel, params.n_ctx = shape.slots, shape.slots * shape.context_tokens
    params.n_batch = params.n_ubatch = shape.slots + shape.batch_tokens
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.endpoint_metrics = params.endpoint_slots = True
    params.ui = params.warmup = False
    params.cache_ram_mib = 0
    server = xllamacpp.Server(params)
    threading.Event().wait()
    del server  # Never reached: the name keeps it alive.


if __name__ == "__main__" and len(sys.argv) > 1:
    _serve_engine(sys.argv[1])
