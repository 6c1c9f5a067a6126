"""`tidegate lab replay`, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.verbs import Verb, sentence
from tests.lab.replay.recorded import Service
from tidegate.app.lab import rules_of
from tidegate.config import Settings
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.standing.classes import Standing

LOOSE = "[gate]\naddress_burst = 60\n"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "new.toml"
    path.write_text(LOOSE)
    return path


@pytest.fixture
def record(tmp_path: Path) -> Path:
    service = Service(admission=AdmissionPlan(slots=2))
    service.knows(1)
    service.knows(2, Standing.NEWCOMER)
    for _ in range(12):
        service.ask(1)
        service.ask(2)
        service.page(1)
        service.run(4.0)
    return service.written(tmp_path / "record.jsonl")


def test_what_would_have_been_different_is_listed_by_class(verb: Verb, record: Path, policy: Path) -> None:
    policy.write_text("[gate]\naddress_rate = 0.001\naddress_burst = 5\nprincipal_rate = 0.001\nprincipal_burst = 8\n")

    said = verb("lab", "replay", str(record), "--policy", str(policy))

    assert said.code == 0, said
    assert "36 decisions and 24 claims" in said.out
    assert "passed -> slow_down: 7" in said.out
    assert "served -> slow_down: 4" in said.out
    assert "Who changed most" in said.out
    assert "might have come again" in said.out


def test_what_is_listed_fits_on_eighty_columns(verb: Verb, record: Path, policy: Path) -> None:
    policy.write_text("[gate]\nprincipal_rate = 0.001\nprincipal_burst = 8\n")

    said = verb("lab", "replay", str(record), "--policy", str(policy))

    assert said.code == 0, said
    lines = [line for line in said.out.splitlines() if "  " in line]
    assert len(lines) > 8
    assert max(len(line) for line in lines) <= 80


def test_the_same_policy_makes_no_difference(verb: Verb, record: Path, policy: Path) -> None:
    said = verb("lab", "replay", str(record), "--policy", str(policy))

    assert said.code == 0, said
    assert "Nothing would have been different." in said.out


def test_as_json_it_tells_what_it_is_sure_of_and_what_is_not_known(verb: Verb, record: Path, policy: Path) -> None:
    said = verb("lab", "replay", str(record), "--policy", str(policy), "--json")

    told = json.loads(said.out)
    assert told["fidelity"]["gate"] == {"of": 36, "same": 36, "share": 1.0}
    assert told["fidelity"]["claims"].keys() == {"established", "newcomer"}
    assert told["record"]["decisions"] == 36
    assert told["differences"]["gate"]["established"]["decisions"] == 12
    assert told["not_known"]


def test_a_record_that_does_not_come_out_again_concludes_nothing(verb: Verb, record: Path, policy: Path) -> None:
    # Every page was refused, it says; under the policy that it names they would have passed.
    lines = record.read_text().splitlines()
    lines = [
        line.replace('"lane":"page",', '"lane":"page","reason":"slow_down",') if '"page"' in line else line
        for line in lines
    ]
    record.write_text("\n".join([*lines, '{"kind":"counted","t":1,"lane":"page","reason":"slow_down","number":9}', ""]))

    plain = verb("lab", "replay", str(record), "--policy", str(policy))
    machine = verb("lab", "replay", str(record), "--policy", str(policy), "--json")

    assert plain.code == machine.code == 1
    assert "nothing is concluded" in plain.err
    assert "9 refusals of strangers were only counted" in plain.out
    assert "Newly refused" not in plain.out
    assert json.loads(machine.out)["differences"] is None
    assert verb("lab", "replay", str(record), "--policy", str(policy), "--least", "0.5").code == 0


def test_a_class_that_does_not_come_out_again_is_withheld(verb: Verb, record: Path, policy: Path) -> None:
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    for line in lines:
        if line["kind"] == "end" and line["ticket"] % 2 == 0:
            line["queue_s"] = 50.0  # Newcomers waited for long, it says, where there was room.
    record.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    said = verb("lab", "replay", str(record), "--policy", str(policy))
    told = json.loads(verb("lab", "replay", str(record), "--policy", str(policy), "--json").out)

    assert said.code == 0
    assert "Of claims of the class newcomer too few came out again" in said.out
    assert told["fidelity"]["withheld"] == ["newcomer"]
    assert told["differences"]["claims"].keys() == {"established"}


def test_mistakes_are_told_in_a_sentence(verb: Verb, record: Path, policy: Path, tmp_path: Path) -> None:
    policy.write_text("[gate]\naddress_rate = 0\n")
    assert "gate.address_rate" in sentence(verb("lab", "replay", str(record), "--policy", str(policy)), 2)
    policy.write_text(LOOSE)
    none = tmp_path / "none.jsonl"
    assert "none.jsonl: No such file" in sentence(verb("lab", "replay", str(none), "--policy", str(policy)), 2)


def test_rules_are_those_that_the_service_makes_of_the_same_settings() -> None:
    rules = rules_of(Settings())

    assert rules.gate.address_rate == Settings().gate.address_rate
    assert rules.patience.whole_s == Settings().admission.patience_whole_s
    assert not rules.is_mail_on
