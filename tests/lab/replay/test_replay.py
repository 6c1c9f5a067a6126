"""A record decided again: under its own policy as it was, under another differently where that one differs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.lab.replay.recorded import Service, address, fingerprint, rules
from tidegate.core.admission.gate import GatePlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.standing.classes import Standing
from tidegate.lab.replay.replaying import Replayed, replay

PLAN = AdmissionPlan(slots=2, max_waiting=6)


def busy(gate: GatePlan | None = None, *, turns: int = 120) -> Service:
    """Some minutes in which known people ask now and then, and newcomers more than there is room for."""
    service, chance = Service(gate, PLAN), random.Random(7)
    for number in range(1, 6):
        service.knows(number)
    for number in range(6, 16):
        service.knows(number, Standing.NEWCOMER)
    for turn in range(turns):
        service.ask(1 + turn % 5, tokens=chance.randrange(10, 60))
        for _ in range(turn % 3):
            service.ask(chance.randrange(6, 16), tokens=chance.randrange(10, 60))
        for _ in range(3):
            service.page(turn % 4)
        service.run(chance.expovariate(0.5))
    service.rest()
    return service


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return busy().written(tmp_path_factory.mktemp("record") / "record.jsonl")


def replayed(record: Path, gate: GatePlan | None = None, admission: AdmissionPlan = PLAN) -> Replayed:
    return replay(record, rules(gate, admission))


def test_under_its_own_policy_nearly_everything_comes_out_as_it_did_and_nothing_differs(record: Path) -> None:
    found = replayed(record)

    assert found.fidelity.gate.of == 600
    assert found.fidelity.gate.share >= 0.99
    assert found.fidelity.claims["established"].share >= 0.9
    assert found.differences.most_changed == []
    assert not any(row.moved for row in found.differences.gate.values())
    assert not any(row.moved for row in found.differences.claims.values())


def test_a_tighter_gate_refuses_those_who_ask_too_often_and_nobody_else(record: Path) -> None:
    found = replayed(record, GatePlan(address_rate=0.01, address_burst=10))

    gate = found.differences.gate
    assert gate["visitor"].passed_before == 360
    assert gate["visitor"].passed_to_refused == gate["visitor"].moved["passed -> slow_down"] > 300
    assert not gate["established"].moved
    assert {one.who for one in found.differences.most_changed} == {
        fingerprint(f"net {address(number).hex()}") for number in range(4)
    }
    assert all(one.worse == one.changed for one in found.differences.most_changed)


def test_a_laxer_gate_lets_those_in_whom_the_record_refused(tmp_path: Path) -> None:
    record = busy(GatePlan(address_rate=0.01, address_burst=10), turns=40).written(tmp_path / "record.jsonl")

    found = replayed(record)

    row = found.differences.gate["visitor"]
    assert row.refused_to_passed == row.moved["slow_down -> passed"] > 50
    assert row.passed_after == 120


def test_without_a_line_fewer_newcomers_are_served_and_with_a_tight_budget_fewer_others(
    record: Path,
) -> None:
    no_line = replayed(record, admission=AdmissionPlan(slots=2, max_waiting=0)).differences.claims
    budget = replayed(record, GatePlan(principal_rate=0.01, principal_burst=2)).differences.claims

    assert no_line["newcomer"].served_after < no_line["newcomer"].served_before
    assert budget["established"].served_to_not == budget["established"].moved["served -> slow_down"] > 80


def test_what_the_gate_refused_for_want_of_room_is_claimed_where_there_is_some(record: Path) -> None:
    found = replayed(record, admission=AdmissionPlan(slots=2, max_waiting=64, strangers_beside=1.0))

    row = found.differences.claims["newcomer"]
    assert row.not_to_served > 0
    assert row.served_after > row.served_before


def test_the_same_record_gives_the_same_answer_each_time(record: Path) -> None:
    tight = GatePlan(principal_rate=0.01, principal_burst=2)

    assert replayed(record, tight).differences == replayed(record, tight).differences


def test_the_pace_of_the_engine_is_learned_from_how_it_slowed_down(record: Path) -> None:
    found = replayed(record)

    assert not found.survey.pace.is_assumed
    assert found.survey.pace.slope == pytest.approx(1.0, abs=0.1)
    assert found.survey.unended == 0


def test_who_was_cut_left_or_was_still_in_at_the_end_is_played_with_what_is_known_of_them(tmp_path: Path) -> None:
    service = Service(admission=AdmissionPlan(slots=1))
    service.knows(1)
    service.knows(2)
    service.ask(1, tokens=30)
    service.run(0.3)
    service.ask(2, tokens=30)
    service.run(0.2)
    service.leave(2)
    service.rest()
    service.ask(1, tokens=50)
    service.run(0.2)
    service.leave(3)
    service.ask(2, tokens=50)
    service.run(0.1)
    record = service.written(tmp_path / "record.jsonl")

    found = replayed(record, admission=AdmissionPlan(slots=1))

    assert found.survey.unended == 1
    assert (found.fidelity.claims["established"].of, found.fidelity.claims["established"].share) == (3, 1.0)
    assert found.differences.claims["established"].moved == {}


def test_who_would_wait_shorter_or_longer_is_told(tmp_path: Path) -> None:
    service = Service(admission=PLAN)
    for number in (1, 2, 3):
        service.knows(number)
    for _ in range(10):
        for number in (1, 2, 3):
            service.ask(number, tokens=30)
        service.run(6.0)
    record = service.written(tmp_path / "record.jsonl")
    line = record.read_bytes().split(b"\n", 1)

    wider = line[0].replace(b'"slots":2', b'"slots":3')
    shorter = replayed(record, admission=PLAN).differences.claims["established"]
    record.write_bytes(wider + b"\n" + line[1])
    own = replayed(record, admission=PLAN)

    assert shorter.shorter == shorter.longer == 0
    assert own.fidelity.claims["established"].share < 1.0, "who waited does not where there is a place more"


def test_a_run_after_another_begins_anew(tmp_path: Path) -> None:
    first, second = busy(turns=10), busy(turns=10)
    second.recorder._run = "f" * 16
    first.written(tmp_path / "decisions-1-a-000001.jsonl")
    second.written(tmp_path / "decisions-2-b-000001.jsonl")

    both = replayed(tmp_path)

    assert both.survey.decisions == both.fidelity.gate.of == 98
    assert both.survey.seconds > 20


def crowd(per_s: float) -> Service:
    """A hundred newcomers, so many times a second, where there is room for less, and people who are known."""
    service, chance = Service(ROOMY, CROWDED), random.Random(7)
    service.gap_s = 0.004
    for number in range(1, 111):
        service.knows(number, Standing.ESTABLISHED if number <= 10 else Standing.NEWCOMER)
    for turn in range(500):
        if turn % 3 == 0:
            service.ask(1 + turn // 3 % 10, tokens=chance.randrange(10, 60))
        service.ask(chance.randrange(11, 111), tokens=chance.randrange(10, 60))
        service.run(chance.expovariate(per_s))
    service.rest()
    return service


CROWDED = AdmissionPlan(slots=8, max_waiting=32)
ROOMY = GatePlan(
    principal_rate=1e3,
    principal_burst=1e4,
    address_rate=1e4,
    address_burst=1e5,
    network_rate=1e4,
    network_burst=1e5,
    strangers_rate=1e4,
    strangers_burst=1e5,
)


@pytest.mark.parametrize(("per_s", "least"), [(5.0, 0.9), (25.0, 0.85)])
def test_also_of_newcomers_in_a_crowd_most_comes_out_as_it_did(tmp_path: Path, per_s: float, least: float) -> None:
    """
    Those who were let in when it was tight are, and an answer takes as long beside as many as it had.
    """
    record = crowd(per_s).written(tmp_path / "record.jsonl")
    claims = replayed(record, admission=CROWDED).fidelity.claims

    assert claims["newcomer"].of > 200
    assert claims["newcomer"].share >= least
