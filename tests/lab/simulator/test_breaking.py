"""What becomes of everybody when engines break, and clocks."""

from __future__ import annotations

from math import inf

import msgspec
import pytest

from tests.lab.simulator.agendas import HandAgenda
from tests.lab.simulator.desks import LONG, Desk
from tests.lab.simulator.towns import CPU, GPU, a_scenario, bot, person, played, somebody, with_replicas
from tidegate.core.admission.claims import Cut
from tidegate.lab.acts import Group
from tidegate.lab.calibration import Calibration
from tidegate.lab.scenario import Broken, Fault
from tidegate.lab.simulator.ailing import Ailing
from tidegate.lab.simulator.bare import Bare
from tidegate.lab.simulator.fleet import Fleet
from tidegate.lab.simulator.serving import BASE_UNIX_S


def test_while_the_engine_is_down_nobody_is_answered_and_then_everybody_is() -> None:
    """
    What it had begun is lost; who waited or comes is told at once.
    """
    desk = Desk()
    begun = [desk.ask(somebody(f"p{number}"), LONG) for number in range(4)]
    waiting = desk.ask(somebody("q"), LONG)
    desk.run(3.0)
    leaving = desk.ask(somebody("l"), msgspec.structs.replace(LONG, patience_s=0.0))
    desk.run(0.0)
    desk.fault(Fault.ENGINE_DOWN)
    assert [(one[0].reason, one[0].status) for one in begun[:1]] == [("engine_failed", 200)]
    assert waiting[0].reason in {"engine_failed", "engine_unavailable"}
    assert leaving[0].reason == "client_left"
    refused = desk.ask()
    assert (refused[0].reason, refused[0].status, refused[0].retry_after_s) == ("engine_unavailable", 503, 5.0)
    (sample,) = desk.service.samples(5.0)
    assert (sample.is_healthy, sample.capacity_tok_s, sample.err_rate) == (False, 0.0, 1.0)
    desk.fault(Fault.ENGINE_DOWN, is_on=False)
    served = desk.ask()
    desk.run()
    assert served[0].is_complete


def test_of_several_engines_one_that_is_down_is_left_alone() -> None:
    """
    What it had not begun to answer goes on elsewhere, and its places are gone until it is well again.
    """
    desk = Desk(calibration=GPU, replicas=2)
    desk.service.tick(0.0)
    assert desk.service.scheduler.plan.slots == 64
    many = [desk.ask(somebody(f"p{number}"), msgspec.structs.replace(LONG, prompt_tokens=2_000)) for number in range(6)]
    desk.run(0.05)
    desk.fault(Fault.ENGINE_DOWN, replica=1)
    for _ in range(80):
        desk.run(0.25)
        desk.service.tick(desk.agenda.now)
    assert all(one[0].is_complete and one[0].replica == 0 for one in many)
    assert desk.service.scheduler.plan.slots == 32
    desk.fault(Fault.ENGINE_DOWN, replica=1, is_on=False)
    for _ in range(240):
        desk.run(0.25)
        desk.service.tick(desk.agenda.now)
    assert desk.service.scheduler.plan.slots == 64


def test_an_answer_that_had_begun_on_the_engine_that_went_down_is_broken_off() -> None:
    """
    Nobody writes the rest of another engine's answer.
    """
    desk = Desk(calibration=GPU, replicas=2)
    told = [desk.ask(somebody(f"p{number}"), LONG) for number in range(4)]
    desk.run(1.0)
    desk.fault(Fault.ENGINE_DOWN, replica=0)
    desk.run(60.0)
    assert sorted(one[0].reason for one in told) == ["", "", "engine_failed", "engine_failed"]


def test_a_bad_engine_fails_at_calls_which_another_takes() -> None:
    """
    Where there is no other, they fail.
    """
    several = played(
        [person(somebody(f"p{number}"), every_s=3.0, seed=1) for number in range(6)],
        with_replicas(2, fault=(Broken(kind=Fault.REPLICA_BAD, from_s=10.0, until_s=50.0, factor=0.3, replica=1),)),
        GPU,
    )
    assert several.reasons()[""] == len(several.asks)
    alone = Desk()
    alone.fault(Fault.REPLICA_BAD, factor=0.01)
    told = [alone.ask() for _ in range(20)]
    alone.run()
    failed = [one[0] for one in told if one[0].reason == "engine_failed"]
    assert failed
    assert {one.status for one in failed} == {502}


def test_a_clock_that_is_set_wrong_is_the_service_s_alone() -> None:
    """
    The gate's is steady, that of accounts is what the machine says.
    """
    desk = Desk()
    desk.fault(Fault.CLOCK_STEP, step_s=100.0)
    assert desk.service.clock.unix(1.0) == BASE_UNIX_S + 101.0
    desk.fault(Fault.CLOCK_STEP, step_s=100.0, is_on=False)
    assert desk.service.clock.unix(1.0) == BASE_UNIX_S + 1.0


@pytest.mark.parametrize("calibration", [CPU, GPU], ids=["cpu", "gpu"])
def test_known_people_have_their_prompts_read_first(calibration: Calibration) -> None:
    """
    Whatever strangers have begun to read is set aside or overtaken.
    """
    desk = Desk(calibration=calibration)
    for number in range(3):
        desk.ask(somebody(f"n{number}", Group.NEW), msgspec.structs.replace(LONG, prompt_tokens=1_500, patience_s=inf))
    desk.run(0.03)
    told = desk.ask()
    desk.run(3.0)
    assert told
    assert told[0].is_complete
    assert told[0].first_s is not None
    assert told[0].first_s < 1.0


def test_of_faults_that_overlap_each_lasts_until_its_own_end() -> None:
    """
    The end of the one does not heal the other.
    """
    for opened in (Fleet(GPU, 2, HandAgenda(), 1), Bare(GPU, HandAgenda(), replicas=2)):
        engines = opened.engines if isinstance(opened, Fleet) else [one.engine for one in opened._engines]
        first = Broken(kind=Fault.ENGINE_SLOW, from_s=0.0, until_s=9.0, factor=0.5)
        second = msgspec.structs.replace(first, factor=0.25)
        opened.fault(first, 0.0, is_on=True)
        opened.fault(second, 1.0, is_on=True)
        assert engines[0].speed == pytest.approx(0.125)
        opened.fault(first, 2.0, is_on=False)
        assert engines[0].speed == pytest.approx(0.25)
        opened.fault(second, 3.0, is_on=False)
        assert engines[0].speed == pytest.approx(1.0)


def test_an_engine_is_down_as_long_as_anything_has_it_down() -> None:
    """
    It loses what it has inside once.
    """
    some = Fleet(GPU, 2, HandAgenda(), 1)
    first = Broken(kind=Fault.ENGINE_DOWN, from_s=0.0, until_s=9.0, replica=1)
    second = msgspec.structs.replace(first, from_s=1.0, until_s=20.0)
    assert some.fault(first, 0.0, is_on=True)
    assert not some.fault(second, 1.0, is_on=True)
    assert not some.fault(first, 9.0, is_on=False)
    assert some.is_down == [False, True]
    some.fault(second, 20.0, is_on=False)
    assert some.is_down == [False, False]


def test_a_bad_engine_is_bad_as_long_as_anything_has_it_bad() -> None:
    """
    Two faults at once fail more calls than either.
    """
    found = Ailing()
    first = Broken(kind=Fault.REPLICA_BAD, from_s=0.0, until_s=9.0, factor=0.5)
    found.turn(first, is_on=True)
    found.turn(msgspec.structs.replace(first, factor=0.2), is_on=True)
    assert found.fails(0) == pytest.approx(0.9)
    assert found.fails(1) == 0.0
    found.turn(first, is_on=False)
    found.turn(first, is_on=False)
    assert found.fails(0) == pytest.approx(0.8)


def test_who_is_called_and_finds_no_engine_is_gone_whatever_else_was_decided() -> None:
    """
    A place may be taken back in the same breath in which it was given, and the call fail in between.
    """
    heard = played(
        [
            *(person(somebody(f"p{number}"), every_s=4.0, seed=3) for number in range(12)),
            *(bot(somebody(f"b{number}", Group.ATTACKER), every_s=0.2, seed=3) for number in range(40)),
        ],
        a_scenario(120, fault=(Broken(kind=Fault.REPLICA_BAD, from_s=20.0, until_s=100.0, factor=0.3),)),
    )
    assert heard.reasons()["engine_failed"] > 0
    desk = Desk()
    desk.service.line.carry_out([Cut(ticket=99, is_returning=False, retry_after_s=1.0)], 0.0)
    desk.ask()
    desk.run()
    assert desk.service.line.ended == 1
