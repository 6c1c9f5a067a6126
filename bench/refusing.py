"""What a refusal costs: processor time for each, beside nginx in the same run, and memory for each source.

The server has one core, wrk the other. Both are asked in turns; figures are medians.
Only the time of the process that refuses counts, not the engine's. Every row says
what was answered: a row with other answers than its own measures something else.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import itertools
import os
import re
import secrets
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from accounts import Accounts
from attackers import Flood, asking, get
from load import body
from peers import nginx_running
from service import Service, cpu_s, pin, report, running

from tidegate.core import credentials
from tidegate.core.credentials import Kind, ServerKeys
from tidegate.core.identifiers import UserId

CONNECTIONS = 64
CROWD = 48
KEYS = 32
AT_ONCE = 64
BIG = 65536
LIMITS = """
[engine]
slots = 2
context_tokens = 1024
max_waiting = 8
[gate]
address_rate = {address}
address_burst = {address}
network_rate = 1000000
network_burst = 1000000
strangers_rate = 1000000
strangers_burst = 1000000
principal_rate = 1000000
principal_burst = 1000000
"""
"""A short line, lax in everything else, and with `address` 1 strict to one address: who shows a key that
is not genuine meets the address bucket before it is told that the key is no good."""

STRICT, LAX = "1", "1000000"
RECORDED = "[record]\ndecisions = true\n"

NGINX = "location / { limit_req zone=requests; root /var/empty; }"
CHAT = "/v1/chat/completions"


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way of being refused: the request, what must be answered, and how much of nginx' cost it may be."""

    name: str
    status: int
    code: str
    most: float
    method: str = "POST"
    path: str = CHAT
    headers: dict[str, str] = {}
    keys: list[str] = []
    size_bytes: int = 0
    is_crowded: bool = False
    address: str = STRICT

    def script(self) -> str:
        """The same for wrk."""
        fields = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in self.headers.items())
        text = f'string.rep("x", {self.size_bytes})' if self.size_bytes else f"[[{body('tide', 64).decode()}]]"
        lines = f'wrk.method = "{self.method}"\n{fields}'
        if self.method == "POST":
            lines += f'wrk.headers["content-type"] = "application/json"\nwrk.body = {text}\n'
        if self.keys:
            keys = ", ".join(f'"Bearer {key}"' for key in self.keys)
            lines += (
                f"local keys, made, at = {{{keys}}}, {{}}, 0\n"
                'init = function() for i, key in ipairs(keys) do wrk.headers["authorization"] = key '
                "made[i] = wrk.format() end end\n"
                "request = function() at = at % #made + 1 return made[at] end\n"
            )
        return lines


class Cost(msgspec.Struct, kw_only=True):
    """What one way came to, on one server."""

    cpu_us: float
    per_s: float
    refused_share: float
    socket_errors: int


def forged_key() -> str:
    """A key that is right in everything but its MAC."""
    keys = ServerKeys(0, {0: secrets.token_bytes(32)})
    return credentials.issue(
        Kind.API_KEY, UserId.of(secrets.token_bytes(8)), keys, now=time.time(), entropy=secrets.token_bytes(16)
    )


def ways(genuine: list[str]) -> list[Way]:
    """All of them, with their targets."""
    page = {"accept": "*/*"}
    return [
        Way(name="address bucket", status=429, code="slow_down", most=1.8, method="GET", path="/", headers=page),
        Way(
            name="forged key",
            status=401,
            code="invalid_api_key",
            most=2.2,
            keys=[forged_key() for _ in range(KEYS)],
            address=LAX,
        ),
        Way(
            name="no room, full decision",
            status=503,
            code="server_is_overloaded",
            most=4.0,
            keys=genuine,
            is_crowded=True,
            address=LAX,
        ),
        Way(
            name="new connection each",
            status=429,
            code="slow_down",
            most=1.8,
            method="GET",
            path="/",
            headers={**page, "connection": "close"},
        ),
        Way(name="64 KB bodies", status=429, code="slow_down", most=1.2, path="/sign-in", size_bytes=BIG),
    ]


def measure(way: Way, port: int, pids: list[int], seconds: float, core: int) -> Cost:
    """Let wrk ask for some seconds."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(way.script())
        script.flush()
        used_s = sum(map(cpu_s, pids))
        url = f"http://127.0.0.1:{port}{way.path}"
        said = subprocess.run(
            ["taskset", "-c", str(core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script.name, url],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        used_s = sum(map(cpu_s, pids)) - used_s
    asked = _figure(r"(\d+) requests in", said)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    return Cost(
        cpu_us=used_s / max(1, asked) * 1e6,
        per_s=asked / seconds,
        refused_share=_figure(r"Non-2xx or 3xx responses: (\d+)", said) / max(1, asked),
        socket_errors=sum(map(int, errors.groups())) if errors else 0,
    )


def _figure(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0


def sample(way: Way, port: int) -> tuple[int, str]:
    """What one more caller of this kind is answered: status and code."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {**way.headers, "content-type": "application/json"}
    if way.keys:
        headers["authorization"] = f"Bearer {way.keys[0]}"
    content = None if way.method == "GET" else (b"x" * way.size_bytes or body("tide", 64))
    try:
        line.request(way.method, way.path, content, headers)
        answer = line.getresponse()
        found = re.search(rb'"code":"(\w+)"', answer.read(4096))
        return answer.status, found[1].decode() if found else ""
    finally:
        line.close()


async def beside(service: Service, crowd: list[str], is_crowded: bool, act: Callable[[], Any]) -> Any:  # noqa: FBT001
    """Do something, while a crowd of newcomers fills the line if wanted."""
    flood = Flood(service.port, CROWD, 200.0, asking(crowd, 30))
    if is_crowded:
        flood.start()
        await asyncio.sleep(4.0)
    try:
        return await asyncio.to_thread(act)
    finally:
        await flood.stop()


async def compare(
    wish: argparse.Namespace, service: Service, nginx: tuple[int, list[int]], limit: str, *, is_recorded: bool
) -> list[dict[str, Any]]:
    """Every way that belongs to this limit for addresses, both servers in turns."""
    cores = sorted(os.sched_getaffinity(0))
    async with Accounts(service.control_socket, str(service.data_dir)) as accounts:
        genuine, crowd = await accounts.keys(KEYS, "shed"), await accounts.keys(CROWD, "crowd")
    rows = []
    for way in ways(genuine):
        if way.address != limit or (wish.ways and not any(word in way.name for word in wish.ways)):
            continue
        plain = msgspec.structs.replace(way, keys=way.keys[:1])

        def turn(way: Way = way, plain: Way = plain) -> tuple[Cost, Cost, tuple[int, str]]:
            theirs = measure(plain, nginx[0], nginx[1], wish.seconds, cores[-1])
            ours = measure(way, service.port, [service.process.pid], wish.seconds, cores[-1])
            return ours, theirs, sample(way, service.port)

        turns = [await beside(service, crowd, way.is_crowded, turn) for _ in range(wish.rounds)]
        answered = turns[-1][2]
        ours = statistics.median(turn[0].cpu_us for turn in turns)
        theirs = statistics.median(turn[1].cpu_us for turn in turns)
        name = way.name + ", recorded" * is_recorded
        print(f"  {name}: {ours:.1f} us, nginx {theirs:.1f} us, answered {answered}", flush=True)
        rows.append(
            {
                "way": name,
                "is_recorded": is_recorded,
                "cpu_us": ours,
                "nginx_cpu_us": theirs,
                "ratio": statistics.median(turn[0].cpu_us / turn[1].cpu_us for turn in turns),
                "most": way.most,
                "offered_per_s": statistics.median(turn[0].per_s for turn in turns),
                "nginx_offered_per_s": statistics.median(turn[1].per_s for turn in turns),
                "refused_share": min(turn[0].refused_share for turn in turns),
                "socket_errors": max(turn[0].socket_errors for turn in turns),
                "answered": answered,
                "is_as_meant": answered == (way.status, way.code),
            }
        )
    return rows


async def visit(port: int, sources: range) -> int:
    """One request from each of these addresses; how many were answered."""
    loop, todo, answered = asyncio.get_running_loop(), iter(sources), 0
    request = get("/")

    async def worker() -> None:
        nonlocal answered
        for number in todo:
            with socket.socket() as line:
                line.setblocking(False)
                # 127.16.0.0/12 and on: none of those that the rows above came from.
                line.bind((f"127.{16 + (number >> 16)}.{number >> 8 & 255}.{number & 255}", 0))
                try:
                    await asyncio.wait_for(loop.sock_connect(line, ("127.0.0.1", port)), 10)
                    await loop.sock_sendall(line, request)
                    said = await asyncio.wait_for(loop.sock_recv(line, 4096), 10)
                except OSError:
                    said = b""
            answered += bool(said)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return answered


def resident_bytes(pid: int) -> int:
    """A process's resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def remember(service: Service, sources: int) -> dict[str, Any]:
    """Memory kept for sources that come once: the first lot, and another lot of strangers to it."""
    pid = service.process.pid
    await visit(service.port, range(0x80000, 0x80000 + 2000))  # Buffers and pools have their size from here on.
    sizes, answered = [resident_bytes(pid)], 0
    for lot in range(2):
        answered += await visit(service.port, range(lot * sources, (lot + 1) * sources))
        sizes.append(resident_bytes(pid))
    return {
        "sources": sources,
        "answered": answered,
        "rss_before_bytes": sizes[0],
        "first_lot_bytes_each": (sizes[1] - sizes[0]) / sources,
        "second_lot_bytes_each": (sizes[2] - sizes[1]) / sources,
        "grown_bytes": sizes[2] - sizes[0],
    }


async def everything(wish: argparse.Namespace, cores: list[int]) -> dict[str, Any]:
    """All rows and the memory."""
    rows: list[dict[str, Any]] = []
    memory = None
    for limit, is_recorded in itertools.product((STRICT, LAX), (False, True) if wish.recorded else (False,)):
        with running(LIMITS.format(address=limit) + RECORDED * is_recorded) as service:
            pin(service.engine_pid, {cores[-1]})
            pin(service.process.pid, {cores[0]})
            with nginx_running(NGINX, cores[0], rate="1r/m") as nginx:
                rows += await compare(wish, service, nginx, limit, is_recorded=is_recorded)
            if limit is LAX and wish.sources and not is_recorded:
                memory = await remember(service, wish.sources)
    return {"rows": rows, "memory": memory}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description="The cost of refusing.")
    parser.add_argument("--ways", nargs="*", default=[], help="only those whose names contain one of these")
    parser.add_argument("--seconds", type=int, default=3, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sources", type=int, default=100_000, help="0 leaves memory out")
    parser.add_argument("--recorded", action="store_true", help="each way also while decisions are written down")
    wish = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    pin(os.getpid(), {cores[-1]})
    figures = asyncio.run(everything(wish, cores))
    table: list[tuple[str, ...]] = [("refused by", "us each", "nginx", "ratio", "target", "offered/s", "answered")]
    for row in figures["rows"]:
        status, code = row["answered"]
        table.append(
            (
                row["way"],
                f"{row['cpu_us']:.1f}",
                f"{row['nginx_cpu_us']:.1f}",
                f"x {row['ratio']:.2f}",
                f"<= x {row['most']}",
                f"{row['offered_per_s']:.0f} (nginx {row['nginx_offered_per_s']:.0f})",
                f"{status} {code}" + ("" if row["is_as_meant"] else " NOT AS MEANT"),
            )
        )
    memory = figures["memory"]
    if memory is not None:
        first, second = memory["first_lot_bytes_each"], memory["second_lot_bytes_each"]
        kept = f"{first:.0f} bytes each, then {second:.0f}; in all {memory['grown_bytes'] / 1e6:.1f} MB"
        bound = "bounded by gate.most_sources"
        table.append((f"memory, 2 x {memory['sources']} sources", kept, "", "", bound, "", f"{memory['answered']}"))
    report("refusing", figures, table)


if __name__ == "__main__":
    main()
