"""Starts a real service for a measurement, and reads what its processes use.

Needs Linux: memory and processor time come from /proc.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

READY_LIMIT_S = 300.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PROBES = 40
PROBED_ADDITIONS = 200_000
MODEL = "smollm2-135m-instruct"


class Service:
    """A running service with a key, alone in a data directory of its own."""

    def __init__(
        self, process: subprocess.Popen[bytes], data_dir: Path, port: int, operator_port: int, start_s: float
    ) -> None:
        self.process = process
        self.data_dir = data_dir
        self.port = port
        self.operator_port = operator_port
        self.start_s = start_s
        self.key = ""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def engine_socket(self) -> str:
        """The engine's own socket."""
        return str(self.data_dir / "run" / "engine.sock")

    @property
    def control_socket(self) -> str:
        """Where account acts are asked for, as `tidegate users` and `keys` do."""
        return str(self.data_dir / "run" / "control.sock")

    @property
    def engine_pid(self) -> int:
        """The engine's process."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def pids(self) -> dict[str, int]:
        """The whole tree, by name."""
        return {"tidegate": self.process.pid, "engine": self.engine_pid}


@contextlib.contextmanager
def running(settings: str = "") -> Iterator[Service]:
    """Run a service with these settings (TOML) until the block ends."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as place:
        config = Path(place) / "bench.toml"
        config.write_text(settings)
        data_dir = Path(place) / "data"
        service = _start(config, data_dir)
        try:
            service.key = _key(data_dir)
            yield service
        finally:
            service.process.terminate()
            service.process.wait(60)


def _start(config: Path, data_dir: Path) -> Service:
    ports = [free_port() for _ in range(3)]
    began_at = time.monotonic()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tidegate", "serve", "--config", str(config), "--data", str(data_dir)),
            *("--port", str(ports[0]), "--status-port", str(ports[1]), "--operator-port", str(ports[2])),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while True:
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError),
            urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/readyz", timeout=5),
        ):
            return Service(process, data_dir, ports[0], ports[2], time.monotonic() - began_at)
        if process.poll() is not None or time.monotonic() - began_at > READY_LIMIT_S:
            process.kill()
            sys.exit("the service did not start; try: tidegate serve")
        time.sleep(0.01)


def _key(data_dir: Path) -> str:
    def tidegate(*words: str) -> str:
        command = [sys.executable, "-m", "tidegate", *words, "--data", str(data_dir), "--json"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    tidegate("users", "create", "bench@example.org")
    key: str = json.loads(tidegate("keys", "create", "--user", "bench@example.org"))["key"]
    return key


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pin(pid: int, cores: set[int]) -> None:
    """Keep every thread of a process on these cores."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), cores)


def speed_of(core: int) -> float:
    """Additions a second on a core that has nothing else to do: the median of some seconds."""
    own, before = os.getpid(), os.sched_getaffinity(0)
    pin(own, {core})
    taken = []
    try:
        for _ in range(PROBES):
            began_at = time.perf_counter()
            total = 0
            for number in range(PROBED_ADDITIONS):
                total += number
            taken.append(time.perf_counter() - began_at)
            time.sleep(0.04)
    finally:
        pin(own, before)
    return PROBED_ADDITIONS / statistics.median(taken)


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def machine_cpu_s() -> float:
    """Processor time that everything on this machine has used, in seconds."""
    user, nice, system, _idle, _iowait, irq, softirq = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    return sum(map(int, (user, nice, system, irq, softirq))) * TICK_S


def own_cpu_s() -> float:
    """Processor time that this process and all that it started have used, those that it waited for too."""
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(place.name))
    todo, used_s = [os.getpid()], resource.getrusage(resource.RUSAGE_CHILDREN)
    total_s = used_s.ru_utime + used_s.ru_stime
    while todo:
        pid = todo.pop()
        todo += parents.get(pid, [])
        with contextlib.suppress(OSError):
            total_s += cpu_s(pid)
    return total_s


def pss_bytes(pid: int) -> int:
    """A process's share of memory: its own pages, and its part of those it shares."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    message = f"no Pss for process {pid}"
    raise LookupError(message)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def report(title: str, figures: dict[str, Any], table: Sequence[tuple[str, ...]]) -> None:
    """Print a table for people and one line of JSON for programs."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    print(f"\n{title}")
    for number, row in enumerate(table):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
    print(json.dumps({"bench": title, "machine": machine(), **figures}))
