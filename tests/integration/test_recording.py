"""A real gate that writes its decisions down, and what a replay makes of them."""

from __future__ import annotations

import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Serve
from tests.integration.gating import GateInstance, answering
from tests.integration.running import MODEL, run_verb

pytestmark = pytest.mark.integration

SECRET = "a prompt that nobody else may read"
ANSWER = json.dumps(
    {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It rises."}}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24},
    }
).encode()
RECORDING = "[record]\ndecisions = true\n[gate]\naddress_burst = 500\n"


def reply(connection: socket.socket) -> None:
    """Answer every request of a connection with the same few words."""
    with connection.makefile("rb") as asked:
        while first := asked.readline():
            size = 0
            while (line := asked.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                size = int(value) if name.lower() == b"content-length" else size
            asked.read(size)
            body = ANSWER if first.startswith(b"POST") else b'{"object":"list","data":[{"id":"m","object":"model"}]}'
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            connection.sendall(head + body)


@pytest.fixture
def upstream() -> Iterator[str]:
    with answering(reply) as url:
        yield url


def files(gate: GateInstance) -> list[Path]:
    return sorted((gate.data / "logs").glob("decisions-*.jsonl"))


def replayed(gate: GateInstance, policy: str) -> dict[str, Any]:
    gate.config.with_name("policy.toml").write_text(policy)
    told = gate.verb_alone(
        "lab", "replay", str(gate.data / "logs"), "--policy", str(gate.config.with_name("policy.toml")), "--json"
    )
    assert told.returncode == 0, told.stderr
    return dict(json.loads(told.stdout))


def test_what_a_gate_decided_is_written_without_a_word_and_comes_out_again(tmp_path: Path, upstream: str) -> None:
    gate = GateInstance(tmp_path, upstream, config=RECORDING).ready()
    try:
        said = [{"role": "user", "content": SECRET}]
        asked = {"messages": said, "model": "m"}
        gate.meet("sk-ana", "sk-ben", **asked)
        assert [gate.chat(f"sk-{who}", **asked).status for who in ("ana", "ben") * 5] == [200] * 10
        for _ in range(30):
            assert gate.ask("/v1/models", key="sk-ana").status == 200
        assert gate.ask("/nothing/here").status == 404
        assert gate.stop() == 0, gate.output
    finally:
        gate.kill()

    [record] = files(gate)
    assert record.stat().st_mode & 0o777 == 0o600
    text = record.read_text()
    assert not re.search(r"sk-|127\.0\.0\.1|nobody|rises|localhost", text)
    assert {json.loads(line)["kind"] for line in text.splitlines()} >= {"begin", "gate", "claim", "end", "met"}

    same = replayed(gate, RECORDING)
    assert same["fidelity"]["gate"]["share"] == 1.0
    assert same["fidelity"]["gate"]["of"] >= 43
    assert same["differences"]["most_changed"] == []

    tight = replayed(gate, RECORDING + "principal_rate = 0.001\nprincipal_burst = 3\n")
    lines = [json.loads(line) for line in text.splitlines()]
    known = Counter(line["who"] for line in lines if line["kind"] == "gate" and line.get("bearing") == "genuine")
    assert sorted(known.values()) == [5, 36], "both are known from their second request on"
    beyond = {who: asked - 3 for who, asked in known.items()}
    assert tight["differences"]["gate"]["newcomer"]["passed_to_refused"] == sum(beyond.values())
    worse = {one["who"]: one["worse"] for one in tight["differences"]["most_changed"]}
    assert worse.keys() == beyond.keys()
    assert all(worse[who] >= beyond[who] for who in worse)


def test_what_a_service_decided_of_people_and_programs_comes_out_again(serve: Serve, tmp_path: Path) -> None:
    service = serve(RECORDING).ready()
    body = {"model": MODEL, "messages": [{"role": "user", "content": SECRET}], "max_tokens": 8}
    assert [service.ask("/v1/chat/completions", body).status for _ in range(4)] == [200] * 4
    assert [service.ask("/sign-in", key="").status for _ in range(5)] == [200] * 5
    assert service.ask("/v1/chat/completions", body, key="tgk_no_key_of_ours").status == 401
    assert service.stop() == 0, service.output
    policy = tmp_path / "policy.toml"
    policy.write_text(RECORDING)

    told = run_verb("lab", "replay", service.data / "logs", "--policy", policy, "--json", models=service.models)

    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert found["fidelity"]["gate"]["share"] == 1.0
    assert found["fidelity"]["gate"]["of"] >= 10
    assert [alike["share"] for alike in found["fidelity"]["claims"].values()] == [1.0]
    assert found["differences"]["most_changed"] == []


def test_a_gate_records_nothing_unless_it_is_told_to(tmp_path: Path, upstream: str) -> None:
    gate = GateInstance(tmp_path, upstream).ready()
    try:
        assert gate.chat(model="m").status == 200
        assert gate.stop() == 0, gate.output
    finally:
        gate.kill()

    assert files(gate) == []
