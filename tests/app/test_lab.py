"""A rehearsal is played under the policy that the service itself would make of the same settings."""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tidegate.app import lab
from tidegate.app.lab import RehearsalError, RehearsalWish, calibrate, digest_of_policy, rehearse, rules_of, settings_of
from tidegate.app.reputation import standings_beside
from tidegate.config import SettingsError
from tidegate.lab.actors.attackers import FAMILIES_VERSION
from tidegate.lab.acts import Ask, Ended, Life, Outcome, Who
from tidegate.lab.calibration import Calibration, CalibrationError
from tidegate.lab.gates import GateKind
from tidegate.lab.hearing import Happened, Listener, Sampled
from tidegate.lab.judge.findings import digest_of
from tidegate.lab.live.calibrate import Calibrated
from tidegate.lab.live.lateness import Lateness
from tidegate.lab.live.service import LiveError
from tidegate.lab.live.world import LiveRun
from tidegate.lab.report.compare import compare
from tidegate.lab.scenario import Scenario, World, parse
from tidegate.lab.traces.sources import TraceError

TINY = """
version = 1
name = "tiny"
title = "Half a minute"
about = "A few ask, and somebody floods."
duration_s = 30
worlds = ["virtual", "live"]
[people]
established = 6
new = 3
anonymous = 4
load = 0.6
think_s = 3
[[attack]]
family = "request_flood"
from_s = 10
until_s = 20
intensity = 3.0
bots = 4
accounts = 2
"""
PLAIN = parse(TINY)
MISTAKE = '[[fault]]\nkind = "configuration"\nfrom_s = 5\nuntil_s = 15\n[fault.settings.gate]\n'


class Ear:
    """Counts what it hears."""

    def __init__(self) -> None:
        self.heard: Counter[str] = Counter()
        self.moves: list[tuple[float, str]] = []

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        self.heard["asked"] += 1

    def ended(self, ended: Ended) -> None:
        self.heard["ended"] += 1

    def sampled(self, sample: Sampled) -> None:
        self.heard["sampled"] += 1

    def happened(self, happened: Happened) -> None:
        self.moves.append((happened.at_s, happened.what))


def wish(more: str = "", *, world: World = World.VIRTUAL, seed: int = 1, **given: Any) -> RehearsalWish:
    text = TINY + more
    return RehearsalWish(scenario=parse(text), scenario_text=text, world=world, seed=seed, **given)


def a_config(folder: Path, text: str) -> Path:
    path = folder / "tidegate.toml"
    path.write_text(text)
    return path


# ---------------------------------------------------------------- settings


def test_a_scenario_goes_before_the_operators_file_and_what_is_set_meanwhile_before_both(tmp_path: Path) -> None:
    config = a_config(tmp_path, "[gate]\naddress_rate = 3\nprincipal_rate = 4\naddress_burst = 5\n")
    scenario = parse(TINY + "[settings.gate]\nprincipal_rate = 40\naddress_burst = 50\n")

    gate = settings_of(scenario, config, {"gate": {"address_burst": 500}}).gate

    assert (gate.address_rate, gate.principal_rate, gate.address_burst) == (3.0, 40.0, 500.0)


def test_a_rehearsal_is_the_same_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    before = settings_of(PLAIN, None)
    monkeypatch.setenv("TIDEGATE_GATE_ADDRESS_RATE", "1234")

    assert settings_of(PLAIN, None) == before


@pytest.mark.parametrize(
    ("setting", "named"), [("adress_rate = 1", "adress_rate"), ("address_rate = -1", "address_rate")]
)
def test_a_setting_of_a_scenario_that_is_none_is_named(setting: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        settings_of(parse(f"{TINY}[settings.gate]\n{setting}\n"), None)


def test_the_rules_are_the_plans_that_the_service_makes() -> None:
    letters = '[settings.mail]\ndelivery = "disk"\nfrom_address = "tide@example.org"\n'
    more = f"{letters}[settings.engine]\nslots = 7\n[settings.gate]\nprincipal_rate = 9\n"
    rules, usual = (rules_of(settings_of(parse(TINY + said), None)) for said in (more, ""))

    assert (rules.admission.slots, rules.is_mail_on, rules.gate.principal_rate) == (7, True, 9.0)
    assert not usual.is_mail_on


def test_a_policy_is_named_by_what_it_decides_and_not_by_where_it_is_kept(tmp_path: Path) -> None:
    def digest(more: dict[str, Any]) -> str:
        return digest_of_policy(settings_of(PLAIN, None, more))

    usual = digest({})
    assert len(usual) == 16
    assert digest({"data_dir": str(tmp_path)}) == usual
    assert len({usual, digest({"gate": {"address_rate": 77}}), digest({"engine": {"slots": 9}})}) == 3


# ---------------------------------------------------------------- the virtual world


def test_the_same_wish_gives_the_same_findings_and_other_dice_give_others() -> None:
    one, again, other = (rehearse(wish(seed=seed)).findings for seed in (1, 1, 2))

    assert one == again
    assert other.requests != one.requests
    assert (one.staging.seed, other.staging.seed) == (1, 2)
    assert one.people["established"].completed > 0
    assert one.attackers["request_flood"].tries > 0
    assert one.staging.scenario_text == TINY
    assert one.staging.families == FAMILIES_VERSION
    assert compare(one, other), "of one scenario, with different dice"
    assert one.staging.rules_digest == digest_of_policy(settings_of(PLAIN, None))


def test_who_listens_hears_all_of_it_and_nothing_is_kept_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ear = Ear()
    result = rehearse(wish(), [ear])

    assert ear.heard["asked"] == result.findings.requests > 10
    assert ear.heard["sampled"] == 6
    assert list(tmp_path.iterdir()) == []
    assert result.run.late_p95_s is None
    assert result.run.requests_per_s > 0.0
    assert "cores" in result.run.machine


def kept(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_bytes().splitlines()]


def test_what_is_kept_is_every_request_and_who_was_behind_it(tmp_path: Path) -> None:
    ear, folder = Ear(), tmp_path / "a" / "b"
    rehearse(wish(), [ear], folder)

    assert sorted(path.name for path in folder.iterdir()) == ["events.jsonl", "truth.jsonl"]
    assert sum(line["kind"] == "request" for line in kept(folder, "events.jsonl")) == ear.heard["asked"]
    assert any(line.get("truth") == "request_flood" for line in kept(folder, "truth.jsonl"))


def test_cells_are_played_one_by_one_judged_together_and_kept_apart(tmp_path: Path) -> None:
    ear = Ear()
    findings = rehearse(wish("[scale]\ncells = 2\n"), [ear], tmp_path).findings
    cells = [kept(tmp_path, f"events-{number}.jsonl") for number in range(2)]

    assert findings.requests == ear.heard["asked"]
    assert [sum(line["kind"] == "request" for line in cell) > 0 for cell in cells] == [True, True]
    assert cells[0] != cells[1]
    assert (tmp_path / "truth-1.jsonl").exists()


@pytest.mark.parametrize("gate", GateKind)
def test_every_gate_can_stand_before_the_same_people(gate: GateKind) -> None:
    findings = rehearse(wish(gate=gate)).findings

    assert findings.staging.gate == gate
    assert findings.people["established"].needs > 0


def test_a_mistake_of_the_operators_is_made_and_taken_back() -> None:
    ear = Ear()
    rehearse(wish(f"{MISTAKE}principal_rate = 0.01\nprincipal_burst = 1\n"), [ear])

    assert [move for move in ear.moves if move[1] == "change"] == [(5.0, "change"), (15.0, "change")]


def test_what_is_wrong_with_a_mistake_is_told_before_anything_is_played() -> None:
    ear = Ear()

    with pytest.raises(SettingsError, match="principal_rate"):
        rehearse(wish(f"{MISTAKE}principal_rate = -1\n"), [ear])
    assert not ear.heard


@pytest.mark.parametrize(
    ("more", "given", "error"),
    [
        ("", {"calibration": "nope"}, CalibrationError),
        ('[engine]\nmodel = "nope"\n', {}, CalibrationError),
        ("[settings.gate]\nnope = 1\n", {}, SettingsError),
    ],
)
def test_what_a_wish_names_and_nobody_has_is_told(more: str, given: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="nope"):
        rehearse(wish(more, **given))


def test_lengths_that_nobody_knows_are_told() -> None:
    text = TINY.replace("load = 0.6", 'load = 0.6\nlengths = "nope"')
    with pytest.raises(TraceError, match="nope"):
        rehearse(RehearsalWish(scenario=parse(text), scenario_text=text, world=World.VIRTUAL, seed=1))


def test_a_calibration_that_is_asked_for_goes_before_the_scenarios() -> None:
    slow, quick = rehearse(wish()).findings, rehearse(wish(calibration="gpu-8b")).findings

    assert (slow.staging.calibration, quick.staging.calibration) == ("cpu-smollm2", "gpu-8b")
    assert quick.requests > 2 * slow.requests


def test_the_collector_is_as_it_was_however_a_rehearsal_ends() -> None:
    class Deaf(Ear):
        def asked(self, ask: Ask, outcome: Outcome) -> None:
            raise ZeroDivisionError

    before = gc.get_threshold()
    rehearse(wish())
    with pytest.raises(ZeroDivisionError):
        rehearse(wish(), [Deaf()])

    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


# ---------------------------------------------------------------- the live world


class Played:
    """Stands in for the live world: notes what it was given, and ends as it is told to."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []
        self.ended = "complete"
        self.late_s = 0.01
        self.work_late_s = 0.3
        self.error: Exception | None = None

    async def __call__(
        self, scenario: Scenario, lives: Iterable[Life], listeners: Sequence[Listener], **more: Any
    ) -> LiveRun:
        self.given.append({"scenario": scenario, "lives": list(lives), "listeners": listeners, **more})
        if self.error is not None:
            raise self.error
        lateness = Lateness(asks=1, late_p50_s=0.0, late_p95_s=self.late_s, late_most_s=1.0, core_share=0.2)
        return LiveRun(
            scenario=scenario.name,
            ended=self.ended,
            began_unix_s=0.0,
            played_s=12.0,
            asks=1,
            requests=1,
            lives=1,
            connections_most=1,
            networks_shared=0,
            lateness=lateness,
            work_late_s=self.work_late_s,
        )


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Played:
    one = Played()
    monkeypatch.setattr(lab, "play_live", one)
    return one


def test_a_live_rehearsal_has_the_same_people_with_their_accounts(live: Played, tmp_path: Path) -> None:
    ear = Ear()
    result = rehearse(wish(world=World.LIVE, seed=9), [ear], tmp_path)
    (given,) = live.given
    people: list[Who] = list(given["people"])

    assert given["scenario"].seed == 9
    assert given["keep"] == tmp_path
    assert given["standings"] is standings_beside, "the service knows of them what the virtual one does"
    assert ear in given["listeners"]
    assert len(given["lives"]) > 3
    assert Counter(who.group.value for who in people) == {"established": 6, "new": 3, "attacker": 2}
    assert (result.run.late_p95_s, result.run.notes) == (0.01, ())


def test_a_live_rehearsal_has_the_operators_policy_below_the_scenarios_and_nothing_else_of_the_file(
    live: Played, tmp_path: Path
) -> None:
    own = "[gate]\naddress_rate = 3\nprincipal_rate = 4\n[server]\nport = 80\n[mail]\nfrom_address = 'a@example.org'\n"
    more = "[settings.gate]\nprincipal_rate = 40\n"
    result = rehearse(wish(more, world=World.LIVE, config=a_config(tmp_path, own)))
    (given,) = live.given

    assert given["scenario"].settings == {"gate": {"address_rate": 3, "principal_rate": 40}}
    assert result.findings.scenario_digest == digest_of(parse(TINY + more)), "it is the same scenario"


def test_a_live_rehearsal_that_ended_early_or_measured_itself_says_so(live: Played) -> None:
    live.ended, live.late_s, live.work_late_s = "wall", 3.0, 7.4
    run = rehearse(wish(world=World.LIVE)).run

    assert run.notes[0] == "ended early: wall, after 12 s"
    assert "the generator was the bottleneck" in run.notes[1]
    assert run.notes[2] == "people's challenges were solved here up to 7 s later than on their own devices"
    assert not run.is_interrupted


def test_a_live_rehearsal_that_somebody_ended_says_so(live: Played) -> None:
    live.ended = "interrupted"
    run = rehearse(wish(world=World.LIVE)).run

    assert (run.is_interrupted, run.notes) == (True, ("ended early: interrupted, after 12 s",))


@pytest.mark.parametrize("gate", [GateKind.OFF, GateKind.BY_ADDRESS])
def test_in_the_live_world_stands_no_other_gate(live: Played, gate: GateKind) -> None:
    with pytest.raises(RehearsalError, match=f"gate: {gate} can be had in the virtual world only"):
        rehearse(wish(world=World.LIVE, gate=gate))
    assert not live.given


def test_what_the_live_world_cannot_play_is_told_in_its_words(live: Played) -> None:
    live.error = LiveError("the service did not start: no model")

    with pytest.raises(RehearsalError, match="the service did not start: no model"):
        rehearse(wish(world=World.LIVE))


# ---------------------------------------------------------------- calibrations


class Measured:
    """Stands in for the measuring."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str, dict[str, Any]]] = []
        self.error: Exception | None = None

    async def __call__(
        self, name: str, about: str, settings: dict[str, Any], *, progress: Callable[[str], None]
    ) -> Calibrated:
        self.given.append((name, about, settings))
        progress("measuring")
        if self.error is not None:
            raise self.error
        engine = Calibration(name=name, about=about, slots=4, most_tokens=10, batch_s=0.01, write_s=0.0, read_s=0.0)
        return Calibrated(calibration=engine, checks=[], probes=1, counted=1, took_s=1.0, slowest=1.0, fastest=1.0)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    one = Measured()
    monkeypatch.setattr(lab, "measure", one)
    return one


def test_a_calibration_is_of_the_engine_that_the_settings_name_and_of_nothing_else_of_them(
    measured: Measured, tmp_path: Path
) -> None:
    said: list[str] = []
    config = a_config(tmp_path, "[engine]\nslots = 2\nbatch_tokens = 30\n[gate]\naddress_rate = 1\n")
    found = calibrate("here", config, said.append)
    calibrate("there", None, said.append)

    assert [settings for _, _, settings in measured.given] == [{"engine": {"slots": 2, "batch_tokens": 30}}, {}]
    assert "2 places, 30 tokens a batch, measured on " in found.calibration.about
    assert (found.calibration.name, said) == ("here", ["measuring", "measuring"])


@pytest.mark.parametrize(
    "text",
    ["[engine]\nenabled = false\n", '[[engines]]\nurl = "http://127.0.0.1:9"\nmodels = ["m"]\n'],
)
def test_only_the_embedded_engine_is_measured(measured: Measured, tmp_path: Path, text: str) -> None:
    with pytest.raises(RehearsalError, match="only the embedded engine"):
        calibrate("x", a_config(tmp_path, text), print)
    assert not measured.given


def test_an_engine_that_cannot_be_measured_is_told_in_its_words(measured: Measured) -> None:
    measured.error = LiveError("too slow")

    with pytest.raises(RehearsalError, match="too slow"):
        calibrate("x", None, print)
