"""Ways of asking a proxy, and what came of each: one connection, many that always ask, streams at once."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import tempfile
import time

import httptools
import msgspec
import uvloop
from load import body, quantile
from proxies import Proxy
from service import cpu_s, machine_cpu_s, own_cpu_s
from streams import WORDS, Streamed, read_streams

CONNECTIONS = 64
STREAMS = 32


class Alone(msgspec.Struct, kw_only=True):
    """One connection that asks again as soon as it was answered."""

    p50_ms: float
    p99_ms: float
    asked: int
    not_2xx: int


class Crowd(msgspec.Struct, kw_only=True):
    """Many connections that do. `others` disturb the measurement: what else used the machine, in cores."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    asked: int
    not_2xx: int
    socket_errors: int
    others: float


class Flow(msgspec.Struct, kw_only=True):
    """Streams at once."""

    cpu_us: float
    streamed: Streamed


class _Answers:
    """Tells one answer from the next."""

    def __init__(self) -> None:
        self.is_over = False

    def on_message_complete(self) -> None:
        self.is_over = True


def alone(proxy: Proxy, seconds: float) -> Alone:
    """One connection, its keys in turns."""
    requests = [_plain(key) for key in proxy.keys]
    taken: list[float] = []
    not_2xx = 0
    ends_at = time.perf_counter() + seconds
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (began_at := time.perf_counter()) < ends_at:
            answers = _Answers()
            parser = httptools.HttpResponseParser(answers)
            line.sendall(requests[len(taken) % len(requests)])
            while not answers.is_over:
                data = line.recv(65536)
                if not data:
                    message = f"{proxy.name} closed a connection that was to be kept"
                    raise ConnectionError(message)
                parser.feed_data(data)
            taken.append(time.perf_counter() - began_at)
            not_2xx += parser.get_status_code() // 100 != 2
    return Alone(
        p50_ms=quantile(taken, 0.5) * 1000, p99_ms=quantile(taken, 0.99) * 1000, asked=len(taken), not_2xx=not_2xx
    )


def _plain(key: str) -> bytes:
    """A request for an answer in one piece."""
    what = _body()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: tide\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {key}\r\ncontent-length: {len(what)}\r\n\r\n"
    )
    return head.encode() + what


def _body() -> bytes:
    wanted = msgspec.json.decode(body(WORDS, 64))
    return msgspec.json.encode({**wanted, "stream": False})


def crowd(proxy: Proxy, seconds: int, core: int) -> Crowd:
    """Let wrk ask for some seconds."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_script(proxy.keys))
        script.flush()
        used_s, others_s, began_at = sum(map(cpu_s, proxy.pids)), machine_cpu_s() - own_cpu_s(), time.perf_counter()
        said = subprocess.run(
            [
                *("taskset", "-c", str(core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s"),
                *("-s", script.name, f"http://127.0.0.1:{proxy.port}/v1/chat/completions"),
            ],
            check=True,
            capture_output=True,
            text=True,
            timeout=seconds + 60,
        ).stdout
        wall_s, used_s = time.perf_counter() - began_at, sum(map(cpu_s, proxy.pids)) - used_s
        others_s = machine_cpu_s() - own_cpu_s() - others_s
    found = re.search(r"^figures (\{.*\})$", said, re.MULTILINE)
    assert found is not None, said
    told = json.loads(found[1])
    return Crowd(
        per_s=told["asked"] / (told["us"] / 1e6),
        p50_ms=told["p50_us"] / 1000,
        p99_ms=told["p99_us"] / 1000,
        cpu_us=used_s / max(1, told["asked"]) * 1e6,
        asked=told["asked"],
        not_2xx=told["not_2xx"],
        socket_errors=told["socket_errors"],
        others=max(0.0, others_s / wall_s),
    )


def _script(keys: list[str]) -> str:
    listed = ", ".join(f'"Bearer {key}"' for key in keys)
    return f"""
        local keys, made, at = {{{listed}}}, {{}}, 0
        wrk.method, wrk.body = "POST", [[{_body().decode()}]]
        wrk.headers["content-type"] = "application/json"
        init = function()
            for i, key in ipairs(keys) do wrk.headers["authorization"] = key; made[i] = wrk.format() end
        end
        request = function() at = at % #made + 1; return made[at] end
        done = function(summary, latency)
            local e = summary.errors
            io.write(string.format(
                'figures {{"asked": %d, "us": %d, "p50_us": %d, "p99_us": %d, "not_2xx": %d, "socket_errors": %d}}\\n',
                summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), e.status,
                e.connect + e.read + e.write + e.timeout))
        end
        """


def flow(proxy: Proxy, tokens: int) -> Flow:
    """Streams at once, to their ends."""
    used_s = sum(map(cpu_s, proxy.pids))
    streamed = uvloop.run(read_streams(proxy.port, proxy.keys, STREAMS, tokens))
    used_s = sum(map(cpu_s, proxy.pids)) - used_s
    return Flow(cpu_us=used_s / max(1, streamed.tokens) * 1e6, streamed=streamed)
