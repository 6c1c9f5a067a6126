"""Nothing that people say or keep secret is written anywhere: not in the log, not in a database, not on the console."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Serve
from tests.integration.running import END_OF_TURN, MODEL, Instance, until

pytestmark = pytest.mark.integration

CONFIG = "[server]\ndrain_s = 1\nmax_body_bytes = 65536\n[engine]\nslots = 1\nmax_waiting = 1\nstall_s = 2"


class Canaries:
    """Words that stand nowhere else, by what they were put into."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}

    def __getitem__(self, place: str) -> str:
        return self.words.setdefault(place, f"canary-{len(self.words)}-kanarienvogel-{len(self.words):04d}")

    def add(self, place: str, word: str) -> None:
        self.words[place] = word


def test_no_prompt_password_or_key_is_found_in_any_file_or_output(serve: Serve) -> None:
    said = Canaries()
    email = f"{said['user name']}@example.org"
    instance = serve(CONFIG).ready()
    made = instance.verb(
        "users", "create", email, "--password-stdin", stdin=f"{said['password']} and some more words\n"
    )
    assert made.returncode == 0, made.stderr
    key = json.loads(instance.verb("keys", "create", "--user", email, "--json").stdout)["key"]
    said.add("good key", key)
    said.add("good key's secret", key.rpartition(".")[2] or key[-20:])
    instance.key = key
    instance.verb("users", "create", f"{said['bad email']} no address", "--password-stdin", stdin=f"{said['short']}\n")

    _ask_in_every_way(instance, said)
    _break_in_every_way(instance, said)
    # And once more on the same data, after a death without a farewell.
    second = serve(CONFIG, data=instance.data).ready()
    second.key = key
    _ask_in_every_way(second, said)
    running = second.call(_story(said["system prompt 3"], said["prompt 3"]))
    running.wait_for_text()
    assert second.stop() == 0
    running.leave()

    assert len(said.words) > 20
    outputs = [one.folder / name for one in (instance, second) for name in ("stdout", "stderr")]
    files = [path for path in instance.data.rglob("*") if path.is_file()]
    assert {"tidegate.db", "user-keys.db", "events.jsonl"} <= {path.name for path in files}
    found = list(_found([*files, *outputs], said))
    # The address is what the database is for; all else is nobody's business.
    assert [(place, path) for place, path in found if (place, path.name) != ("user name", "tidegate.db")] == []
    assert found, "the search can find: the address stands in the database"


def _found(files: list[Path], said: Canaries) -> Iterator[tuple[str, Path]]:
    for path in files:
        content = path.read_bytes()
        yield from ((place, path) for place, word in said.words.items() if word.encode() in content)


def _story(system: str, prompt: str) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": f"Repeat: {prompt}"}]
    return {"messages": messages, "max_tokens": 1500, "logit_bias": END_OF_TURN, "stream": True}


def _ask_in_every_way(instance: Instance, said: Canaries) -> None:
    chat = "/v1/chat/completions"
    good = {"model": MODEL, "max_tokens": 2, "user": said["user field"], "stop": [said["stop"]]}
    messages = [
        {"role": "system", "content": said["system prompt"]},
        {"role": "user", "content": said["prompt"], "name": said["author"]},
    ]
    tool = {"type": "function", "function": {"name": "f", "description": said["tool"]}}
    headers = {"user-agent": said["agent"], "x-request-id": said["request id"], "x-forwarded-for": said["forwarded"]}
    assert instance.ask(chat, {**good, "messages": messages}, headers=headers).status == 200
    # This model's template takes no tools: what was sent with them is refused, and must not be kept either.
    assert instance.ask(chat, {**good, "messages": messages, "tools": [tool]}, headers=headers).status == 400
    assert instance.ask("/v1/completions", {**good, "prompt": said["text prompt"]}).status == 200
    bad_schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": said["schema"]}}}
    refused: list[tuple[int, Any]] = [
        (400, {**good, "messages": messages, "response_format": bad_schema}),
        (400, {**good, "messages": [{"role": said["role"], "content": "x"}]}),
        (400, {**good, "messages": [{"role": "user", "content": said["long prompt"] + " word" * 6000}]}),
        (400, f'{{"messages": [{{"role": "user", "content": "{said["cut json"]}'.encode()),
        (404, {**good, "model": said["model"], "messages": messages}),
        (413, {**good, "messages": [{"role": "user", "content": said["large body"] * 10_000}]}),
    ]
    for status, body in refused:
        assert instance.ask(chat, body).status == status, body
    assert instance.ask(f"/v1/models/{said['path']}?secret={said['query']}").status == 404
    assert instance.ask(f"/{said['lost path']}?key={said['lost query']}").status == 404
    assert instance.ask("/v1/models", key=said["bad key"]).status == 401
    assert instance.ask("/v1/models", headers={"authorization": f"Basic {said['basic']}"}).status == 401
    assert instance.ask("/v1/models", headers={"cookie": f"session={said['cookie']}"}).status == 200


def _break_in_every_way(instance: Instance, said: Canaries) -> None:
    left = instance.call(_story(said["system prompt 1"], said["prompt 1"]))
    left.wait_for_text()
    left.leave()
    until(instance.is_idle, 20, "idle")
    broken = instance.call(_story(said["system prompt 2"], said["prompt 2"]))
    broken.wait_for_text()
    engine = instance.engine()
    engine.kill()
    assert list(broken.events())[-1]["error"]["code"] == "engine_failed"
    broken.leave()
    until(lambda: instance.is_mended(engine), 30, "ready again")
    stuck = instance.call(_story(said["system prompt 4"], said["prompt 4"]))
    stuck.wait_for_text()
    engine = instance.engine()
    engine.suspend()
    assert list(stuck.events())[-1]["error"]["code"] == "engine_failed"
    stuck.leave()
    until(lambda: instance.is_mended(engine), 30, "ready again")
    running = instance.call(_story(said["system prompt 5"], said["prompt 5"]))
    running.wait_for_text()
    instance.process.kill()
    instance.process.wait()
    running.leave()
