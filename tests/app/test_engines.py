"""Lines are as long as the engines behind them have places, and engines are exchanged with the policy."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.adapters.engines.serving import How, ScriptedServer
from tests.admitting import an_admission
from tidegate.adapters.engines.kinds import Kind
from tidegate.adapters.engines.servers import ServerPlan
from tidegate.app.engines import open_elsewhere
from tidegate.app.policy import live_policy
from tidegate.app.survey import Lineup
from tidegate.config import Settings, SettingsError, load_settings
from tidegate.config.engine_settings import EngineSettings
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.capacity.health import EngineState
from tidegate.core.events import EngineChanged, Level
from tidegate.ports.engine import ReplicaReport
from tidegate.services.policy import PolicyError
from tidegate.testing.clock import HandClock, until
from tidegate.testing.journal import RecordingJournal

QUICK = Settings(engine=EngineSettings(probe_after_s=0.2, first_token_s=0.5, stall_s=0.5))


async def test_a_line_follows_the_places_of_its_engines_and_their_changes_are_written_down() -> None:
    journal, lost = RecordingJournal(), list[ReplicaReport]()
    async with ScriptedServer().running_here() as one, ScriptedServer().running_here() as other:
        servers = tuple(ServerPlan(url=server.url, models=frozenset({"tide"}), places=8) for server in (one, other))
        lineup = Lineup(servers=servers, context_tokens={"tide": 4096})
        elsewhere = open_elsewhere(QUICK, lineup, b"k" * 32, journal, lost.append)
        (line,) = elsewhere.lines()
        plan = line.fit(AdmissionPlan())
        assert (plan.slots, plan.readers) == (16, 4), "whoever was not tried yet counts"
        admission = an_admission(HandClock(), plan.slots)
        elsewhere.admissions.append((elsewhere.engines[0], admission))
        await elsewhere.fleet.start()
        await asyncio.wait_for(elsewhere.ready.wait(), 10)

        other.models_status = 500
        await until(lambda: admission.scheduler.plan.slots == 8, 0.01)
        assert [one.replica for one in lost] == [other.url.removeprefix("http://")]
        one.how = other.how = How.SILENT
        await until(lambda: elsewhere.engines[0].report().state is EngineState.FAILED, 0.01)
        await until(lambda: admission.scheduler.plan.slots == 1, 0.01)
        assert "0 of 2 engines answer" in elsewhere.engines[0].report().why
        await elsewhere.fleet.stop()

    told = [(event.replica, event.state, event.healthy, event.level) for event in journal.of(EngineChanged)]
    name = other.url.removeprefix("http://")
    assert (name, EngineState.READY, True, Level.INFO) in told
    assert (name, EngineState.FAILED, False, Level.ERROR) in told


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("models", [("tide",), ("tide", "ebb")])
async def test_where_a_look_could_load_a_model_or_cost_money_it_waits_for_a_caller(
    kind: Kind, models: tuple[str, ...]
) -> None:
    plan = ServerPlan(url="http://a:1", models=frozenset(models), kind=kind)
    lineup = Lineup(servers=(plan,), context_tokens=dict.fromkeys(models, 4096))
    elsewhere = open_elsewhere(QUICK, lineup, b"k" * 32, RecordingJournal(), lambda _: None)

    targets = {target.engine.card.id: target for target in elsewhere.looked_at()}
    assert targets.keys() == set(models)
    tide = targets["tide"]
    assert (tide.server, tide.replica, tide.is_crowded()) == ("http://a:1", "a:1", False)
    is_resident = kind in {Kind.LLAMA_CPP, Kind.VLLM, Kind.SGLANG} and models == ("tide",)
    assert tide.uses() == (None if is_resident else 0)
    elsewhere.fleet.servers[0].answers["tide"] = 3
    assert tide.uses() == (None if is_resident else 3)
    elsewhere.fleet.replan([])
    assert list(elsewhere.looked_at()) == []


async def test_what_an_owner_asked_is_salted_by_a_key_of_ours() -> None:
    salts = set()
    for key in (b"k" * 32, b"l" * 32):
        lineup = Lineup(context_tokens={"tide": 4096})
        engine = open_elsewhere(QUICK, lineup, key, RecordingJournal(), lambda _: None).engines[0]
        salts |= {engine._salt(owner) for owner in ("usr_ana", "usr_bo")}
    assert len(salts) == 4
    assert all(len(salt) == 64 and "usr" not in salt for salt in salts)


def test_a_reload_exchanges_engines_or_says_why_not(tmp_path: Path) -> None:
    file, relined = tmp_path / "tidegate.toml", list[tuple[str, ...]]()

    def read() -> Settings:
        return load_settings(file, {"HOME": "/people/ana"})

    def checked(settings: Settings) -> object:
        if any(engine.models == ("another",) for engine in settings.engines):
            msg = "engines: serve another; restart"
            raise SettingsError(msg)
        return lambda: relined.append(tuple(engine.url for engine in settings.engines))

    file.write_text('[[engines]]\nurl = "http://a:1"\n')
    policy = live_policy(
        read(),
        read=read,
        shard_key=b"k" * 32,
        apply=lambda _: None,
        certificate=None,
        journal=RecordingJournal(),
        clock=lambda: 1.0,
        relined=checked,  # type: ignore[arg-type]  # what it answers is called, and nothing else
    )
    file.write_text('[[engines]]\nurl = "http://b:1"\nweight = 2\n')
    assert set(policy.reload().changed) == {"engines"}
    assert relined == [("http://b:1",)]
    file.write_text('[[engines]]\nurl = "http://b:1"\nmodels = ["another"]\n')
    for refused in (policy.preview, policy.reload):
        with pytest.raises(PolicyError, match="serve another; restart"):
            refused()
    file.write_text('[[engines]]\nurl = "http://b:1"\n[[engines]]\nurl = "http://b:1"\n')
    with pytest.raises(PolicyError, match=r"engines\[1\]\.url"):
        policy.reload()
    policy.roll_back()
    assert relined == [("http://b:1",), ("http://a:1",)]
