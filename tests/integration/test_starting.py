"""The start of the service: where it listens, what it refuses to start on, how long it takes."""

from __future__ import annotations

import shlex
import socket
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.integration.conftest import Serve
from tests.integration.running import MODEL, Instance, environment, free_ports, run_verb

pytestmark = pytest.mark.integration


def _refused(models: Path, *arguments: str, data: Path) -> str:
    done = run_verb("serve", *arguments, data=data, models=models)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_second_service_on_the_same_data_is_refused_and_the_first_goes_on(service: Instance, models: Path) -> None:
    ports = ("--port", "0", "--status-port", "0", "--operator-port", "0")
    said = _refused(models, *ports, data=service.data)
    assert str(service.data) in said
    assert str(service.process.pid) in said
    assert "--data" in said, "it says what to do"
    assert service.readiness() == 200


@pytest.mark.parametrize("option", ["--port", "--status-port", "--operator-port"])
def test_a_taken_port_stops_the_start_with_a_sentence(models: Path, tmp_path: Path, option: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = str(holder.getsockname()[1])
        others = [part for name in ("--port", "--status-port", "--operator-port") for part in (name, "0")]
        said = _refused(models, *others, option, taken, data=tmp_path / "data")
    assert taken in said
    assert option in said, "it names the option that changes it"


def test_settings_that_cannot_be_used_stop_the_start_with_a_sentence(models: Path, tmp_path: Path) -> None:
    config = tmp_path / "tidegate.toml"
    said = _refused(models, "--config", str(config), data=tmp_path / "data")
    assert str(config) in said
    config.write_text("[engine\nslots = 2")
    assert "TOML" in _refused(models, "--config", str(config), data=tmp_path / "data")
    config.write_text("[engine]\nslots = 0")
    assert "engine.slots = 0" in _refused(models, "--config", str(config), data=tmp_path / "data")
    config.write_text("[engine]\nslot = 2")
    assert "did you mean engine.slots?" in _refused(models, "--config", str(config), data=tmp_path / "data")


def test_a_data_directory_that_is_a_file_stops_the_start(models: Path, tmp_path: Path) -> None:
    place = tmp_path / "data"
    place.write_text("mine")
    assert str(place) in _refused(models, data=place)
    assert place.read_text() == "mine"


def test_a_model_that_nobody_knows_stops_the_start(models: Path, tmp_path: Path) -> None:
    ports = ("--port", "0", "--status-port", "0", "--operator-port", "0")
    done = run_verb("serve", *ports, "--model", "no-such-model", data=tmp_path / "data", models=models)
    assert done.returncode in {1, 2}
    assert "no-such-model" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_listens_where_it_was_told_and_the_operator_port_on_loopback_only(serve: Serve) -> None:
    ports = free_ports(3)
    instance = serve("[server]\nhost = '0.0.0.0'\nallow_plain_http = true\n[engine]\nslots = 1", ports=ports).ready()
    assert [int(url.rpartition(":")[2]) for url in (instance.public, instance.status, instance.operator)] == list(ports)
    bound = {
        c.laddr.port: c.laddr.ip for c in instance.process.net_connections("tcp") if c.status == psutil.CONN_LISTEN
    }
    assert bound == {ports[0]: "0.0.0.0", ports[1]: "0.0.0.0", ports[2]: "127.0.0.1"}
    assert not [c for c in instance.engine().net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert instance.ask("/api/v2/status.json", at=instance.status).json["status"]["indicator"] == "none"
    assert b"All systems operational" in instance.ask("/", at=instance.status).body
    assert b"tidegate" in instance.ask("/metrics", at=instance.operator).body
    for path in ("/api/vitals", "/metrics"):
        assert instance.ask(path).status == 404, "what is the operator's is not on the public port"
        assert instance.ask(path, at=instance.status).status == 404
    # Another loopback address reaches what is open to all, and not what is the operator's.
    assert instance.ask("/healthz", at=f"http://127.0.0.2:{ports[0]}").status == 200
    with pytest.raises(ConnectionRefusedError):
        instance.ask("/healthz", at=f"http://127.0.0.2:{ports[2]}")


def test_the_commands_that_the_greeting_shows_can_be_typed(serve: Serve, models: Path, tmp_path: Path) -> None:
    instance = serve("[engine]\nslots = 1", data=tmp_path / "fresh").ready()
    lines = [line.strip() for line in instance.out_path.read_text().splitlines()]
    shown = [line for line in lines if " users create " in line or " keys create " in line]
    assert len(shown) == 2
    user, key = (
        subprocess.run(
            shlex.split(line), env=environment(models), capture_output=True, text=True, check=False, timeout=60
        )
        for line in shown
    )
    assert user.returncode == 0, (shown, user.stderr)
    assert key.returncode == 0, (shown, key.stderr)
    assert instance.ask("/v1/models", key=key.stdout.strip()).status == 200


@pytest.mark.timed
def test_a_warm_start_is_ready_in_seconds(serve: Serve, measured: Callable[[str], None]) -> None:
    taken = []
    data = None
    for _ in range(3):
        began = time.monotonic()
        instance = serve("[engine]\nslots = 1", data=data).ready()
        taken.append(time.monotonic() - began)
        assert instance.readiness() == 200
        assert instance.ask("/v1/completions", {"model": MODEL, "prompt": "1, 2,", "max_tokens": 1}).status == 200
        assert instance.stop() == 0
        data = instance.data
    figures = f"warm start to ready: median {statistics.median(taken):.1f} s, worst {max(taken):.1f} s"
    measured(figures)
    assert statistics.median(taken) <= 10, figures
