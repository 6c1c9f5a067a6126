"""What the `[[engines]]` are is asked at the start; what is wrong with them stops it with key, value and fix."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from msgspec.structs import replace

from tests.adapters.engines.serving import How, ScriptedServer
from tidegate.adapters.engines.kinds import Kind
from tidegate.app.discovery import Offer, discover
from tidegate.app.survey import Lineup, relined, survey
from tidegate.config import Settings, SettingsError
from tidegate.config.engine_settings import EngineSettings, EngineUpstream

NOWHERE = "http://127.0.0.1:9"
"""The discard port: nothing listens there."""


class Machine:
    """Servers on it, and settings that name them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def serve(self, *models: dict[str, Any], **pages: tuple[int, str]) -> ScriptedServer:
        server = await self._stack.enter_async_context(ScriptedServer().running_here())
        server.models = {"data": list(models)}
        server.pages = {f"/{path.replace('_', '/')}": page for path, page in pages.items()}
        return server


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    async with AsyncExitStack() as stack:
        yield Machine(stack)


async def found(*engines: EngineUpstream, aliases: tuple[str, ...] = (), **environment: str) -> Lineup:
    settings = Settings(engines=engines, engine=EngineSettings(enabled=False, aliases=aliases))
    return await survey(settings, environment)


async def refused(*engines: EngineUpstream, **given: Any) -> str:
    with pytest.raises(SettingsError) as error:
        await found(*engines, **given)
    return str(error.value)


VLLM = {"id": "Qwen/Qwen3-8B", "owned_by": "vllm", "max_model_len": 40960}
LLAMA = {"id": "/models/tide.Q4_1.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 1024}}


async def test_a_server_says_itself_what_it_is_and_serves(machine: Machine) -> None:
    vllm = await machine.serve(VLLM)
    llama = await machine.serve(LLAMA, props=(200, '{"total_slots": 3}'))
    ollama = await machine.serve({"id": "llama3:latest", "owned_by": "me"}, api_version=(200, '{"version":"0.13"}'))

    lineup = await found(*(EngineUpstream(url=f"{one.url}/v1") for one in (vllm, llama, ollama)))

    assert [one.kind for one in lineup.servers] == [Kind.VLLM, Kind.LLAMA_CPP, Kind.OLLAMA]
    assert [one.places for one in lineup.servers] == [64, 3, 4]
    assert [one.url for one in lineup.servers] == [vllm.url, llama.url, ollama.url]
    assert lineup.context_tokens == {"Qwen/Qwen3-8B": 40960, "tide.Q4_1": 1024, "llama3:latest": 4096}
    assert lineup.warnings == ()


async def test_what_the_settings_say_wins(machine: Machine) -> None:
    server = await machine.serve(VLLM, {"id": "b", "owned_by": "vllm"})
    engine = EngineUpstream(
        url=server.url, models=("b",), kind="openai", places=7, context_tokens=512, weight=2.0, key_env="KEY"
    )
    lineup = await found(engine, KEY="sk-1")
    (plan,) = lineup.servers
    assert (plan.kind, plan.places, plan.weight, plan.key) == (Kind.OPENAI, 7, 2.0, "sk-1")
    assert plan.models == {"b"}
    assert lineup.context_tokens == {"b": 512}


async def test_of_one_model_on_several_servers_callers_are_told_what_all_of_them_can_hold(machine: Machine) -> None:
    large, small = await machine.serve(VLLM), await machine.serve({**VLLM, "max_model_len": 8192})
    lineup = await found(EngineUpstream(url=large.url), EngineUpstream(url=small.url))
    assert lineup.context_tokens == {"Qwen/Qwen3-8B": 8192}


async def test_names_may_be_what_their_server_makes_of_them(machine: Machine) -> None:
    ollama = await machine.serve({"id": "llama3:latest", "owned_by": "library"})
    llama = await machine.serve(LLAMA)
    lineup = await found(
        EngineUpstream(url=ollama.url, models=("llama3",)), EngineUpstream(url=llama.url, models=("tide",))
    )
    assert lineup.models == ("llama3", "tide")
    assert lineup.context_tokens["tide"] == 1024, "llama.cpp answers whatever it is asked for"


# ---------------------------------------------------------------- what stops the start


async def test_nobody_there_stops_the_start_where_nobody_else_serves_the_model(machine: Machine) -> None:
    said = await refused(EngineUpstream(url=NOWHERE, models=("a",)))
    assert said.startswith(f"engines[0].url = '{NOWHERE}': it does not answer (nothing listens there), and ")
    assert "no other engine serves a; start it, or correct the url" in said
    said = await refused(EngineUpstream(url=NOWHERE))
    assert "models is not set" in said


async def test_nobody_there_is_a_warning_where_another_serves_the_model(machine: Machine) -> None:
    server = await machine.serve(VLLM)
    lineup = await found(EngineUpstream(url=server.url), EngineUpstream(url=NOWHERE, models=("Qwen/Qwen3-8B",)))
    assert len(lineup.servers) == 2
    assert lineup.servers[1].is_kind_certain is False
    (warning,) = lineup.warnings
    assert warning.startswith(f"engines[1].url = '{NOWHERE}': it does not answer")


@pytest.mark.parametrize(
    ("models", "status", "said"),
    [
        ("<html>", 200, "is no OpenAI-compatible server; correct the url"),
        ({"data": [{"id": 3}]}, 200, "is no OpenAI-compatible server"),
        ({}, 404, "no OpenAI-compatible server there (status 404 at /v1/models); correct the url"),
        ({"data": []}, 200, "it lists no model; load one there"),
        ({}, 503, "it is not ready (status 503), and models is not set"),
        ({}, 401, "asks for a key (status 401); put the key into an environment variable and name that here"),
    ],
)
async def test_a_server_that_is_none_or_cannot_serve_stops_the_start(
    machine: Machine, models: Any, status: int, said: str
) -> None:
    server = await machine.serve()
    server.models, server.models_status = models, status
    told = await refused(EngineUpstream(url=server.url))
    assert said in told
    assert told.startswith("engines[0].")


async def test_a_wrong_key_stops_the_start_and_is_not_shown(machine: Machine) -> None:
    server = await machine.serve(VLLM)
    server.models_status = 403
    said = await refused(EngineUpstream(url=server.url, key_env="TIDE_KEY"), TIDE_KEY="sk-987654321")
    assert said.startswith(
        f"engines[0].key_env = 'TIDE_KEY': {server.url} refuses the key that is in this variable (sta"
    )
    assert "987654321" not in said


async def test_a_wrong_key_is_found_also_where_the_list_of_models_is_for_everybody(machine: Machine) -> None:
    server = await machine.serve(LLAMA, props=(401, "{}"))
    assert "asks for a key (status 401)" in await refused(EngineUpstream(url=server.url))


async def test_a_model_that_is_not_there_stops_the_start_and_those_that_are_are_named(machine: Machine) -> None:
    server = await machine.serve(VLLM, {"id": "b"})
    said = await refused(EngineUpstream(url=server.url, models=("c",)))
    assert said == (
        f"engines[0].models = 'c': {server.url} does not list it; it lists Qwen/Qwen3-8B, b; name one of those, or "
        "leave models out to serve all"
    )


async def test_an_alias_that_is_a_model_stops_the_start(machine: Machine) -> None:
    server = await machine.serve(VLLM)
    said = await refused(EngineUpstream(url=server.url), aliases=("Qwen/Qwen3-8B",))
    assert said.startswith("engine.aliases = 'Qwen/Qwen3-8B': is a model of the [[engines]] already")


async def test_what_travels_readable_to_another_machine_is_warned_of(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await machine.serve(VLLM)
    assert (await found(EngineUpstream(url=server.url))).warnings == ()
    monkeypatch.setattr(sys.modules[survey.__module__], "is_loopback", lambda _: False)
    (warning,) = (await found(EngineUpstream(url=server.url))).warnings
    assert "the key travel readable to another machine; use https" in warning


# ---------------------------------------------------------------- while it runs


async def test_the_same_models_may_be_served_by_other_engines_without_asking_any(machine: Machine) -> None:
    server = await machine.serve(LLAMA, props=(200, '{"total_slots": 3}'))
    first = EngineUpstream(url=server.url, models=("tide",))
    lineup = await found(first)
    asked = len(server.asked)

    more = relined(lineup, [replace(first, weight=3.0), EngineUpstream(url=NOWHERE, models=("tide",))], {})

    assert [(one.url, one.weight, one.places) for one in more.servers] == [(server.url, 3.0, 3), (NOWHERE, 1.0, 64)]
    assert [(one.kind, one.is_kind_certain) for one in more.servers] == [(Kind.LLAMA_CPP, True), (Kind.OPENAI, False)]
    assert len(server.asked) == asked


async def test_other_models_need_another_start(machine: Machine) -> None:
    server = await machine.serve(VLLM)
    lineup = await found(EngineUpstream(url=server.url))
    assert relined(lineup, [EngineUpstream(url=server.url)], {}) == lineup
    for engines, said in (
        ([], "engines: serve nothing; while the service runs it has to be Qwen/Qwen3-8B"),
        ([EngineUpstream(url=server.url, models=("b",))], "restart it to serve other models"),
        ([EngineUpstream(url=NOWHERE)], "engines[0].models: say which this engine serves"),
        ([EngineUpstream(url=server.url, key_env="GONE")], "engines[0].key_env = 'GONE'"),
    ):
        with pytest.raises(SettingsError) as error:
            relined(lineup, engines, {})
        assert said in str(error.value)


# ---------------------------------------------------------------- what is offered


async def test_engines_on_their_usual_ports_are_found_and_only_asked_for_their_models(machine: Machine) -> None:
    vllm, ollama = await machine.serve(VLLM), await machine.serve({"id": "llama3:latest", "owned_by": "me"})
    llama = await machine.serve(LLAMA)
    page, empty = await machine.serve(), await machine.serve()
    page.models = "<html>"
    ports = [(int(one.url.rpartition(":")[2]), Kind.OLLAMA) for one in (vllm, ollama, llama, page, empty)]

    offers = await discover(set(), [*ports, (9, Kind.SGLANG)])

    assert offers == (
        Offer(name="vLLM", url=vllm.url, models=("Qwen/Qwen3-8B",)),
        Offer(name="Ollama", url=ollama.url, models=("llama3:latest",)),
        Offer(name="llama.cpp", url=llama.url, models=("tide.Q4_1",)),
    )
    assert vllm.asked == ollama.asked == ["/v1/models"]
    assert not vllm.calls
    assert await discover({port for port, _ in ports}, ports) == (), "our own ports are left out"


async def test_a_port_on_which_nobody_speaks_holds_nothing_up(machine: Machine) -> None:
    silent = await machine.serve()
    silent.how = How.SILENT
    assert await discover(set(), [(int(silent.url.rpartition(":")[2]), Kind.VLLM)]) == ()
