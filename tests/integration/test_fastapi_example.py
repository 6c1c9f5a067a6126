"""The example of an application of one's own does what it says, under a real server."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import psutil
import pytest

from tests.integration.running import free_port, until
from tests.integration.speaking import Answer, exchange

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
CHAT = "/v1/chat/completions"
KNOWN = "key-of-ana"


class Server:
    """The example under uvicorn."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.out = folder / "out"
        command = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "fastapi_app:app"]
        with self.out.open("wb") as out:
            self.process = psutil.Popen(
                [*command, "--port", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ},
                start_new_session=True,
            )

        def is_well() -> bool:
            assert self.process.poll() is None, self.out.read_text()
            try:
                return self.ask("/healthz", None).status == 200
            except ConnectionError:
                return False

        try:
            until(is_well, 60, "the application")
        except BaseException:
            self.process.kill()
            self.process.wait(30)
            raise

    def ask(self, path: str, key: str | None, **body: object) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        data = json.dumps(body).encode() if body else None
        return exchange(connection, "POST" if data else "GET", path, data, headers)

    def chat(self, key: str | None, tokens: int, content: str = "one two") -> Answer:
        return self.ask(CHAT, key, messages=[{"role": "user", "content": content}], max_tokens=tokens)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("example"))
    yield started
    started.process.send_signal(signal.SIGTERM)
    started.process.wait(30)
    said = started.out.read_text()
    assert "Application shutdown complete." in said
    assert "Traceback" not in said


@pytest.mark.integration
def test_an_ordinary_client_reads_whole_answers_and_streams(server: Server) -> None:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key=KNOWN) as client:
        whole = client.chat.completions.create(
            model="any", messages=[{"role": "user", "content": "one two"}], max_tokens=3
        )
        assert whole.choices[0].message.content == "one two one "
        stream = client.chat.completions.create(
            model="any", messages=[{"role": "user", "content": "one two"}], max_tokens=4, stream=True
        )
        said = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
        assert said == ["one ", "two ", "one ", "two "]


@pytest.mark.integration
def test_pieces_arrive_as_they_are_written(server: Server) -> None:
    """All of the answer takes longer than is waited for its beginning."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    asked = {"messages": [{"role": "user", "content": "one"}], "max_tokens": 10_000, "stream": True}
    headers = {"authorization": f"Bearer {KNOWN}", "content-type": "application/json"}
    connection.request("POST", CHAT, json.dumps(asked).encode(), headers)
    response = connection.getresponse()
    for _ in range(3):
        assert b'"content": "one "' in response.readline()
        assert response.readline() == b"\n"
    response.close()
    connection.close()


@pytest.mark.integration
def test_a_key_that_the_application_does_not_know_reaches_it_once(server: Server) -> None:
    first, second = server.chat("made-up", 1), server.chat("made-up", 1)

    assert (first.status, first.json) == (401, {"detail": "This key is not known here."})
    assert (second.status, second.error["code"]) == (401, "invalid_api_key")


@pytest.mark.integration
def test_only_so_many_run_and_the_others_wait_or_are_told_when_to_come_back(server: Server) -> None:
    """Two places, answers of a second each: four of one caller take two seconds, and nobody is left without a word."""
    assert server.chat(KNOWN, 1).status == 200
    answers: list[tuple[float, Answer]] = []
    began_at = time.monotonic()  # Of all of them: one whose thread begins late waits the less.

    def ask() -> None:
        answer = server.chat(KNOWN, 100)
        answers.append((time.monotonic() - began_at, answer))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    good = sorted(took_s for took_s, answer in answers if answer.status == 200)
    refused = [answer for _, answer in answers if answer.status != 200]
    assert len(good) >= 2
    assert all(later_s > 1.5 for later_s in good[2:])
    assert len(good) + len(refused) == 8
    assert {answer.status for answer in refused} <= {429, 503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
