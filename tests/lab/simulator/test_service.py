"""The virtual Tidegate: it decides what the core decides, and carries it out as the service does."""

from __future__ import annotations

from math import inf

import msgspec
import pytest

from tests.lab.simulator.desks import LONG, OLD, SMALL, Desk
from tests.lab.simulator.towns import CPU, GPU, RULES, a_scenario, bot, person, played, somebody
from tidegate.core.admission.facts import Bearing, Facts, Lane, Passed, Refused
from tidegate.core.admission.gate import Gate, GatePlan
from tidegate.core.quotas.budget import Budget
from tidegate.core.registration.probation import ProbationPlan
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.register import Register
from tidegate.lab.acts import Ask, Asked, Group, Hold, Life, Outcome, Page, SignUp, Wait, Who
from tidegate.lab.rules import Rules
from tidegate.lab.scenario import Fault
from tidegate.lab.simulator.serving import BASE_UNIX_S, Done
from tidegate.services.admission import Patience

# ------------------------------------------------------------ deciding


def test_the_gate_decides_as_the_core_does_when_it_is_asked_directly() -> None:
    """
    The same facts at the same moments lead to the same answers.
    """
    plan = GatePlan(principal_rate=0.5, principal_burst=3.0, address_rate=0.5, address_burst=3.0)
    rules = msgspec.structs.replace(RULES, gate=plan)
    asks: list[tuple[float, Who]] = []

    def asking(who: Who) -> Life:
        for _ in range(30):
            outcome = yield Ask(who, Page())
            assert outcome is not None
            asks.append((outcome.asked_at_s, who))
            yield Wait(0.7)

    nobody = somebody("nobody", has_account=False)
    heard = played([asking(OLD), asking(nobody)], a_scenario(60), rules=rules)
    register = Register(rules.standing, 10)
    service = Desk(rules).service
    register.know(service.accounts.meet(OLD))
    gate = Gate(plan, register)
    expected = []
    for ask, outcome in heard.asks:
        principal = service.accounts.principal(OLD.name)
        is_known = ask.who == OLD
        facts = Facts(
            address=ask.who.address.to_bytes(4, "big"),
            lane=Lane.PAGE,
            bearing=Bearing.GENUINE if is_known else Bearing.NOTHING,
            principal=principal if is_known else None,
            digest=principal.encode() if is_known else None,
        )
        decided = gate.decide(facts, BASE_UNIX_S + outcome.asked_at_s)
        expected.append((200, None) if isinstance(decided, Passed) else (429, decided.retry_after_s))
    had = [(outcome.status, outcome.retry_after_s) for _, outcome in heard.asks]
    assert had == expected
    assert {status for status, _ in had} == {200, 429}


@pytest.mark.parametrize(
    ("who", "standing"),
    [
        (OLD, Standing.ESTABLISHED),
        (somebody("n", Group.NEW), Standing.NEWCOMER),
        (somebody("b", Group.ATTACKER), Standing.NEWCOMER),
    ],
)
def test_accounts_are_as_well_known_as_their_group_says(who: Who, standing: Standing) -> None:
    """
    Truth about the past is in the register; truth about intentions is not.
    """
    desk = Desk()
    told = desk.ask(who)
    desk.run()
    assert told[0].standing == standing
    assert told[0].is_complete


def test_a_forged_key_is_no_key_whoever_shows_it() -> None:
    """
    Who shows one is a stranger of their address, account or not; and that harms nobody who is known there.
    """
    desk = Desk(msgspec.structs.replace(RULES, gate=GatePlan(address_rate=0.01, address_burst=3.0)))
    forged = msgspec.structs.replace(SMALL, is_key_forged=True)
    told = [desk.ask(OLD, forged)[0] for _ in range(5)]
    assert [(one.status, one.reason) for one in told] == [(401, "invalid_api_key")] * 3 + [(429, "slow_down")] * 2
    genuine = desk.ask(OLD)
    desk.run()
    assert genuine[0].is_complete


def test_a_prompt_is_judged_by_its_bytes_before_anybody_has_counted_its_tokens() -> None:
    """
    Without the template's, which nobody sends; and a bomb looks as short as its bytes are.
    """
    engine = msgspec.structs.replace(CPU, bytes_per_token=5.0, template_tokens=30)
    seen: list[int] = []
    desk = Desk(calibration=engine)
    judge = desk.service.judge

    def noting(facts: Facts, now: float) -> Refused | None:
        seen.append(facts.size_bytes)
        return judge(facts, now)

    desk.service.judge = noting  # type: ignore[method-assign] # looked at, on its way
    for changed in ({}, {"bytes_per_token": 1.0}, {"prompt_tokens": 7}, {"is_key_forged": True}):
        chat = msgspec.structs.replace(SMALL, **{"prompt_tokens": 130, **changed})
        desk.ask(OLD, chat)
    assert seen == [500, 100, 5, 500]


def test_an_account_that_is_made_now_is_new_and_in_a_flood_at_the_bottom() -> None:
    """
    Whoever signs up is known from then on; who does so in a flood as a visitor.
    """
    desk = Desk()
    first, second = (somebody(name, Group.ANONYMOUS, has_account=False) for name in ("a", "b"))
    assert desk.ask(first)[0].status == 401
    desk.service.joined(first, 0.0)
    for _ in range(70):
        desk.service.pressure.refused(0.0)
    desk.service.joined(second, 0.0)
    assert desk.service.is_flooded(0.0)
    told = [desk.ask(first), desk.ask(second)]
    desk.run()
    assert [one[0].standing for one in told] == ["newcomer", "visitor"]
    # And what is forgotten is read again.
    desk.service.register.forget(desk.service.accounts.principal("b"))
    assert desk.service.accounts.meet(second).is_born_in_flood


def test_a_new_account_s_day_ends_when_its_tokens_are_used_up() -> None:
    """
    Probation counts what was read and written; who has no such limit has no bill.
    """
    rules = msgspec.structs.replace(RULES, probation=ProbationPlan(tokens=60))
    desk = Desk(rules)
    new = somebody("n", Group.NEW)
    outcomes: list[Outcome] = []
    for _ in range(8):
        told = desk.ask(new)
        desk.run()
        outcomes += told
    assert outcomes[0].is_complete
    assert (outcomes[-1].reason, outcomes[-1].status) == ("insufficient_quota", 429)
    assert outcomes[-1].retry_after_s is not None
    held = [desk.ask(somebody("m", Group.NEW), LONG)[:] for _ in range(2)]
    assert held[1][0].reason == "concurrency_limit_exceeded"
    desk.ask(OLD)
    assert desk.service.ledger.out == 1


def test_a_budget_of_everybody_s_counts_for_those_who_are_known_too() -> None:
    """
    And it may be taken away by other rules.
    """
    desk = Desk(msgspec.structs.replace(RULES, quotas=Budget(per_hour=30)))
    first = desk.ask()
    desk.run()
    second = desk.ask()
    assert (first[0].reason, second[0].reason) == ("", "insufficient_quota")
    desk.service.apply(RULES, desk.agenda.now)
    third = desk.ask()
    desk.run()
    assert third[0].is_complete


def test_who_has_too_many_in_is_told_so() -> None:
    """
    A stranger has four, run or wait; the fifth hears when one of them should be over.
    """
    desk = Desk()
    new = somebody("n", Group.NEW)
    told = [desk.ask(new, LONG) for _ in range(5)]
    assert told[4][0].reason == "concurrency_limit_exceeded"
    assert told[4][0].retry_after_s


# ------------------------------------------------------------ answers


def test_a_first_token_comes_after_the_way_in_and_the_prompt() -> None:
    """
    What nobody waits for is nobody's queue.
    """
    desk = Desk()
    assert desk.service.headroom(0.0) == 1.0
    told = desk.ask()
    desk.run()
    (outcome,) = told
    reading_s = 2 * CPU.step_s(0, 10)
    assert outcome.first_s == pytest.approx(CPU.begin_s + reading_s)
    assert outcome.ended_at_s == pytest.approx(CPU.begin_s + reading_s + 19 * CPU.step_s(1, 0))
    assert (outcome.queue_s, outcome.promised_s, outcome.status) == (0.0, None, 200)
    assert outcome.gap_s == pytest.approx(CPU.step_s(1, 0), rel=0.05)
    assert (outcome.prompt_tokens, outcome.output_tokens) == (20, 20)
    assert outcome.cost > 20.0


def test_who_wants_the_whole_answer_hears_nothing_before_its_end() -> None:
    """
    So its first word is its last.
    """
    desk = Desk()
    told = desk.ask(OLD, msgspec.structs.replace(SMALL, is_stream=False))
    desk.run()
    assert told[0].first_s == pytest.approx(told[0].ended_at_s)


def test_what_was_said_before_need_not_be_read_again() -> None:
    """
    In the same place, by the same person, where the engine keeps it; of several engines, on the same one.
    """
    again = msgspec.structs.replace(SMALL, prompt_tokens=60, cached_tokens=40)
    forgetful = msgspec.structs.replace(CPU, keeps_prefix=False)
    had = []
    for calibration, replicas in ((CPU, 1), (GPU, 2), (forgetful, 1)):
        desk = Desk(calibration=calibration, replicas=replicas)
        for _ in range(3):
            told = desk.ask(OLD, again)
            desk.run(60.0)
            had.append(told[0].cached_tokens)
    assert had == [0, 40, 40, 0, 40, 0, 0, 0, 0]


def test_who_has_no_word_leaves_and_frees_what_they_held() -> None:
    """
    While they wait, while their prompt is read, and of a whole answer while it is written.
    """
    desk = Desk()
    whole = desk.ask(somebody("w"), msgspec.structs.replace(LONG, patience_s=8.0, is_stream=False))
    reading = desk.ask(OLD, msgspec.structs.replace(LONG, prompt_tokens=3_000, patience_s=5.0))
    waiting = [desk.ask(somebody(f"p{number}"), msgspec.structs.replace(LONG, patience_s=3.0)) for number in range(6)]
    desk.run(60.0)
    assert (reading[0].status, reading[0].reason, reading[0].ended_at_s) == (0, "client_left", 5.0)
    assert {one[0].reason for one in waiting} >= {"client_left"}
    assert whole[0].reason == "client_left"
    assert len(desk.service.line) == 0


def test_who_waits_is_told_how_long_and_the_wait_that_it_came_to() -> None:
    """
    A wait that is shorter than a second is told nobody.
    """
    desk = Desk()
    told = [desk.ask(somebody(f"p{number}"), msgspec.structs.replace(SMALL, patience_s=inf)) for number in range(24)]
    desk.run()
    promised = [one[0] for one in told if one[0].promised_s is not None and one[0].is_complete]
    assert promised
    assert all(one.waited_s is not None and one.promised_s is not None for one in promised)
    assert all(one.waited_s == one.queue_s >= 1.0 for one in promised)
    assert any(one[0].queue_s == 0.0 and one[0].promised_s is None for one in told)


def test_whose_patience_ends_in_line_is_told_when_to_come_back() -> None:
    """
    Patience as the service has it; in a stream that has begun the status stays what it was.
    """
    rules = msgspec.structs.replace(RULES, patience=Patience(streamed_s=40.0, whole_s=35.0))
    desk = Desk(rules)
    for number in range(4):
        desk.ask(somebody(f"r{number}"), msgspec.structs.replace(LONG, answer_tokens=60, patience_s=inf))
    told = [
        desk.ask(somebody(f"p{number}"), msgspec.structs.replace(SMALL, patience_s=inf, is_stream=bool(number % 2)))
        for number in range(4)
    ]
    desk.fault(Fault.ENGINE_SLOW, factor=0.001)
    desk.run(100.0)
    shed = [one[0] for one in told if one and one[0].reason == "server_is_overloaded"]
    assert {(one.status, round(one.queue_s)) for one in shed if one.queue_s} == {(503, 35), (200, 40)}
    assert all(one.retry_after_s is not None for one in shed)


def test_an_answer_that_makes_room_is_broken_off_and_told_why() -> None:
    """
    A stranger's, when somebody known comes; the engine is free before another begins.
    """
    heard = played(
        [
            *[
                bot(somebody(f"b{number}", Group.ATTACKER), every_s=0.1, seed=1, answer_tokens=900)
                for number in range(12)
            ],
            *[person(somebody(f"p{number}"), every_s=4.0, seed=1, first_s=20.0) for number in range(6)],
        ],
        a_scenario(120),
    )
    cut = [outcome for _, outcome in heard.asks if outcome.reason == "insufficient_system_resource"]
    assert cut
    assert all(outcome.status == 200 and outcome.retry_after_s is not None for outcome in cut)
    assert all(outcome.output_tokens > 0 and not outcome.is_complete for outcome in cut)


def test_who_leaves_while_being_set_aside_does_not_wait_again() -> None:
    """
    Their place is free when the engine has let go of it, as anybody's.
    """
    desk = Desk()
    told = desk.ask(somebody("n", Group.NEW), msgspec.structs.replace(LONG, prompt_tokens=900, patience_s=0.2))
    desk.run(0.18)
    known = desk.ask()
    desk.run(0.001)
    assert desk.service.scheduler.running == 2
    desk.run()
    assert (told[0].reason, told[0].ended_at_s) == ("client_left", 0.2)
    assert known[0].is_complete
    assert len(desk.service.line) == 0


def test_when_it_is_over_whatever_comes_from_the_engine_is_too_late() -> None:
    """
    Everybody has been told already: those too whose place was on its way back.
    """
    desk = Desk(calibration=msgspec.structs.replace(CPU, end_s=5.0))
    whole = desk.ask()
    desk.run(2.0)
    stranger = desk.ask(somebody("n", Group.NEW), msgspec.structs.replace(LONG, prompt_tokens=900))
    leaving = desk.ask(somebody("l"), msgspec.structs.replace(LONG, prompt_tokens=900, patience_s=0.295))
    desk.run(0.3)
    later = desk.ask(somebody("q"), LONG)
    desk.run(0.01)
    desk.service.close(desk.agenda.now)
    desk.run()
    assert [one[0].status for one in (stranger, whole, later)] == [0, 0, 0]
    assert leaving[0].reason == "client_left"
    assert len(desk.service.line) == desk.service.scheduler.running == 0


def test_an_engine_without_any_delay_is_one_too() -> None:
    """
    Then a place is free, and the next one begins, between two batches.
    """
    swift = msgspec.structs.replace(CPU, begin_s=0.0, end_s=0.0, free_s=0.0)
    heard = played(
        [
            *[bot(somebody(f"b{number}", Group.ATTACKER), every_s=0.5, seed=1) for number in range(12)],
            *[person(somebody(f"p{number}"), every_s=4.0, seed=1) for number in range(6)],
        ],
        a_scenario(60),
        swift,
    )
    assert heard.reasons()[""] > 40
    assert {"", "server_is_overloaded", "insufficient_system_resource"} <= set(heard.reasons())


# ------------------------------------------------------------ what is no question


def test_pages_are_judged_and_nobody_signs_up_without_a_door() -> None:
    """
    With one all of that is the door's.
    """
    desk = Desk()
    assert desk.ask(OLD, Page(is_asset=True))[0].is_complete
    assert desk.ask(OLD, SignUp())[0].reason == "sign_up_closed"

    class Open:
        mode, in_line = "throttled", 3

        def __init__(self) -> None:
            self.told: list[object] = []

        def ask(self, who: Who, what: Asked, now: float, done: Done) -> None:
            self.told.append(what)
            done(Outcome(asked_at_s=now, ended_at_s=now, status=303, is_complete=True))

        def tick(self, now: float) -> None:
            self.told.append(now)

        def apply(self, rules: Rules, now: float) -> None:
            self.told.append((rules, now))

        def close(self, now: float) -> None:
            self.told.append("closed")

    door = desk.service.door = Open()
    assert desk.ask(OLD, SignUp())[0].status == 303
    desk.service.tick(1.0)
    desk.service.apply(RULES, 2.0)
    desk.service.close(3.0)
    assert door.told == [SignUp(), 1.0, (RULES, 2.0), "closed"]
    (sample,) = desk.service.samples(4.0)
    assert (sample.mode, sample.in_line) == ("throttled", 3)


def test_a_connection_that_is_held_is_closed_in_time() -> None:
    """
    And costs no place at the engine.
    """
    desk = Desk()
    short, long = desk.ask(OLD, Hold(for_s=3.0)), desk.ask(OLD, Hold(for_s=600.0))
    desk.run()
    assert (short[0].status, short[0].ended_at_s) == (0, 3.0)
    assert (long[0].status, long[0].reason, long[0].ended_at_s) == (408, "request_timeout", 10.0)
