"""The live world as a whole, with a program in the service's place that answers at once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from tests.lab.live.pretending import LATEST, pretended
from tidegate.core.credentials import Forged, Kind, ServerKeys, read
from tidegate.lab.actors.retrying import Bug, asking
from tidegate.lab.acts import (
    Ask,
    Asked,
    Chat,
    Ended,
    Group,
    Hold,
    Life,
    Need,
    Outcome,
    Page,
    SignIn,
    SignUp,
    Spawn,
    Wait,
    Who,
)
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.live import processes, watching, world
from tidegate.lab.live.service import LiveError
from tidegate.lab.live.stage import Limits
from tidegate.lab.live.tongue import FINE
from tidegate.lab.live.world import LiveRun, play
from tidegate.lab.scenario import Scenario, parse

ADA = Who(name="ada", group=Group.ESTABLISHED, address=0x0A000001, has_account=True)
EVE = Who(name="eve", group=Group.ATTACKER, address=0x0A000001, family="request_flood")


class Ear:
    def __init__(self) -> None:
        self.outcomes: list[tuple[Ask, Outcome]] = []
        self.needs: list[Ended] = []
        self.samples: list[Sampled] = []
        self.happenings: list[Happened] = []

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        self.outcomes.append((ask, outcome))

    def ended(self, ended: Ended) -> None:
        self.needs.append(ended)

    def sampled(self, sample: Sampled) -> None:
        self.samples.append(sample)

    def happened(self, happened: Happened) -> None:
        self.happenings.append(happened)


def scenario(duration_s: float = 0.6, more: str = "") -> Scenario:
    head = f'version = 1\nname = "x"\ntitle = "x"\nabout = "x"\nduration_s = {duration_s}\nworlds = ["live"]\n'
    return parse(head + more)


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "GRACE_S", 0.3)
    monkeypatch.setattr(world, "running", pretended)
    monkeypatch.setattr(watching, "EVERY_S", 0.1)


async def played(
    lives: Iterable[Life], what: Scenario | None = None, limits: Limits | None = None, **more: Any
) -> tuple[LiveRun, Ear]:
    ear = Ear()
    run = await play(what or scenario(), lives, [ear], limits=limits or Limits(), is_pinned=False, **more)
    return run, ear


def one(who: Who, *asked: Asked) -> Life:
    for what in asked:
        outcome = yield Ask(who, what)
        assert outcome is not None
        yield Ended(who, Need.CHAT, outcome.asked_at_s, 1, outcome)


CHAT = Chat(prompt_tokens=50, answer_tokens=3)


async def test_everything_that_may_be_asked_is_asked_and_told(tmp_path: Path) -> None:
    def source() -> Life:
        yield Spawn(one(EVE, CHAT))
        yield Wait(0.05)
        yield Spawn(one(ADA, CHAT, Chat(prompt_tokens=60, answer_tokens=2, cached_tokens=40), Page()))
        yield Wait(99.0)

    other = Who(name="x", group=Group.ATTACKER, address=7, has_account=True)
    lives = [
        source(),
        one(ADA, SignIn(account="ada", is_known_device=True)),
        one(EVE, SignIn(account="ada", is_right=False), SignUp(gives_up_after_s=0.05)),
        one(other, Hold(for_s=0.05), Hold(for_s=0.05, reads_nothing=True)),
        one(EVE, Hold(for_s=0.01, reads_nothing=True)),
        one(other, Chat(prompt_tokens=40, answer_tokens=2, is_stream=False)),
    ]
    what = scenario(3.0, '[[attack]]\nfamily = "request_flood"\nfrom_s = 0\nuntil_s = 0.5\n')
    run, ear = await played(lives, what, people=[ADA], keep=tmp_path)
    came = Counter((type(ask.what).__name__, ask.who.name, outcome.status) for ask, outcome in ear.outcomes)

    assert run.is_complete
    assert came["Chat", "eve", 401] == 1
    assert came["Chat", "ada", 200] == 2
    assert came["Chat", "x", 200] == 1
    assert came["Page", "ada", 200] == 1
    assert came["SignIn", "ada", 303] == 1
    assert came["SignIn", "eve", 401] == 1
    assert sum(came.values()) == 11 == run.asks == run.lateness.asks
    assert len(ear.needs) == 11
    assert {sample.waiting for sample in ear.samples} == {2}
    assert [(one.what, one.was, one.to) for one in ear.happenings] == [("mode", "open", "throttled")]
    assert run.truth_path is not None
    assert '"cause":"request_flood"' in run.truth_path.read_text()
    assert '{"id":"req_1","truth":"request_flood"' in run.truth_path.read_text()
    assert (tmp_path / "service-events.jsonl").exists()


async def test_a_forged_key_is_shown_as_it_is_also_by_who_has_an_account() -> None:
    forged = msgspec.structs.replace(CHAT, is_key_forged=True)
    _, ear = await played([one(EVE, forged, forged), one(ADA, forged, CHAT)])
    keys = {key for key, _ in LATEST[0].shown if key.startswith("tg_")}

    assert sorted((ask.who.name, outcome.status) for ask, outcome in ear.outcomes) == [
        ("ada", 200),
        ("ada", 401),
        ("eve", 401),
        ("eve", 401),
    ]
    assert {read(key, Kind.API_KEY, ServerKeys(0, {0: b"k" * 32})) for key in keys} == {Forged("mac")}
    assert len(keys) == 3


async def test_a_bomb_is_sent_in_so_few_bytes_and_its_grain_asked_for_beforehand_where_there_are_bombs() -> None:
    bomb = Chat(prompt_tokens=230, answer_tokens=2, bytes_per_token=1.0)
    await played([one(ADA, bomb)], people=[ADA])
    assert len(LATEST[0].shown[-1][1]) == 200
    assert len(LATEST[0].shown) == 3

    await played([], scenario(0.1, '[[attack]]\nfamily = "expensive_queries"\nfrom_s = 0\nuntil_s = 0.1\n'))
    assert LATEST[0].shown[0][1].startswith("".join(FINE.units[:3]))
    assert len(LATEST[0].shown) == 4


async def test_a_life_keeps_its_own_time_whatever_its_wait_began_late() -> None:
    times: list[float] = []

    def ticking() -> Life:
        for _ in range(10):
            yield Wait(0.03)
            time.sleep(0.01)
            yield Spawn(noting())

    def noting() -> Life:
        outcome = yield Ask(EVE, Page())
        assert outcome is not None
        times.append(outcome.asked_at_s)

    run, _ = await played([ticking()], scenario(2.0))

    assert len(times) == 10
    # However slow the machine: whoever is late ten times is not later by all of that.
    assert 0.30 <= times[-1] <= 0.30 + run.lateness.late_most_s + 0.05


def endless(who: Who) -> Life:
    while True:
        yield Ask(who, Page())


@pytest.mark.parametrize(
    ("limits", "ended"), [(Limits(requests=20), "requests"), (Limits(lives=1), "lives"), (Limits(wall_s=0.1), "wall")]
)
async def test_at_each_limit_it_ends_and_reports(limits: Limits, ended: str) -> None:
    run, ear = await played([endless(EVE), endless(EVE)], scenario(30.0), limits)

    assert run.ended == ended
    assert run.played_s < 10.0
    assert run.asks >= len(ear.outcomes)
    assert run.requests <= limits.requests + 2


async def test_ctrl_c_ends_everything_and_reports_what_was_measured() -> None:
    task = asyncio.current_task()
    assert task is not None

    def interrupting() -> Life:
        yield Ask(EVE, Page())
        task.cancel()
        yield Wait(20.0)

    run, ear = await played([interrupting()], scenario(30.0))

    assert (run.ended, run.is_interrupted) == ("interrupted", True)
    assert len(ear.outcomes) == 1


async def test_who_ends_the_rehearsal_from_outside_ends_its_service_too() -> None:
    services: list[str] = []

    def ended_from_outside() -> Life:
        yield Ask(EVE, Page())
        os.kill(os.getpid(), signal.SIGTERM)
        yield Wait(20.0)

    run, _ = await played([ended_from_outside()], scenario(30.0), progress=services.append)

    assert run.ended == "interrupted"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    (said,) = [one for one in services if one.startswith("under rehearsal: http://127.0.0.1:")]
    assert not os.path.exists(said.rpartition(" ")[2])  # noqa: ASYNC240, PTH110 - one look, when all is over


async def test_a_record_of_its_decisions_is_kept_with_the_log(tmp_path: Path) -> None:
    def recording(said: str) -> None:
        if said.startswith("under rehearsal"):
            (Path(said.rpartition(" ")[2]) / "logs" / "decisions-1-a-000001.jsonl").write_text("{}\n")

    await played([], scenario(0.1), keep=tmp_path, progress=recording)

    assert (tmp_path / "decisions-1-a-000001.jsonl").read_text() == "{}\n"


async def test_a_service_that_ends_by_itself_ends_the_run() -> None:
    run, _ = await played([], scenario(30.0, "[settings.pretend]\nlives_s = 0.3\n"))

    assert run.ended == "service"


async def test_a_defective_actor_ends_the_run_with_its_own_error() -> None:
    def defective() -> Life:
        yield Wait(0.0)
        msg = "a defect"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="a defect"):
        await played([defective(), endless(EVE)], scenario(30.0))


async def test_a_defect_of_the_worlds_own_ends_the_run_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> Outcome:
        msg = "a defect"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr("tidegate.lab.live.stage.hold", broken)
    with pytest.raises(ZeroDivisionError):
        await played([one(EVE, Hold(for_s=1.0))], scenario(30.0))


async def test_whose_account_cannot_be_made_is_told_so() -> None:
    nobody = Who(name="nobody", group=Group.NEW, address=1, has_account=True)
    _, ear = await played([one(nobody, CHAT)])
    (_, outcome), *_ = ear.outcomes

    assert (outcome.status, outcome.is_complete) == (0, False)
    assert "409" in outcome.reason


async def test_what_is_under_way_at_the_end_may_end_and_nothing_more_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "GRACE_S", 20.0)
    slow = scenario(1.0, "[settings.pretend]\ngap_s = 0.25\n")
    run, ear = await played([one(ADA, Chat(prompt_tokens=40, answer_tokens=6), CHAT)], slow, people=[ADA])

    assert run.is_complete
    assert [outcome.is_complete for _, outcome in ear.outcomes] == [True]


async def test_of_whoever_is_in_or_would_try_again_at_the_end_the_need_is_told() -> None:
    """
    As in the virtual world: what is cut hears so, and a need that waits for another try is told as open.
    """
    slow = scenario(1.0, "[settings.pretend]\ngap_s = 0.2\n")

    def waiting() -> Life:
        yield from asking(EVE, CHAT, Need.CHAT, Bug(pause_s=60.0), Random(1))

    lives = [
        waiting(),
        one(ADA, Chat(prompt_tokens=40, answer_tokens=41)),
        one(EVE, Hold(for_s=30.0)),
    ]
    run, ear = await played(lives, slow, people=[ADA])

    assert run.is_complete
    assert sorted((end.is_open, end.outcome.is_complete) for end in ear.needs) == [
        (False, False),
        (False, False),
        (True, False),
    ]
    assert all(end.outcome.ended_at_s > 1.0 for end in ear.needs if not end.is_open)


async def test_a_rehearsal_that_was_ended_early_tells_nothing_of_what_that_cut() -> None:
    def waiting() -> Life:
        yield from asking(EVE, CHAT, Need.CHAT, Bug(pause_s=9.0), Random(1))

    run, ear = await played([waiting(), endless(ADA)], scenario(30.0), Limits(requests=10))

    assert run.ended == "requests"
    assert ear.needs == []


async def test_what_breaks_while_it_plays_is_told_by_its_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        msg = "no fault"
        raise LiveError(msg)

    monkeypatch.setattr("tidegate.lab.live.faults.play", broken)
    what = scenario(30.0, '[[fault]]\nkind = "engine_slow"\nfrom_s = 0\nuntil_s = 1\n')
    with pytest.raises(LiveError, match="no fault"):
        await played([], what)


async def test_a_service_without_a_model_cannot_be_played_with() -> None:
    with pytest.raises(LiveError, match="which model"):
        await played([], scenario(1.0, "[settings.pretend]\nis_bare = true\n"))


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ('[[fault]]\nkind = "clock_step"\nfrom_s = 0\nuntil_s = 1\n', r"fault\[0\].kind: clock_step"),
        ("[engine]\nreplicas = 2\n", "engine.replicas"),
        ("[scale]\ncells = 2\n", "scale.cells"),
        ("[settings.server]\nport = 80\n", "settings.server"),
    ],
)
async def test_what_the_live_world_does_not_have_is_named_before_anything_starts(more: str, named: str) -> None:
    with pytest.raises(LiveError, match=named):
        await played([], scenario(2.0, more))


async def test_a_scenario_for_the_virtual_world_is_not_played_live() -> None:
    what = parse('version = 1\nname = "x"\ntitle = "x"\nabout = "x"\nduration_s = 1.0\n')
    with pytest.raises(LiveError, match="worlds"):
        await played([], what)


async def test_without_an_engine_of_its_own_nothing_is_pinned_and_everything_is_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pinned: list[tuple[int, list[int]]] = []
    monkeypatch.setattr(processes, "cores", lambda: [0, 1])
    monkeypatch.setattr(processes, "pin", lambda pid, cores: pinned.append((pid, list(cores))))
    await play(scenario(0.1), [], [])

    assert [cores for _, cores in pinned] == [[0, 1]]
