"""`tidegate gate` as a program before real servers, some of which fall over while it runs."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import openai
import pytest

from tests.certificates import make
from tests.integration.gating import CHAT, Bare, GateInstance, answering
from tests.integration.running import END_OF_TURN, MODEL, START_S, until

pytestmark = pytest.mark.integration

QUICK = "[engine]\nfirst_token_s = 5.0\nstall_s = 5.0\nprobe_after_s = 1.0\n"
PATIENT = "[engine]\nprobe_after_s = 1.0\n"
BOUND_S = 20.0
LONGEST_PAUSE_S = 3.0
LISTED = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PIECE = b'22\r\ndata: {"choices":[{"delta":{}}]}\n\n\r\n'
Start = Callable[..., GateInstance]


@pytest.fixture(scope="module")
def bare(models: Path) -> Iterator[Bare]:
    server = Bare(models)
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Gates on one data directory, one after the other."""
    started: list[GateInstance] = []

    def begin(*upstreams: str, **options: object) -> GateInstance:
        started.append(GateInstance(tmp_path, *upstreams, **{"config": QUICK, **options}))  # type: ignore[arg-type] # as named
        return started[-1]

    yield begin
    for gate in started:
        gate.kill()


def test_clients_ask_through_it_as_they_would_ask_the_server(bare: Bare, start: Start) -> None:
    gate = start(bare.url).ready()
    gate.meet("sk-ana")
    client = openai.OpenAI(base_url=f"{gate.public}/v1", api_key="sk-ana", max_retries=0)
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "Name the capital of France."}]}
    whole = client.chat.completions.create(**asked, max_tokens=16, temperature=0)  # type: ignore[call-overload] # fields by their names
    assert "Paris" in whole.choices[0].message.content
    assert whole.usage.completion_tokens > 0
    stream = client.chat.completions.create(**asked, max_tokens=16, temperature=0, stream=True)  # type: ignore[call-overload] # fields by their names
    pieces = list(stream)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == whole.choices[0].message.content
    assert all(piece.usage is None for piece in pieces), "nobody asked for it"
    options = {"include_usage": True}
    stream = client.chat.completions.create(**asked, max_tokens=4, stream=True, stream_options=options)  # type: ignore[call-overload] # fields by their names
    assert list(stream)[-1].usage.completion_tokens > 0
    assert [model.id for model in client.models.list()]
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=MODEL, messages="x")  # type: ignore[arg-type] # what it must not take
    for path in ("/slots", "/props", "/metrics", "/lora-adapters", "/v1//models", "/health"):
        assert gate.ask(path).status == 404
        assert gate.ask(path).headers["x-request-id"]
    assert gate.readiness() == 200
    assert gate.stop() == 0, gate.output
    lines = [line for line in gate.events("request:finished") if line["route"] == "chat"]
    assert all(line["in_tok"] > 0 for line in lines[:3])
    assert "sk-ana" not in (gate.data / "logs" / "events.jsonl").read_text() + gate.output


def test_a_server_that_dies_is_refused_for_cleanly_and_served_again_when_it_is_back(models: Path, start: Start) -> None:
    server = Bare(models).start()
    try:
        gate = start(server.url).ready()
        assert gate.chat().status == 200
        call = gate.call(stream=True, max_tokens=900, logit_bias=END_OF_TURN)
        assert call.response.status == 200
        call.response.read(10)
        server.kill()
        assert b"engine_failed" in call.response.read(), "the stream says that it broke"
        began = time.monotonic()
        refused = gate.chat()
        assert time.monotonic() - began < BOUND_S
        assert refused.status in {502, 503}
        assert refused.error["code"] in {"engine_failed", "engine_unavailable", "server_is_overloaded"}
        assert refused.headers["x-request-id"]
        until(lambda: gate.readiness() == 503, BOUND_S, "it says that it is not ready")
        server.start()
        until(lambda: gate.readiness() == 200, BOUND_S, "it is ready again")
        assert gate.chat().status == 200
        told = ["ready", "failed", "ready"]
        until(lambda: [one["state"] for one in gate.events("engine:changed")] == told, 5, "each change is told once")
        call.leave()
        assert gate.stop() == 0
    finally:
        server.kill()


def _closing(connection: socket.socket) -> None:
    connection.close()


def _babbling(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"SSH-2.0-nonsense\r\n\r\n")


def _silent(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def _page(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\nconnection: close\r\n\r\n<p/>"
    )


def _full(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 503 Full\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")


@pytest.mark.parametrize("fault", [_closing, _babbling, _silent, _page, _full])
def test_of_two_servers_one_that_is_no_good_costs_nobody_an_answer(
    bare: Bare, start: Start, fault: Callable[[socket.socket], None]
) -> None:
    # Who says nothing is found out by waiting; beside the others nobody need be quick.
    config = QUICK if fault is _silent else PATIENT
    with answering(fault) as other, ThreadPoolExecutor(4) as crowd:
        gate = start(bare.url, other, config=config).ready()
        # A key that nobody knows yet makes room for those that are known, on a slow machine for itself a moment later.
        gate.meet("sk-ana", max_tokens=1)
        began = time.monotonic()
        answers = list(crowd.map(lambda number: gate.chat(stream=bool(number % 2)), range(12)))
        assert [answer.status for answer in answers] == [200] * 12
        assert time.monotonic() - began < 3 * BOUND_S
        assert [answer.body for answer in answers[1::2] if b"[DONE]" not in answer.body] == []
        assert gate.stop() == 0


def test_a_server_that_cuts_every_answer_is_soon_left_alone(bare: Bare, start: Start) -> None:
    def cutting(connection: socket.socket) -> None:
        asked = connection.recv(65536)
        connection.sendall(LISTED if asked.startswith(b"GET") else STREAM + PIECE)

    with answering(cutting) as other:
        gate = start(bare.url, other).ready()
        gate.meet("sk-ana", stream=True)
        began = time.monotonic()
        bodies = [gate.chat(stream=True).body for _ in range(24)]
        took_s = time.monotonic() - began
        assert all((b"[DONE]" in body) != (b"engine_failed" in body) for body in bodies), "ended well or says why"
        # Three in a row and a trial after each of the first pauses; then one in every pause for as long as it takes.
        assert sum(b"engine_failed" in body for body in bodies) <= 6 + took_s / LONGEST_PAUSE_S
        assert gate.stop() == 0


def test_a_server_that_is_stopped_holds_nobody_longer_than_is_said(models: Path, bare: Bare, start: Start) -> None:
    other = Bare(models).start()
    try:
        gate = start(bare.url, other.url).ready()
        gate.meet("sk-ana")
        assert [gate.chat().status for _ in range(4)] == [200] * 4
        assert other.process is not None
        other.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        with ThreadPoolExecutor(4) as crowd:
            answers = list(crowd.map(lambda _: gate.chat(stream=True), range(8)))
        assert time.monotonic() - began < 2 * BOUND_S
        assert [answer.status for answer in answers] == [200] * 8
        assert all(b"[DONE]" in answer.body for answer in answers)
        other.process.send_signal(signal.SIGCONT)
        assert gate.stop() == 0
    finally:
        other.kill()


def test_a_server_with_https_is_asked_only_where_its_certificate_is_trusted(tmp_path: Path, start: Start) -> None:
    pair = make(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    # One for each gate: what the first was asked in its last moments may be read long after.
    seen: dict[str, list[bytes]] = {"trusted": [], "strange": []}

    def secure(connection: socket.socket, asked: list[bytes]) -> None:
        with context.wrap_socket(connection, server_side=True) as line:
            asked.append(line.recv(65536))
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 14\r\n"
            line.sendall(head + b'connection: close\r\n\r\n{"choices":[]}')

    with answering(partial(secure, asked=seen["trusted"])) as plain:
        gate = start(plain.replace("http:", "https:"), env={"SSL_CERT_FILE": str(pair.cert)}).ready()
        assert gate.chat().json == {"choices": []}
        assert gate.stop() == 0
    with answering(partial(secure, asked=seen["strange"])) as plain:
        stranger = start(plain.replace("http:", "https:"))
        until(lambda: "No server answers" in stranger.output, BOUND_S, "it says that it trusts nobody there")
        assert stranger.stop() == 0
    assert seen["trusted"]
    assert seen["strange"] == []


def test_a_stop_lets_answers_end_and_takes_no_new_ones(start: Start) -> None:
    may_end = threading.Event()

    def holding(connection: socket.socket) -> None:
        if connection.recv(65536).startswith(b"GET"):
            connection.sendall(LISTED)
            return
        connection.sendall(STREAM + PIECE)
        may_end.wait(BOUND_S)
        connection.sendall(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    with answering(holding) as url:
        gate = start(url, config=PATIENT).ready()
        call = gate.call(stream=True)
        assert call.response.status == 200
        call.response.read(10)
        gate.process.send_signal(signal.SIGTERM)
        until(lambda: gate.readiness() == 503, 10, "it says that it goes")
        assert gate.chat().error["code"] == "server_is_draining"
        may_end.set()
        assert b"[DONE]" in call.response.read()
        call.leave()
        assert gate.process.wait(30) == 0, gate.output


def test_a_policy_is_read_again_on_a_signal(bare: Bare, start: Start) -> None:
    gate = start(bare.url).ready()
    gate.config.write_text(QUICK + "[gate]\naddress_rate = 7.0\n")
    gate.process.send_signal(signal.SIGHUP)
    until(lambda: "address_rate" in gate.output, 10, "it says what has changed")
    gate.config.write_text(QUICK + "[gate]\naddress_rate = -1.0\n")
    gate.process.send_signal(signal.SIGHUP)
    until(lambda: "-1" in gate.output, 10, "it says what is wrong")
    assert gate.chat().status == 200


@pytest.mark.parametrize(
    ("upstreams", "arguments", "said"),
    [
        ((), (), ("--upstream", "http://127.0.0.1:8000")),
        (("ftp://h",), (), ("--upstream", "ftp://h", "expected http://")),
        (("http://h:99999",), (), ("--upstream", "port")),
        (("http://h", "http://h/v1"), (), ("--upstream", "once")),
        (("http://user:secret@h",), (), ("--upstream", "key_env")),
        (("http://h",), ("--upstream-key-env", "NO_SUCH_NAME"), ("--upstream-key-env", "NO_SUCH_NAME", "put")),
        ((), ("--upstream-key-env", "NO_SUCH_NAME"), ("--upstream-key-env", "--upstream")),
    ],
)
def test_what_cannot_be_meant_stops_the_start_and_says_what_to_do(
    start: Start, upstreams: tuple[str, ...], arguments: tuple[str, ...], said: tuple[str, ...]
) -> None:
    gate = start(*upstreams, arguments=arguments)
    assert gate.process.wait(30) == 2
    for word in said:
        assert word in gate.output
    assert "secret" not in gate.output
    assert "Traceback" not in gate.output


def test_who_was_served_or_vouched_for_is_known_after_a_restart(bare: Bare, start: Start) -> None:
    gate = start(bare.url).ready()
    assert gate.chat("sk-ana").status == 200
    vouched = gate.verb("callers", "vouch", "--key-stdin", stdin="sk-bo\n")
    assert vouched.returncode == 0, vouched.stderr
    assert "established" in vouched.stdout
    assert gate.stop() == 0
    again = start(bare.url).ready()
    before = len(again.events("request:finished"))
    for key in ("sk-bo", "sk-ana", "sk-new"):
        assert again.chat(key).status == 200
    until(lambda: len(again.events("request:finished")) == before + 3, 5, "each is told")
    told = [line["standing"] for line in again.events("request:finished")[before:]]
    assert told == ["established", "newcomer", "visitor"]
    until(lambda: len(again.known()) == 3, START_S, "the new one is known, too")
    assert again.ask(CHAT, []).status == 400
    assert again.stop() == 0
