"""The real service, the real helper and a real kernel: a flood ends in the kernel, people who are known never do."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.conftest import Seed, Serve
from tests.integration.fronting import program as haproxy_program
from tests.integration.namespacing import HOST, Namespace, holding, program
from tests.integration.running import Instance, copy_data, until
from tidegate.adapters.firewall.memory import InhabitedFile
from tidegate.core.firewall.inhabited import DAY_S, Inhabited

pytestmark = pytest.mark.integration

BOT, SHARED, STUDENT = "10.9.3.66", "10.9.4.7", "10.9.3.5"
PORT = 8443
DEPLOY = Path(__file__).parents[2] / "deploy" / "firewall"
CONFIG = """
[server]
host = "{host}"
allow_plain_http = true
[gate]
address_rate = 0.5
address_burst = 2
[firewall]
mode = "{mode}"
target = "nftables"
socket = "{socket}"
refused_rate = 1
refused_burst = 200
first_s = 25
longest_s = 25
"""
"""Kept out for so long that a busy machine has looked at all of it meanwhile: each look is a program that starts."""

_PRESS = """
import http.client, sys
source, host, port, key, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
line, told = http.client.HTTPConnection(host, port, timeout=2, source_address=(source, 0)), {}
headers = {"authorization": f"Bearer {key}"} if key else {}
for _ in range(times):
    try:
        line.request("GET", "/v1/models" if key else "/", headers=headers)
        answer = line.getresponse()
        answer.read()
        said = str(answer.status)
    except OSError:
        said = "silence"
    told[said] = told.get(said, 0) + 1
    if said == "silence":
        break
import json
print(json.dumps(told))
"""

_OPEN = """
import socket, sys
source, host, port, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for number in range(times):
    try:
        with socket.create_connection((host, port), timeout=2, source_address=(source, 0)) as line:
            line.sendall(b"GET / HTTP/1.1\\r\\n")
    except TimeoutError:
        print(number)
        sys.exit()
print("never")
"""


def asked(world: Namespace, source: str, times: int, key: str = "") -> dict[str, int]:
    """How often each status came, for so many requests on one connection; the first silence is the last."""
    told = world.run(sys.executable, "-c", _PRESS, source, HOST, str(PORT), key, str(times))
    return dict(json.loads(told.stdout))


async def watched(data: Path) -> None:
    """The last day was watched, and nobody came."""
    inhabited = Inhabited(b"k" * 32, time.time() - 2 * DAY_S, is_nobody_known=True)
    await InhabitedFile(data / "inhabited").write(inhabited.kept(time.time(), is_whole=True))


def lines(instance: Instance, kind: str) -> list[dict[str, object]]:
    return [event for event in instance.events() if event["kind"] == kind]


async def test_a_flood_ends_in_the_kernel_and_the_address_of_somebody_known_never_does(
    serve: Serve, seed: Seed, tmp_path: Path
) -> None:
    with holding() as host, host.world(BOT, SHARED, STUDENT) as world, host.helper(tmp_path, PORT) as helper:
        data = copy_data(seed.data, tmp_path / "data")
        await watched(data)
        config = CONFIG.format(host=HOST, mode="on", socket=helper)
        instance = serve(config, data=data, ports=(PORT, 0, 0), enter=host.enter).ready()
        assert asked(world, SHARED, 1, instance.key) == {"200": 1}

        told = asked(world, BOT, 5000)
        assert told.get("silence") == 1, told
        assert 200 < told["429"] < 5000
        # At once: it ends by itself.
        assert asked(world, BOT, 1, instance.key) == {"silence": 1}
        listed = json.loads(instance.verb("firewall", "list", "--json").stdout)
        assert [(one["prefix"], one["reason"]) for one in listed["elements"]] == [(f"{BOT}/32", "kept_sending")]
        assert (listed["unsent"], listed["failures"]) == (0, 0)

        assert "silence" not in asked(world, SHARED, 3000), "one bot, and somebody known, at one address"
        assert asked(world, SHARED, 1, instance.key) == {"200": 1}
        assert asked(world, STUDENT, 1, instance.key) == {"200": 1}, "a neighbour in the same /24"
        (line,) = lines(instance, "firewall")
        assert (line["event"], line["bits"], line["why"], line["mode"]) == ("firewall:added", 32, "kept_sending", "on")
        assert line["until_s"] == listed["elements"][0]["until_s"]
        assert BOT not in (instance.data / "logs" / "events.jsonl").read_text(), "the log has no addresses"

        until(lambda: "silence" not in asked(world, BOT, 1), 60, "it comes through again after the end")
        assert json.loads(instance.verb("firewall", "list", "--json").stdout)["elements"] == []
        assert instance.stop() == 0


async def test_connections_that_never_come_to_a_request_end_in_the_kernel_too(
    serve: Serve, seed: Seed, tmp_path: Path
) -> None:
    """Nothing on them is ever refused, and each has to be accepted, kept for a while and ended."""
    with holding() as host, host.world(BOT, SHARED) as world, host.helper(tmp_path, PORT) as helper:
        data = copy_data(seed.data, tmp_path / "data")
        await watched(data)
        config = CONFIG.format(host=HOST, mode="on", socket=helper)
        instance = serve(config, data=data, ports=(PORT, 0, 0), enter=host.enter).ready()
        assert asked(world, SHARED, 1, instance.key) == {"200": 1}

        silent_from = world.run(sys.executable, "-c", _OPEN, BOT, HOST, str(PORT), "20000").stdout.strip()
        assert silent_from != "never"
        assert int(silent_from) > 200
        shared = world.run(sys.executable, "-c", _OPEN, SHARED, HOST, str(PORT), "2000").stdout.strip()
        assert shared == "never", "somebody known is there"
        assert asked(world, SHARED, 1, instance.key) == {"200": 1}
        assert instance.stop() == 0


async def test_a_flood_ends_again_when_somebody_has_emptied_the_kernels_rules(
    serve: Serve, seed: Seed, tmp_path: Path
) -> None:
    """Without anybody's doing: the service sees it come through, and the helper makes its table again."""
    with holding() as host, host.world(BOT) as world, host.helper(tmp_path, PORT) as helper:
        data = copy_data(seed.data, tmp_path / "data")
        await watched(data)
        config = CONFIG.format(host=HOST, mode="on", socket=helper).replace("_s = 25", "_s = 600")
        instance = serve(config, data=data, ports=(PORT, 0, 0), enter=host.enter).ready()
        assert asked(world, BOT, 5000).get("silence") == 1
        host.run(program("nft"), "flush", "ruleset")

        # One: with some more it may be kept out again by the last of them.
        assert "silence" not in asked(world, BOT, 1)
        until(lambda: "silence" in asked(world, BOT, 1000), 60, "it is kept out again")

        assert len(lines(instance, "firewall")) == 1, "it was handed over once"
        assert instance.stop() == 0


async def test_a_dry_run_says_what_it_would_do_and_the_kernel_hears_nothing(
    serve: Serve, seed: Seed, tmp_path: Path
) -> None:
    with holding() as host, host.world(BOT) as world, host.helper(tmp_path, PORT) as helper:
        data = copy_data(seed.data, tmp_path / "data")
        await watched(data)
        config = CONFIG.format(host=HOST, mode="dry_run", socket=helper)
        instance = serve(config, data=data, ports=(PORT, 0, 0), enter=host.enter).ready()
        assert "silence" not in asked(world, BOT, 2000)
        assert [line["mode"] for line in lines(instance, "firewall")] == ["dry_run"]
        assert "elements" not in host.run(program("nft"), "list", "set", "inet", "tidegate", "blocked4").stdout
        assert instance.stop() == 0


HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend web
    bind {host}:{port}
{lines}
    default_backend tidegate
backend tidegate
    server tidegate 127.0.0.1:8080 send-proxy-v2
"""


@contextmanager
def fronted(host: Namespace, folder: Path, blocked: Path) -> Iterator[None]:
    """A HAProxy that speaks the PROXY protocol, with the lines of deploy/ at its head; it has read the map."""
    path = folder / "haproxy.cfg"
    recipe = (DEPLOY / "haproxy-frontend.cfg").read_text("utf-8")
    text = recipe.replace("/var/lib/tidegate-map/blocked.map", str(blocked))
    path.write_text(HAPROXY.format(host=HOST, port=PORT, lines=text))
    with (folder / "haproxy.log").open("ab") as log:
        process = subprocess.Popen([*host.enter, haproxy_program("haproxy"), "-db", "-f", path], stdout=log, stderr=log)
    try:
        until(lambda: process.poll() is not None or host.accepts(HOST, PORT), 20, "the proxy accepts connections")
        assert process.poll() is None, (folder / "haproxy.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)


async def test_behind_haproxy_and_the_proxy_protocol_a_flood_ends_in_the_proxy(
    serve: Serve, seed: Seed, tmp_path: Path
) -> None:
    """Its map names the client and not the proxy, and the address of somebody known never."""
    with holding() as host, host.world(BOT, SHARED) as world:
        data = copy_data(seed.data, tmp_path / "data")
        await watched(data)
        blocked = tmp_path / "blocked.map"
        config = (
            '[server]\ntrusted_proxies = ["127.0.0.1"]\nproxy_protocol = true\n'
            "[gate]\naddress_rate = 0.5\naddress_burst = 2\n[firewall]\nmode = 'on'\ntarget = 'map'\n"
            f"map_file = '{blocked}'\nrefused_rate = 1\nrefused_burst = 200\n"
        )
        instance = serve(config, data=data, ports=(8080, 0, 0), enter=host.enter).ready()
        until(blocked.exists, 10, "an empty map to begin with")
        with fronted(host, tmp_path, blocked):
            assert asked(world, SHARED, 1, instance.key) == {"200": 1}
            assert asked(world, BOT, 400).get("429", 0) > 200
            assert asked(world, SHARED, 400).get("429", 0) > 200
            until(lambda: blocked.read_text().startswith(f"{BOT}/32 "), 10, "the map names the bot")
        assert len(blocked.read_text().splitlines()) == 1
        with fronted(host, tmp_path, blocked):
            assert asked(world, BOT, 1) == {"silence": 1}
            assert asked(world, SHARED, 1, instance.key) == {"200": 1}
        assert instance.verb("firewall", "forget", BOT).returncode == 0
        until(lambda: not blocked.read_text(), 10, "it is let go")
        assert instance.stop() == 0
