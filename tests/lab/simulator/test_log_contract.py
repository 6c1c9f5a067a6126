"""The whole log of a short rehearsal in which everything happens, against the form of the event log."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from typing import Any

import msgspec
import pytest

from tests.lab.simulator.event_contract import breaches
from tests.lab.simulator.street import RULES
from tests.lab.simulator.towns import GPU
from tidegate.core.firewall.elements import Mode
from tidegate.core.firewall.plan import FirewallPlan
from tidegate.lab.acts import Ask, Ended, Outcome
from tidegate.lab.casting import cast_of
from tidegate.lab.gates import GateKind
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.scenario import parse
from tidegate.lab.simulator.log import EventLog
from tidegate.lab.simulator.openings import OPENINGS
from tidegate.lab.simulator.world import play

SCENARIO = parse("""
version = 1
name = "everything"
title = "Everything at once"
about = "Each kind of line is written."
duration_s = 75

[people]
established = 20
load = 0.3
sign_ups_per_min = 10
sign_ins_per_min = 20

[[attack]]
family = "signup_wave"
from_s = 10
until_s = 55
mimicry = 0.5

[[attack]]
family = "credential_stuffing"
from_s = 10
until_s = 55

[[attack]]
family = "request_flood"
from_s = 20
until_s = 50
bots = 2
intensity = 20

[[attack]]
family = "jailbreak"
from_s = 20
until_s = 50
accounts = 5

[[fault]]
kind = "configuration"
from_s = 60
until_s = 70
settings = {}
""")


class Kinds:
    """Counts what moved."""

    def __init__(self) -> None:
        self.moved: Counter[str] = Counter()

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        pass

    def ended(self, ended: Ended) -> None:
        pass

    def sampled(self, sample: Sampled) -> None:
        pass

    def happened(self, happened: Happened) -> None:
        self.moved[happened.what] += 1


def test_every_line_of_a_rehearsal_is_in_the_form_of_the_event_log() -> None:
    written, truth, kinds = BytesIO(), BytesIO(), Kinds()
    rules = msgspec.structs.replace(RULES, firewall=FirewallPlan(mode=Mode.ON))
    play(
        SCENARIO,
        rules,
        GPU,
        lambda part: cast_of(part, 8.0, 0.5),
        [kinds, EventLog(SCENARIO, written, truth)],
        opening=OPENINGS[GateKind.TIDEGATE],
        reading=lambda _: rules,
    )
    log: list[dict[str, Any]] = [msgspec.json.decode(line) for line in written.getvalue().splitlines()]

    assert breaches(log) == []
    assert {line["kind"] for line in log} == {
        *("request", "signup", "verify", "login", "challenge", "engine", "change", "mode")
    }
    assert set(kinds.moved) == {"mode", "change", "suspicion", "handover"}
    assert {name for line in map(msgspec.json.decode, truth.getvalue().splitlines()) for name in line} <= {
        *("id", "sess", "acct", "truth", "flags", "t0", "t1", "cause", "intensity")
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "change", "what": "suspicion"},
        {"kind": "handover"},
        {"kind": "engine", "src": "0123456789abcdef"},
        {"kind": "request", "src": "127.0.0.1"},
        {"kind": "request", "status": True},
        {"kind": "request", "reason": "because"},
        {"kind": "mode", "causes": ["because"]},
    ],
)
def test_what_is_not_in_that_form_is_found(wrong: dict[str, Any]) -> None:
    assert len(breaches([{"t": 1.0, "id": "a", **wrong}])) == 1


def test_so_is_a_log_out_of_order_and_an_id_that_comes_twice() -> None:
    line = {"kind": "change", "what": "config", "id": "a"}

    assert breaches([{**line, "t": 2.0}, {**line, "t": 1.0}]) == ["id: the same twice", "t: not in the order of time"]
