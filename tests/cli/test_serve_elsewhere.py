"""`tidegate serve` with engines that run elsewhere: what it finds, says, offers and refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.engines.serving import ScriptedServer, in_a_thread
from tests.cli.test_serve import _ANY_PORTS, served
from tests.cli.verbs import Verb, sentence
from tidegate.adapters.engines.kinds import Kind
from tidegate.app.discovery import Offer
from tidegate.app.serve import ServePlan

__all__ = ["served"]


@pytest.fixture
def engine() -> Iterator[ScriptedServer]:
    with in_a_thread(1) as (server,):
        yield server


def _config(folder: Path, url: str, more: str = "", *, embedded: bool = False) -> str:
    path = folder / "tidegate.toml"
    path.write_text(f'[engine]\nenabled = {str(embedded).lower()}\n[[engines]]\nurl = "{url}"\n{more}')
    return str(path)


def test_without_the_embedded_engine_its_model_is_not_asked_for(
    verb: Verb, served: list[ServePlan], engine: ScriptedServer, tmp_path: Path
) -> None:
    said = verb("serve", *_ANY_PORTS, "--config", _config(tmp_path, engine.url))
    assert said.code == 0, said.err
    (plan,) = served
    assert (plan.model, plan.model_path, plan.lineup.models) == (None, None, ("tide",))
    assert [server.kind for server in plan.lineup.servers] == [Kind.VLLM]
    assert f"tide, 64 answers at once, 4096 tokens each, at {engine.url[7:]}" in " ".join(said.out.split())
    assert not (tmp_path / "models").exists()


def test_beside_the_embedded_engine_both_models_are_served(
    verb: Verb, served: list[ServePlan], engine: ScriptedServer, tmp_path: Path
) -> None:
    config = _config(tmp_path, engine.url, embedded=True)
    said = verb("serve", *_ANY_PORTS, "--config", config, "--model", str(tmp_path / "own.gguf"))
    assert said.code == 0, said.err
    (plan,) = served
    assert plan.model is not None
    assert plan.lineup.models == ("tide",)
    engine.models = {"data": [{"id": plan.model.id}]}
    said = verb("serve", *_ANY_PORTS, "--config", config, "--model", str(tmp_path / "own.gguf"))
    assert f"engines: serve {plan.model.id}, which is the embedded engine's model" in sentence(said, 2)


def test_an_engine_that_is_not_there_stops_the_start_with_key_value_and_fix(
    verb: Verb, served: list[ServePlan], tmp_path: Path
) -> None:
    said = verb("serve", *_ANY_PORTS, "--config", _config(tmp_path, "http://127.0.0.1:9", 'models = ["a"]\n'))
    assert "engines[0].url = 'http://127.0.0.1:9': it does not answer" in sentence(said, 2)
    assert served == []


def test_a_key_that_is_not_set_stops_the_start(
    verb: Verb, served: list[ServePlan], engine: ScriptedServer, tmp_path: Path
) -> None:
    config = _config(tmp_path, engine.url, 'key_env = "TIDE_KEY"\n')
    assert "engines[0].key_env = 'TIDE_KEY': no environment variable" in sentence(
        verb("serve", *_ANY_PORTS, "--config", config), 2
    )
    assert verb("serve", *_ANY_PORTS, "--config", config, TIDE_KEY="sk-1").code == 0
    assert [server.key for server in served[-1].lineup.servers] == ["sk-1"]


def test_an_engine_on_this_machine_is_offered_at_the_first_start_and_never_used_unasked(
    verb: Verb, served: list[ServePlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def discover(_besides: frozenset[int]) -> tuple[Offer, ...]:
        return (Offer(name="Ollama", url="http://127.0.0.1:11434", models=("qwen3:8b", "llama3:latest")),)

    monkeypatch.setattr("tidegate.app.discovery.discover", discover)
    arguments = ("serve", *_ANY_PORTS, "--model", str(tmp_path / "own.gguf"))
    said = verb(*arguments)
    assert said.code == 0, said.err
    shown = [line.strip() for line in said.out.splitlines()]
    assert "Ollama runs on this machine, with qwen3:8b, llama3:latest." in " ".join(shown)
    at = shown.index("[[engines]]")
    assert shown[at - 3 : at + 3] == [
        *("[engine]", "enabled = false", "", "[[engines]]"),
        *('url = "http://127.0.0.1:11434"', 'models = ["qwen3:8b"]'),
    ]
    assert served[-1].lineup.servers == ()
    (tmp_path / "data" / "tidegate.db").touch()
    assert "Ollama" not in verb(*arguments).out, "once is enough"
