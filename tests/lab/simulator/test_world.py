"""What the virtual world promises: everybody hears once, nothing is left, the same seed is the same world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from tests.lab.simulator.towns import CPU, RULES, a_scenario, bot, person, played, somebody
from tidegate.core.admission.gate import GatePlan
from tidegate.core.firewall.elements import Mode
from tidegate.core.firewall.plan import FirewallPlan
from tidegate.lab.actors.dice import dice
from tidegate.lab.actors.retrying import Sdk, asking
from tidegate.lab.acts import UNREACHED, Ask, Chat, Ended, Group, Hold, Life, Need, Outcome, Page, Spawn, Wait
from tidegate.lab.gates import GateKind
from tidegate.lab.hearing import Happened
from tidegate.lab.judge.verdicts import refusal
from tidegate.lab.rules import Rules
from tidegate.lab.scenario import Attack, Broken, Crowd, Family, Fault, Odd, Oddity, Scale, Scenario
from tidegate.lab.simulator.openings import OPENINGS
from tidegate.lab.simulator.service import Tidegate
from tidegate.lab.simulator.serving import Service
from tidegate.lab.simulator.world import Setting, open_tidegate, part_of, play


class Kept:
    """Opens a Tidegate and keeps it, to be looked at afterwards."""

    def __init__(self) -> None:
        self.services: list[Tidegate] = []

    def __call__(self, setting: Setting) -> Service:
        service = open_tidegate(setting)
        self.services.append(service)
        return service


def crowded(scenario: Scenario) -> list[Life]:
    people = [person(somebody(f"p{number}"), every_s=8.0, seed=scenario.seed) for number in range(8)]
    new = [person(somebody(f"n{number}", Group.NEW), every_s=8.0, seed=scenario.seed) for number in range(6)]
    bots = [bot(somebody(f"b{number}", Group.ATTACKER), every_s=1.0, seed=scenario.seed) for number in range(20)]
    junk = [
        bot(somebody(f"j{number}", Group.ATTACKER, has_account=False), every_s=0.5, seed=1, is_stream=False)
        for number in range(5)
    ]
    return [*people, *new, *bots, *junk]


def test_whoever_asks_is_told_once_and_nothing_is_left() -> None:
    """
    However it ends: served, refused, cut, left, or because the rehearsal was over.
    """
    kept, asked = Kept(), [0]

    def counted(life: Life) -> Life:
        sent: Outcome | None = None
        while True:
            act = life.send(sent) if sent is not None else next(life)
            asked[0] += isinstance(act, Ask)
            sent = yield act

    heard = played(lambda part: [counted(life) for life in crowded(part)], a_scenario(90), opening=kept)
    assert len(heard.asks) == asked[0] > 500
    (service,) = kept.services
    assert len(service.line) == service.scheduler.running == service.scheduler.waiting == 0
    assert service.scheduler.owners == 0
    reasons = heard.reasons()
    assert {"", "server_is_overloaded", "invalid_api_key", "insufficient_system_resource"} <= set(reasons)


def test_the_same_seed_is_the_same_world() -> None:
    """
    To the last outcome; another seed is another one.
    """
    worlds = [played(crowded, a_scenario(60, seed=seed)) for seed in (1, 1, 2)]
    told = [[(ask.who.name, outcome) for ask, outcome in world.asks] for world in worlds]
    assert told[0] == told[1]
    assert told[0] != told[2]
    assert worlds[0].samples == worlds[1].samples


def test_known_people_are_served_in_a_flood() -> None:
    """
    Twenty bots with accounts and five without press without end: nine in ten good for those who are known.
    """
    people = [person(somebody(f"p{number}"), every_s=20.0, seed=1) for number in range(8)]
    bots = [bot(somebody(f"b{number}", Group.ATTACKER), every_s=1.0, seed=1) for number in range(20)]
    junk = [bot(somebody(f"j{number}", Group.ATTACKER, has_account=False), every_s=0.5, seed=1) for number in range(5)]
    heard = played([*people, *bots, *junk], a_scenario(400))
    ends = [end for end in heard.ends if end.who.group is Group.ESTABLISHED]
    good = [
        end
        for end in ends
        if end.outcome.is_complete
        and end.outcome.first_s is not None
        and end.outcome.asked_at_s + end.outcome.first_s - end.since_s <= 2.0
    ]
    assert len(ends) > 100
    assert len(good) >= 0.9 * len(ends)


def test_a_shed_is_told_when_to_come_back() -> None:
    """
    Every refusal for want of room carries a wait, and it is a promise.
    """
    heard = played(crowded, a_scenario(60))
    shed = [outcome for _, outcome in heard.asks if outcome.reason == "server_is_overloaded"]
    assert shed
    assert all(
        outcome.retry_after_s and outcome.promised_s == outcome.retry_after_s for outcome in shed if not outcome.queue_s
    )


def test_who_asks_without_end_does_not_stop_the_clock() -> None:
    """
    A program that asks again at once, for ever, is answered a thousand times a second and no more.
    """

    def retrying() -> Life:
        while True:
            yield Ask(somebody("x", has_account=False), Chat(prompt_tokens=1, answer_tokens=1))

    heard = played([retrying()], a_scenario(2))
    assert 1_900 <= len(heard.asks) <= 2_001


def test_lives_at_one_time_go_on_in_the_order_they_came_in() -> None:
    """
    So a world has no accidents.
    """
    order: list[str] = []

    def noting(name: str) -> Life:
        order.append(name)
        yield Wait(1.0)
        order.append(name)
        yield Spawn(once(f"{name}-child"))

    def once(name: str) -> Life:
        order.append(name)
        yield Wait(0.0)

    played([noting("a"), noting("b")], a_scenario(5))
    assert order == ["a", "b", "a", "b", "a-child", "b-child"]


def test_a_need_that_the_end_cuts_off_is_told() -> None:
    """
    Who is still in when it is over hears so, may say what became of it, and asks no more.
    """
    who = somebody("p")

    def long() -> Life:
        outcome = yield Ask(who, Chat(prompt_tokens=10, answer_tokens=5_000, max_tokens=5_000))
        assert outcome is not None
        yield Ended(who, Need.CHAT, 0.0, 1, outcome)
        yield Ask(who, Chat(prompt_tokens=10, answer_tokens=10))

    def waiting() -> Life:
        yield Wait(99.0)

    heard = played([long(), waiting()], a_scenario(5))
    ((_, outcome),) = heard.asks
    assert (outcome.status, outcome.is_complete, outcome.ended_at_s) == (0, False, 5.0)
    assert outcome.output_tokens > 100
    assert [end.outcome for end in heard.ends] == [outcome]


def test_a_need_that_waits_for_another_try_at_the_end_is_told() -> None:
    """
    Of a program that is in, and comes again because it had no answer, as of one that was refused and waits.
    """
    who = somebody("p")
    chat = Chat(prompt_tokens=10, answer_tokens=5_000, max_tokens=5_000)

    def trying(begins_s: float) -> Life:
        yield Wait(begins_s)
        yield from asking(who, chat, Need.CHAT, Sdk(most_retries=9, first_s=60.0), dice(1, "p"))

    heard = played([trying(0.0), trying(4.9)], a_scenario(5))

    assert [(end.is_open, end.outcome.status, end.outcome.ended_at_s) for end in heard.ends] == 2 * [(True, 0, 5.0)]


@pytest.mark.parametrize("step_s", [3600.0, -3600.0, 40 * 86_400.0])
def test_a_clock_that_steps_stops_nobody(step_s: float) -> None:
    """
    Whatever the service takes the time for, known people go on being served.
    """
    broken = Broken(kind=Fault.CLOCK_STEP, from_s=20.0, until_s=40.0, step_s=step_s)
    stepped, calm = (
        played(
            [person(somebody(f"p{number}"), every_s=6.0, seed=1) for number in range(4)], a_scenario(60, fault=fault)
        )
        for fault in ((broken,), ())
    )
    assert stepped.reasons()[""] == len(stepped.asks) == len(calm.asks)


def test_settings_by_mistake_are_taken_and_taken_back() -> None:
    """
    An operator sets something; the service goes by it until it is set right.
    """
    tight = msgspec.structs.replace(RULES, gate=GatePlan(principal_rate=0.001, principal_burst=1.0))
    broken = Broken(kind=Fault.CONFIGURATION, from_s=20.0, until_s=40.0, settings={"gate": {}})
    scenario = a_scenario(60, fault=(broken,))
    early = [person(somebody(f"p{number}"), every_s=2.0, seed=1) for number in range(3)]
    heard = played(
        [*early, person(somebody("q"), every_s=2.0, seed=1, first_s=41.0)],
        scenario,
        reading=lambda _settings: tight,
    )
    slowed = [outcome for _, outcome in heard.asks if outcome.reason == "slow_down"]
    assert slowed
    assert all(outcome.asked_at_s >= 20.0 for outcome in slowed)
    assert [(move.at_s, move.what) for move in heard.moves] == [(20.0, "change"), (40.0, "change")]
    assert any(outcome.is_complete for _, outcome in heard.asks if outcome.asked_at_s > 41.0)
    with pytest.raises(ValueError, match="fault: nobody is here who reads settings"):
        play(scenario, RULES, CPU, lambda _part: [], [])


@pytest.mark.parametrize("gate", OPENINGS)
def test_also_who_holds_on_or_is_kept_out_is_told_once_when_it_ends(gate: GateKind) -> None:
    """
    Connections that are held when the rehearsal is over, and what a firewall drops, are asks like others.
    """
    firewall = FirewallPlan(mode=Mode.ON, refused_rate=0.01, refused_burst=1.0)
    rules = msgspec.structs.replace(RULES, firewall=firewall)
    asked: list[int] = []
    holder = somebody("h", Group.ATTACKER, has_account=False)

    def holding(for_s: float) -> Life:
        while True:
            asked.append(1)
            yield Ask(holder, Hold(for_s=for_s))

    def pressing() -> Life:
        while True:
            asked.append(1)
            yield Ask(holder, Chat(prompt_tokens=9, answer_tokens=9))

    heard = played([holding(600.0), holding(7.0), pressing()], a_scenario(35), rules=rules, opening=OPENINGS[gate])
    assert len(heard.asks) == len(asked) - 3, "each would go on once more when it is over"
    if gate is GateKind.TIDEGATE:
        dropped = [outcome for _, outcome in heard.asks if outcome.reason == UNREACHED]
        assert dropped
        assert refusal(dropped[0]) == UNREACHED


def test_of_mistakes_that_overlap_the_last_that_stands_is_in_force() -> None:
    """
    Setting one right does not set the other right.
    """
    seen: list[float] = []

    def reading(settings: Mapping[str, Any]) -> Rules:
        return msgspec.structs.replace(RULES, gate=GatePlan(principal_rate=settings["rate"]))

    def open_seeing(setting: Setting) -> Service:
        service = open_tidegate(setting)
        apply = service.apply

        def applied(rules: Rules, now: float) -> None:
            seen.append(rules.gate.principal_rate)
            apply(rules, now)

        service.apply = applied  # type: ignore[method-assign] # to look on
        return service

    one, other = (
        Broken(kind=Fault.CONFIGURATION, from_s=from_s, until_s=until_s, settings={"rate": rate})
        for from_s, until_s, rate in ((10.0, 30.0, 1.0), (20.0, 40.0, 2.0))
    )
    played([], a_scenario(60, fault=(one, other)), reading=reading, opening=open_seeing)
    assert seen == [1.0, 2.0, 2.0, RULES.gate.principal_rate]


def test_it_is_looked_at_every_five_seconds() -> None:
    """
    Samples come in order, and whoever watches is told how far it is.
    """
    seen: list[tuple[int, float]] = []
    heard = played([], a_scenario(31), progress=lambda cell, now: seen.append((cell, now)))
    assert [sample.at_s for sample in heard.samples] == [5.0, 10.0, 15.0, 20.0, 25.0, 30.0]
    assert seen == [(0, sample.at_s) for sample in heard.samples]
    assert heard.samples[0].capacity_tok_s == pytest.approx(4 / CPU.step_s(4, 0))


def test_cells_share_everybody_and_nobody_is_lost() -> None:
    """
    Head counts are dealt out, loads stay, each cell has dice of its own.
    """
    scenario = a_scenario(
        60,
        scale=Scale(cells=3),
        crowd=(Crowd(from_s=0.0, until_s=9.0, people=100),),
        attack=(Attack(family=Family.REQUEST_FLOOD, from_s=0.0, until_s=9.0, bots=2, accounts=7),),
        odd=(Odd(kind=Oddity.CLASSROOM, from_s=0.0, until_s=9.0, people=40),),
    )
    parts = [part_of(scenario, number) for number in range(3)]
    assert [part.people.established for part in parts] == [4, 3, 3]
    assert sum(part.crowd[0].people for part in parts) == 100
    assert [part.attack[0].bots for part in parts] == [1, 1, 1]
    assert sum(part.attack[0].accounts for part in parts) == 7
    assert {part.people.load for part in parts} == {scenario.people.load}
    assert sum(part.people.sign_ups_per_min for part in parts) == pytest.approx(scenario.people.sign_ups_per_min)
    assert len({part.seed for part in parts}) == 3
    assert part_of(a_scenario(), 0) == a_scenario()
    heard = played(lambda part: [person(somebody("p"), every_s=5.0, seed=part.seed)], scenario)
    assert [sample.at_s for sample in heard.samples].count(5.0) == 3


def test_an_attack_that_is_a_part_of_the_load_is_the_same_part_of_each_cells() -> None:
    """
    One that is so many acts a second is dealt out, like heads.
    """
    families = list(Family)
    attack = tuple(Attack(family=family, from_s=0.0, until_s=9.0, intensity=6.0) for family in families)
    part = part_of(a_scenario(60, scale=Scale(cells=3), attack=attack), 1)
    by_load = {family for family, one in zip(families, part.attack, strict=True) if one.intensity == 6.0}
    assert by_load == {Family.REQUEST_FLOOD, Family.EXPENSIVE_QUERIES, Family.DISTILLATION, Family.RETRY_STORM}
    assert {one.intensity for one in part.attack} == {6.0, 2.0}


def test_what_a_service_tells_is_heard() -> None:
    """
    By every listener, at the time it happened.
    """

    def open_telling(setting: Setting) -> Service:
        setting.tell(Happened(at_s=0.0, what="mode", was="open", to="throttled"))
        return open_tidegate(setting)

    def looking() -> Life:
        outcome = yield Ask(somebody("v", has_account=False), Page())
        assert outcome is not None
        assert outcome.is_complete

    heard = played([looking()], a_scenario(5), opening=open_telling)
    assert [move.to for move in heard.moves] == ["throttled"]
    assert len(heard.asks) == 1
