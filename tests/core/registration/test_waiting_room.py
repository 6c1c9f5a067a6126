"""A line that is fair, keeps places, cannot be filled with what nobody shows again, and ends."""

from __future__ import annotations

import itertools
from dataclasses import replace

import msgspec
import pytest

from tests.core.registration.crowds import AT, KEY, WEATHERS, Outcome, run
from tidegate.core.registration.tickets import Unknown, Why
from tidegate.core.registration.waiting import Admitted, Remembered, Waiting, WaitingPlan
from tidegate.core.registration.waiting_room import WaitingRoom

PLAN = WaitingPlan()


class Line:
    """A room, its clock, and people from networks of their own."""

    def __init__(self, plan: WaitingPlan = PLAN) -> None:
        self.room = WaitingRoom(plan, KEY)
        self.now = AT
        self.numbers = itertools.count(1)

    def ticket(self, network: bytes | None = None) -> str:
        number = next(self.numbers)
        return self.room.issue(network or number.to_bytes(3, "big"), self.now, number.to_bytes(8, "big"))

    def poll(self, text: str, *, proved: bool = False) -> Waiting | Admitted | Unknown:
        return self.room.poll(text, self.now, proved=proved)

    def waits(self, text: str, *, proved: bool = False) -> Waiting:
        answer = self.poll(text, proved=proved)
        assert isinstance(answer, Waiting)
        return answer

    def proved(self, count: int, network: bytes | None = None) -> list[str]:
        """So many who proved work, each with the ticket that says so."""
        texts = [self.ticket(network) for _ in range(count)]
        return [self.waits(text, proved=True).renewed or "" for text in texts]

    def admitted(self, texts: list[str]) -> list[str]:
        return [text for text in texts if isinstance(self.poll(text), Admitted)]

    def restart(self) -> None:
        """Another process with the same key."""
        self.room = WaitingRoom(self.room.plan, KEY)


def test_a_ticket_takes_no_place_until_it_is_proved_or_shown_again() -> None:
    line = Line()
    texts = [line.ticket() for _ in range(3)]
    assert len(line.room) == 0
    early = line.waits(texts[0])
    assert not early.is_counted
    assert not early.estimate.is_known
    assert early.renewed is None
    assert len(line.room) == 0
    assert line.waits(texts[1], proved=True).is_counted
    line.now += PLAN.settle_s
    assert line.waits(texts[0]).is_counted
    assert len(line.room) == 2
    assert line.room.admit(line.now, 10) == 2
    assert line.admitted(texts) == texts[:2]


def test_tickets_that_are_fetched_and_dropped_hold_nobody_up_and_take_no_memory() -> None:
    line = Line()
    for _ in range(5000):
        line.ticket(b"flood")
    (person,) = line.proved(1)
    assert line.waits(person).position == 1
    assert line.room.remembered == Remembered(tickets=1, passes=0, used=0)


def test_being_first_by_a_moment_is_worth_nothing_within_a_window_and_a_window_is_worth_its_turn() -> None:
    line = Line()
    line.now += 100.0
    early = line.proved(40)
    line.now += 150.0
    late = line.proved(40)
    line.now += 60.0
    after = line.proved(40)
    line.room.admit(line.now, 40)
    first = set(line.admitted(early + late))
    assert 8 <= len(first & set(late)) <= 32
    line.room.admit(line.now, 40)
    assert line.admitted(after) == []
    assert len(line.admitted(early + late)) == 80


def test_the_first_of_a_network_come_before_everybodys_second() -> None:
    """Programs with a few places from each of many networks took people's turns: both were only drawn."""
    line = Line()
    for place in range(30 * PLAN.network_free):
        line.waits(line.ticket(b"program %d" % (place % 30)), proved=True)
    people = line.proved(10)
    assert max(line.waits(text).position for text in people) <= 30 + 10


def test_one_network_with_many_tickets_comes_after_the_first_ones_of_all_others() -> None:
    line = Line()
    many = line.proved(200, b"net")
    others = line.proved(50)
    line.room.admit(line.now, 51)
    assert len(line.admitted(others)) == 50
    assert len(line.admitted(many)) == 1


def test_a_fifth_of_the_outflow_is_for_those_who_wait_instead_of_working() -> None:
    line = Line()
    waited = [line.ticket() for _ in range(20)]
    line.now += PLAN.settle_s
    for text in waited:
        line.waits(text)
    proved = line.proved(500)
    line.room.admit(line.now, 50)
    assert len(line.admitted(waited)) == 10
    assert len(line.admitted(proved)) == 40


def test_work_that_is_proved_later_never_costs_a_place() -> None:
    line = Line()
    person = line.ticket()
    line.now += PLAN.settle_s
    assert line.waits(person).position == 1
    line.proved(50)
    before = line.waits(person).position
    after = line.waits(person, proved=True)
    assert after.position <= before
    # It is told to keep the better ticket all the same, and may change when that is shorter.
    assert after.renewed is not None
    other = Line()
    crowd = [other.ticket() for _ in range(50)]
    other.now += PLAN.settle_s
    positions = {text: other.waits(text).position for text in crowd}
    last = max(crowd, key=lambda text: other.waits(text).position)
    assert positions
    assert other.waits(last, proved=True).position < 50


def test_a_place_is_kept_through_reloads_and_a_restart() -> None:
    line = Line()
    texts = line.proved(60)
    waited = [line.ticket() for _ in range(20)]
    line.now += PLAN.settle_s
    for text in waited:
        line.waits(text)
    places = {text: line.waits(text).position for text in texts + waited}
    assert {text: line.waits(text).position for text in texts + waited} == places
    line.restart()
    for text in reversed(texts + waited):
        line.poll(text)
    assert {text: line.waits(text).position for text in texts + waited} == places


def test_it_is_kept_for_five_minutes_and_found_again_after_that() -> None:
    line = Line()
    one, two, three = sorted(line.proved(3), key=lambda text: line.waits(text).position)
    line.now += 299.0
    line.waits(two)
    line.waits(three)
    line.now += 20.0
    assert line.waits(three).position == 2
    assert len(line.room) == 2
    assert line.waits(one).position == 1
    line.now += 310.0
    line.waits(three)
    line.now += 5.0
    assert line.room.admit(line.now, 3) == 1
    assert line.admitted([three]) == [three]


def test_a_turn_is_not_given_to_somebody_who_has_just_gone() -> None:
    line = Line()
    line.proved(3)
    line.now += 305.0
    (there,) = line.proved(1)
    assert line.room.admit(line.now, 1) == 1
    assert line.admitted([there]) == [there]
    assert len(line.room) == 0


def test_who_is_told_to_look_in_rarely_is_held_for_longer() -> None:
    line = Line(msgspec.structs.replace(PLAN, most_polls_per_s=0.1))
    texts = line.proved(30)
    told = line.waits(texts[0])
    assert told.refresh_s >= 0.8 * 300.0
    line.now += 2.0 * told.refresh_s
    line.waits(texts[0])
    assert line.room.remembered.tickets >= 1
    assert line.waits(texts[0]).is_counted


def test_a_pass_is_valid_for_a_quarter_of_an_hour_and_once() -> None:
    line = Line()
    used, late, waiting = line.proved(3)
    assert not line.room.take(used, line.now)
    line.room.leave(waiting)
    line.room.admit(line.now, 2)
    assert line.poll(used) == Admitted(line.now + PLAN.pass_s)
    line.now += 100.0
    assert line.poll(used) == Admitted(line.now + PLAN.pass_s - 100.0)
    assert line.room.take(used, line.now)
    assert not line.room.take(used, line.now)
    assert line.poll(used) == Unknown(Why.USED)
    line.now += PLAN.pass_s
    assert not line.room.take(late, line.now)
    assert line.poll(late) == Unknown(Why.USED)
    assert line.room.remembered == Remembered(tickets=0, passes=0, used=2)
    assert not line.room.take("nonsense", line.now)


def test_whose_turn_has_come_is_told_without_touching_anything() -> None:
    line = Line()
    let_in, waiting = line.proved(2)
    line.room.admit(line.now, 1)
    let_in, waiting = (let_in, waiting) if line.room.turn(let_in) else (waiting, let_in)
    before = line.room.remembered

    assert line.room.turn(let_in) is not None
    assert line.room.turn(waiting) is None
    assert line.room.turn("nonsense") is None
    assert line.room.remembered == before
    line.room.take(let_in, line.now)
    assert line.room.turn(let_in) is None


def test_after_a_restart_those_who_were_let_in_are_first_again() -> None:
    line = Line()
    texts = line.proved(20)
    line.room.admit(line.now, 5)
    lucky = line.admitted(texts)
    line.restart()
    for text in texts:
        line.waits(text)
    line.room.admit(line.now, 5)
    assert line.admitted(texts) == lucky


def test_who_leaves_makes_room_and_may_come_back_to_the_old_place() -> None:
    line = Line()
    texts = sorted(line.proved(3), key=lambda text: line.waits(text).position)
    line.room.leave(texts[0])
    line.room.leave(texts[0])
    line.room.leave("nonsense")
    assert line.waits(texts[1]).position == 1
    assert line.waits(texts[0]).position == 1


def test_a_ticket_that_is_a_day_old_or_not_ours_is_worth_nothing() -> None:
    line = Line()
    text = line.ticket()
    assert line.poll("x" * 48) == Unknown(Why.MALFORMED)
    line.now += PLAN.longest_s + 1.0
    assert line.poll(text) == Unknown(Why.EXPIRED)
    with pytest.raises(ValueError, match="8 random bytes"):
        line.room.issue(b"net", line.now, b"short")


def test_a_full_room_takes_nobody_more_but_the_first_of_a_network_before_the_many_of_another() -> None:
    line = Line(msgspec.structs.replace(PLAN, most_tickets=20))
    crowd = line.proved(20, b"net")
    outside = line.ticket(b"net")
    answer = line.waits(outside, proved=True)
    assert (answer.is_counted, answer.is_full, answer.position) == (False, True, 21)
    assert answer.renewed is not None
    (person,) = line.proved(1)
    assert line.waits(person).is_counted
    assert len(line.room) == 20
    pushed = [text for text in crowd if not line.waits(text).is_counted]
    assert len(pushed) == 1
    line.room.admit(line.now, 1)
    assert line.waits(pushed[0]).is_counted
    line.now += PLAN.window_s
    assert line.waits(line.ticket(), proved=True).is_counted, "also who comes later"
    assert not line.waits(line.ticket(b"net"), proved=True).is_counted
    full = Line(msgspec.structs.replace(PLAN, most_tickets=3))
    full.proved(3)
    full.now += PLAN.window_s
    assert not full.waits(full.ticket(), proved=True).is_counted, "the first of a network are pushed by nobody"
    nobody = Line(msgspec.structs.replace(PLAN, most_tickets=0))
    assert not nobody.waits(nobody.ticket(), proved=True).is_counted


def test_no_more_passes_are_out_than_the_plan_allows() -> None:
    line = Line(msgspec.structs.replace(PLAN, most_passes=5))
    texts = line.proved(20)
    assert line.room.admit(line.now, 50) == 5
    assert line.room.admit(line.now, 50) == 0
    line.room.take(line.admitted(texts)[0], line.now)
    assert line.room.admit(line.now, 50) == 1
    assert line.room.admit(line.now, 0) == 0


def test_used_tickets_are_remembered_for_a_day_in_bounded_memory() -> None:
    line = Line(msgspec.structs.replace(PLAN, most_tickets=50))
    for _ in range(10):
        texts = line.proved(50)
        line.room.admit(line.now, 50)
        assert all(line.room.take(text, line.now) for text in texts)
        assert all(line.poll(text) == Unknown(Why.USED) for text in texts)
    assert line.room.remembered.used <= 100


def test_a_wait_is_told_once_enough_were_let_in_and_anew_after_the_mode_rose() -> None:
    line = Line()
    before = line.room.queue_s
    texts = line.proved(200)
    unknown = line.room.queue_s
    assert (before, unknown) == (0.0, None)
    for _ in range(20):
        assert not line.waits(texts[0]).estimate.is_known or line.room.outflow.seen >= PLAN.least_seen
        line.now += 5.0
        line.room.admit(line.now, 1)
    waiting = [text for text in texts if isinstance(line.poll(text), Waiting)]
    last = max(waiting, key=lambda text: line.waits(text).position)
    told = line.waits(last).estimate
    assert told.is_known
    # The window is still open, but nobody is seen to come.
    assert 180 * 5.0 * 0.8 <= told.p50_s <= told.p90_s <= 3.0 * told.p50_s
    assert line.room.queue_s is not None
    assert line.room.queue_s >= 180 * 5.0 * 0.8
    line.room.rose()
    assert not line.waits(last).estimate.is_known


def test_a_clock_that_steps_back_costs_nobody_a_place_or_a_pass() -> None:
    line = Line()
    texts = line.proved(30)
    places = {text: line.waits(text).position for text in texts}
    line.now -= 86_400.0
    assert {text: line.waits(text).position for text in texts} == places
    newcomer = line.proved(1)[0]
    assert line.waits(newcomer).is_counted
    line.room.admit(line.now, 5)
    (first, *_) = line.admitted(texts)
    assert line.room.take(first, line.now + 10.0)


def test_people_look_in_at_different_times_and_no_more_often_than_told() -> None:
    line = Line()
    refreshes = [line.waits(text).refresh_s for text in line.proved(100)]
    assert min(refreshes) >= 16.0
    assert max(refreshes) <= 24.0
    assert len({round(one, 2) for one in refreshes}) > 50


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """Some weathers, for less than half an hour; bench/waiting_room.py plays all of them for an hour."""
    chosen = ("barely full", "halving outflow", "arrival in bursts", "half are bots", "dead tickets")
    return [run(replace(weather, for_s=1500.0)) for weather in WEATHERS if weather.name in chosen]


def test_nine_of_ten_are_in_within_the_wait_that_they_were_first_told(outcomes: list[Outcome]) -> None:
    promises = [one for outcome in outcomes for one in outcome.promises()]
    assert len(promises) > 1500
    kept = sum(is_kept for is_kept, _ in promises) / len(promises)
    assert 0.80 <= kept <= 0.95
    assert max(ratio for _, ratio in promises) <= 3.0
    assert sum(ratio for _, ratio in promises) / len(promises) <= 2.2
    for outcome in outcomes:
        mine = outcome.promises()
        assert sum(is_kept for is_kept, _ in mine) / len(mine) >= 0.7


def test_the_room_knows_by_itself_how_well_its_promises_are_kept(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        calibration = outcome.room.calibration
        assert calibration.coverage is not None
        mine = outcome.promises()
        assert calibration.coverage == pytest.approx(sum(is_kept for is_kept, _ in mine) / len(mine), abs=0.15)
        assert calibration.ratio is not None
        assert 1.0 <= calibration.ratio <= 3.0


def test_everybody_who_stays_gets_in(outcomes: list[Outcome]) -> None:
    assert [outcome.people_in() for outcome in outcomes] == [1.0] * len(outcomes)
    assert all(len(outcome.room) == 0 for outcome in outcomes)


def test_a_place_is_given_for_something_else_once_and_for_good() -> None:
    line = Line()
    (text,) = line.proved(1)
    assert line.room.give(text, line.now)
    assert len(line.room) == 0
    assert line.poll(text) == Unknown(Why.USED)
    assert not line.room.give(text, line.now)


def test_only_a_place_can_be_given() -> None:
    """Neither a ticket that is not counted yet, nor a pass, nor what is no ticket."""
    line = Line()
    assert not line.room.give(line.ticket(), line.now)
    assert not line.room.give("nonsense", line.now)
    (text,) = line.proved(1)
    line.room.admit(line.now, 1)
    assert not line.room.give(text, line.now)
    assert isinstance(line.poll(text), Admitted)


def test_places_that_were_given_away_take_no_more_memory_than_used_ones() -> None:
    line = Line(msgspec.structs.replace(PLAN, most_tickets=3))
    for _ in range(30):
        (text,) = line.proved(1)
        assert line.room.give(text, line.now)
    assert line.room.remembered.used <= 6


def test_the_outlook_is_what_whoever_comes_last_would_be_told_where_it_takes_longest() -> None:
    line = Line()
    assert not line.room.outlook.is_known
    for _ in range(60):
        line.proved(2)
        line.room.admit(line.now, 1)
        line.now += 10.0
    told = line.room.outlook
    assert told.is_known
    assert told.p50_s == line.room.queue_s
    assert 0.0 < told.p50_s < told.p90_s


def test_who_had_a_turn_before_a_restart_has_no_other_after_it() -> None:
    """Else the used tickets of a day would stand before everybody who waits."""
    line = Line()
    used, waiting = line.proved(2)
    line.room.admit(line.now, 1)
    (used,) = line.admitted([used, waiting])
    assert line.room.take(used, line.now)
    place = line.room.place(used)
    assert place is not None
    line.restart()
    line.room.use_up([place], line.now)
    assert line.poll(used) == Unknown(Why.USED)
    assert line.room.place("nonsense") is None


def test_who_takes_thousands_of_tickets_from_a_few_networks_does_not_stand_before_everybody_who_comes_later() -> None:
    """It was so within a window only: 13,000 in one made all who came in the next wait for seven hours."""
    line = Line()
    for number in range(5000):
        line.waits(line.ticket(bytes((number % 4,))), proved=True)
    line.now += PLAN.window_s
    (honest,) = line.proved(1)
    assert line.waits(honest).ahead <= 2 * 4 * PLAN.network_free


def test_whose_turn_is_near_looks_in_by_then_however_many_stand_behind() -> None:
    """With 40,000 in line everybody looked in every 200 s, also who had been told of 30."""
    line = Line(msgspec.structs.replace(PLAN, most_polls_per_s=10.0))
    crowd = line.proved(5000, b"net")
    for _ in range(30):
        line.now += 2.0
        line.room.admit(line.now, 1)
    (honest,) = line.proved(1)
    near, far = line.waits(honest), line.waits(crowd[-1])
    assert near.estimate.is_known
    assert near.refresh_s <= 1.2 * max(PLAN.refresh_s, near.estimate.p90_s) < 100.0
    assert far.refresh_s >= 0.8 * PLAN.refresh_limit_s
