"""The engine of a replay: each answer takes the time that it took, stretched by its company."""

from __future__ import annotations

import msgspec
import pytest

from tidegate.core.admission.claims import Claim
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.standing.classes import Standing
from tidegate.lab.replay.bench import Bench, End, Fate
from tidegate.lab.replay.company import Company
from tidegate.lab.replay.surveying import Pace, Work

WORK = Work(read_s=0.5, write_s=1.5, prompt_tokens=20, cached_tokens=5, output_tokens=30)


class Heard:
    """A bench, and who ended when."""

    def __init__(self, plan: AdmissionPlan | None = None, pace: Pace | None = None) -> None:
        self.ends: dict[int, tuple[float, Fate]] = {}
        self.bench = Bench(plan or AdmissionPlan(slots=1), pace or Pace(), self._ended)

    def _ended(self, number: int, fate: Fate) -> None:
        assert number not in self.ends, "once"
        self.ends[number] = self.bench.now, fate

    def enter(
        self,
        number: int,
        work: Work = WORK,
        *,
        at: float = 0.0,
        standing: Standing = Standing.ESTABLISHED,
        patience_s: float = 60.0,
        output_tokens: int = 100,
        who: str = "",
    ) -> None:
        who = who or f"usr_{number:016x}"
        claim = Claim(
            principal=who,
            standing=standing,
            cohort=who,
            prompt_bytes=70,
            output_tokens=output_tokens,
            patience_s=patience_s,
        )
        self.bench.enter(number, claim, work, at)


def test_one_alone_takes_what_it_took_and_the_next_waits_for_its_place() -> None:
    heard = Heard()
    heard.enter(1)
    heard.enter(2, at=1.0)
    heard.bench.close()

    assert heard.ends[1][0] == pytest.approx(2.0, abs=0.01)
    assert heard.ends[1][1] == Fate(End.SERVED, 0.0)
    assert heard.ends[2][0] == pytest.approx(4.0, abs=0.02)
    assert heard.ends[2][1].wait_s == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("slope", "took_s"), [(0.0, 2.0), (0.5, 3.0), (1.0, 4.0)])
def test_two_at_once_take_as_much_longer_as_the_pace_says(slope: float, took_s: float) -> None:
    heard = Heard(AdmissionPlan(slots=2), Pace(slope))
    heard.enter(1)
    heard.enter(2)
    heard.bench.close()

    assert [heard.ends[number][0] for number in (1, 2)] == [pytest.approx(took_s, abs=0.02)] * 2


def test_beside_as_many_as_there_were_at_each_moment_an_answer_takes_just_as_long() -> None:
    """
    Not as many as there were in the mean: else it would end early where company came late, and everybody after it.
    """
    company = Company([(0.0, 5.0), (4.0, 5.0)])
    long = msgspec.structs.replace(WORK, read_s=1.0, write_s=4.0, at_once=1.2, company=company)
    short = msgspec.structs.replace(WORK, read_s=0.5, write_s=0.5, at_once=2.0, placed_at=4.0, company=company)
    heard = Heard(AdmissionPlan(slots=2), Pace(slope=1.0))
    heard.enter(1, long)
    heard.enter(2, short, at=4.0)
    heard.bench.close()

    assert heard.ends[1][0] == pytest.approx(5.0, abs=1e-4)
    assert heard.ends[2][0] == pytest.approx(5.0, abs=1e-4)


def test_whoever_left_leaves_again_while_they_wait_or_read_or_write() -> None:
    heard = Heard()
    heard.enter(1, Work(read_s=1.0, write_s=0.0, is_left=True))
    heard.enter(2, Work(read_s=1.0, write_s=1.0, output_tokens=5, waits_s=0.25))
    heard.enter(3, patience_s=50.0)
    heard.enter(4, Work(read_s=0.2, write_s=0.2, output_tokens=3, is_left=True), at=0.5)
    heard.bench.close()

    assert heard.ends[2][1].end is End.LEFT
    assert (heard.ends[2][0], heard.ends[2][1].wait_s) == pytest.approx((0.25, 0.25), abs=0.01)
    assert heard.ends[1][0] == pytest.approx(1.0, abs=0.01)
    assert [heard.ends[number][1].end for number in (1, 3, 4)] == [End.LEFT, End.SERVED, End.LEFT]


def test_who_has_too_many_in_or_comes_where_there_is_no_room_is_refused() -> None:
    heard = Heard(AdmissionPlan(slots=1, max_waiting=1, max_per_owner=2))
    for number in (1, 2, 3):
        heard.enter(number, who="usr_00000000000000aa")
    heard.enter(4)
    heard.enter(5)
    heard.bench.close()

    assert heard.ends[3][1] == Fate(End.REFUSED, reason="concurrency_limit_exceeded")
    assert heard.ends[5][1] == Fate(End.REFUSED, reason="server_is_overloaded")


def test_a_strangers_prompt_gives_way_and_comes_again_and_a_long_answer_is_cut() -> None:
    plan = AdmissionPlan(slots=1, slice_tokens=16)
    heard = Heard(plan)
    slow = Work(read_s=5.0, write_s=50.0, prompt_tokens=500, output_tokens=900)
    heard.enter(1, slow, standing=Standing.NEWCOMER, output_tokens=1000)
    heard.enter(2, at=1.0)
    heard.bench.advance(30.0)
    heard.enter(3, at=30.0)
    heard.bench.close()

    assert heard.ends[2][0] < 4.0, "the prompt was set aside"
    assert heard.ends[1][1].end is End.CUT
    assert heard.ends[1][1].wait_s > 2.0, "until it had its place again"
    assert heard.ends[3][1].end is End.SERVED


def test_another_plan_and_more_places_count_from_then_on() -> None:
    heard = Heard()
    heard.enter(1)
    heard.enter(2)
    heard.bench.resize(2, 0.5)
    heard.bench.replan(AdmissionPlan(slots=2, max_waiting=0), 0.6)
    heard.bench.advance(0.1)
    heard.enter(3, at=0.6)
    heard.enter(4, at=0.6)
    heard.bench.close()

    assert heard.ends[2][1].wait_s == pytest.approx(0.5, abs=0.01)
    assert heard.ends[4][1].end is End.REFUSED


def test_answers_that_took_years_are_played_to_their_end() -> None:
    """
    Also where the clock stands so late that a moment is lost in it.
    """
    heard = Heard(AdmissionPlan(slots=2))
    heard.enter(1, Work(read_s=1.0, write_s=1e9, output_tokens=9))
    heard.enter(2, Work(read_s=0.3, write_s=0.3, output_tokens=9), at=5e15)
    heard.bench.close()

    assert [heard.ends[number][1].end for number in (1, 2)] == [End.SERVED, End.SERVED]
