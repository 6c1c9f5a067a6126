"""Names are free where a server asks for no keys, networks are not: strangers share by the network they come from."""

from __future__ import annotations

from itertools import count

import msgspec
import pytest

from tests.core.admission.engine_model import claim
from tests.core.admission.gating import AT, PLAN, gate, genuine, passed
from tests.core.admission.networks import Networks
from tidegate.core.admission.claims import Act, Admitted, Called, Crowded, Shed, Spent, Topped, Waiting
from tidegate.core.admission.cursor import level
from tidegate.core.admission.fair import MARGIN
from tidegate.core.admission.gate import Gate
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.admission.sharding import ShardPlan
from tidegate.core.identifiers import UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import Record

EVER = 1e9


class Street:
    """Strangers at a scheduler, each under a name of its own."""

    def __init__(self, plan: AdmissionPlan) -> None:
        self.scheduler = Scheduler(plan)
        self.numbers = count(1)

    def enter(self, cohort: str, *, patience_s: float = EVER, now: float = 0.0) -> Admitted | Waiting | Shed | Crowded:
        """One more from a network, whose answer is begun as soon as it has a place."""
        number = next(self.numbers)
        asks = claim(f"name{number}", cohort=cohort, patience_s=patience_s, output_tokens=4000, prompt_bytes=4)
        answer, acts = self.scheduler.enter(number, asks, now)
        if isinstance(answer, Admitted):
            self.scheduler.began(number, now)
        self.begin(acts, now)
        return answer

    def fill(self, cohort: str) -> int:
        """As many from a network as are let in; answers how many."""
        entered = 0
        while isinstance(self.enter(cohort), Admitted | Waiting):
            entered += 1
        return entered

    def begin(self, acts: list[Act], now: float = 0.0) -> list[str]:
        """Begin the answers of those who were called; answers their networks."""
        called = [act.ticket for act in acts if isinstance(act, Called)]
        cohorts = [self.scheduler._tickets[number].claim.cohort for number in called]
        for number in called:
            self.scheduler.began(number, now)
        return cohorts


def test_networks_that_send_new_names_without_end_leave_room_in_the_line_for_others() -> None:
    street = Street(AdmissionPlan(slots=1, max_waiting=64))
    for network in ("net:a", "net:b", "net:c", "net:a", "net:b"):
        street.fill(network)
    assert isinstance(street.enter("net:home"), Waiting)
    assert street.scheduler.preview("name", Standing.NEWCOMER, "net:other", 100, EVER, 0.0) is None
    assert street.scheduler.preview("name", Standing.NEWCOMER, "net:a", 100, EVER, 0.0) is not None


def test_one_network_alone_may_fill_its_queues() -> None:
    street = Street(AdmissionPlan(slots=1, max_waiting=64))
    assert street.fill("net:campus") == 1 + 6 * 8
    assert isinstance(street.enter("net:home"), Waiting)


def test_known_people_are_not_counted_by_network() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=1, max_waiting=8, usual_burst_s=EVER))
    for number in range(9):
        asks = claim(f"ana{number}", Standing.ESTABLISHED, cohort="net:campus", patience_s=EVER)
        assert isinstance(scheduler.enter(number, asks, 0.0)[0], Admitted | Waiting)


def test_what_known_people_ask_beyond_their_usual_does_not_count_for_the_strangers_of_their_network() -> None:
    street = Street(AdmissionPlan(slots=1, max_waiting=64))
    for network in ("net:campus", "net:b", "net:campus"):
        street.fill(network)
    for number in (900, 901):
        asks = claim("ana", Standing.ESTABLISHED, cohort="net:campus", patience_s=EVER, usual_in_flight=1)
        assert isinstance(street.scheduler.enter(number, asks, 0.0)[0], Waiting)
    assert street.scheduler.judged(901) is Standing.NEWCOMER
    outlook = street.scheduler.outlook(901, 0.0)
    assert outlook is not None
    assert outlook.position <= 4, "behind the first of each queue at most"


def test_of_two_networks_that_wait_each_goes_as_often_however_many_names_one_has() -> None:
    street = Street(AdmissionPlan(slots=1, max_waiting=64))
    for _ in range(17):
        street.enter("net:many")
    for _ in range(8):
        street.enter("net:few")
    went: list[str] = []
    for number in range(1, 26):
        for ticket in list(street.scheduler._floor.tickets):
            spent = Spent(prompt_tokens=1, output_tokens=256)
            went += street.begin(street.scheduler.settle(ticket, spent, float(number)), float(number))
    assert 7 <= went[:16].count("net:few") <= 8


def test_an_answer_ends_with_its_slice_where_a_network_waits_that_has_fewer_places() -> None:
    plan = AdmissionPlan(slots=2)
    for waits, topped in (("net:home", Topped.ENDED), ("net:many", Topped.TOPPED_UP)):
        street = Street(plan)
        for cohort in ("net:many", "net:many", waits):
            street.enter(cohort)
        assert street.scheduler.spend(1, 255, 1.0) is Topped.ENOUGH
        assert street.scheduler.spend(1, 1, 1.0) is topped


def test_an_answer_goes_on_where_its_network_has_no_more_places_than_the_others_would_have() -> None:
    street = Street(AdmissionPlan(slots=2))
    for cohort in ("net:a", "net:b", "net:c"):
        street.enter(cohort)
    assert street.scheduler.spend(1, 256, 1.0) is Topped.TOPPED_UP, "c would have one place, and a none"


def test_who_is_let_in_when_it_is_tight_cannot_be_chosen_by_choosing_a_name() -> None:
    street = Street(AdmissionPlan(slots=1, max_waiting=8, max_per_stranger=1))
    for number in range(6):
        street.enter(f"net:{number}")
    line = street.scheduler._lines[Standing.NEWCOMER]
    line.cursor.part = 0.5
    networks = [f"net:x{number}" for number in range(20)]
    for network in networks:
        is_in = level(network, 0.0) < 0.5
        for _ in range(5):
            answer = street.enter(network)
            assert isinstance(answer, Waiting) is is_in
            if is_in:
                street.scheduler.abandon(next(reversed(street.scheduler._tickets)), 0.0)
    assert len({level(network, 0.0) < 0.5 for network in networks}) == 2


def test_of_whom_nothing_is_told_yet_nobody_says_that_their_queues_are_long() -> None:
    """Or whoever fills the queues of a network without a name would keep out all who show a new key."""
    scheduler = Scheduler(AdmissionPlan(slots=1, max_waiting=1000, shards=ShardPlan(queues=8, hand=6)))
    for number in range(30):
        asks = claim(f"name{number}", Standing.VISITOR, cohort=f"net:{number % 10}", patience_s=EVER)
        scheduler.enter(number, asks, 0.0)
    refused = scheduler.preview("other", Standing.VISITOR, "net:other", 100, 60.0, 0.0)
    assert refused is not None, "its own queues are long"
    assert scheduler.preview("", Standing.VISITOR, "", 100, 60.0, 0.0) is None


def test_a_new_name_is_told_by_its_head_alone_to_wait_behind_what_its_network_has_asked_for() -> None:
    street = Street(AdmissionPlan(slots=1, max_waiting=64))
    street.enter("net:first")
    for network in (*["net:many"] * 6, *[f"net:{number}" for number in range(10)]):
        street.enter(network)
    scheduler = street.scheduler
    cost, rate = scheduler._tickets[2].charged, scheduler._reckoning.rate(Standing.NEWCOMER, 0.0)
    patience_s = MARGIN * 13 * cost / rate  # All 16 that wait are before it, and 11 before any other.
    assert scheduler.preview("new", Standing.NEWCOMER, "net:many", 100, patience_s, 0.0) is not None
    assert scheduler.preview("else", Standing.NEWCOMER, "net:home", 100, patience_s, 0.0) is None


def test_a_line_that_is_full_lets_fewer_networks_in() -> None:
    street = Street(AdmissionPlan(slots=1, max_waiting=4))
    for number in range(5):
        street.enter(f"net:{number}")
    cursor = street.scheduler._lines[Standing.NEWCOMER].cursor
    for second in range(1, 4):
        refused = street.scheduler.preview(f"n{second}", Standing.NEWCOMER, "net:other", 100, EVER, float(second))
        assert refused is not None
    assert cursor.part == pytest.approx(0.95**3)


def newcomers(cohort: str, count: int, into: Gate) -> list[UserId]:
    """Keys that a server which asks for none has accepted, known by their network."""
    made = [UserId.of(f"{cohort:8.8}{number:04}".encode()) for number in range(count)]
    for principal in made:
        record = Record.of_caller(principal, AT)
        into._register.know(msgspec.structs.replace(record, cohort=cohort))
    return made


def test_one_network_with_many_accepted_keys_does_not_use_up_what_all_newcomers_may_ask() -> None:
    one = gate(most_principals=1000)
    many, (home,) = newcomers("net:many", 30, one), newcomers("net:home", 1, one)
    assert sum(passed(one, genuine(name), times=4) for name in many) == PLAN.network_burst
    assert passed(one, genuine(home), times=4) == 4
    assert passed(one, genuine(many[-1]), times=4, now=AT + 1.0) == PLAN.network_rate
    one.apply(msgspec.structs.replace(one.plan, network_burst=2.0))
    assert sum(passed(one, genuine(name), times=1, now=AT + 1000.0) for name in many) == 2
    assert one.remembered["cohorts"] == 2


def test_all_newcomers_together_are_bounded_whatever_their_networks_and_who_stands_alone_is_no_network() -> None:
    one = gate(most_principals=1000)
    for number in range(20):
        (alone,) = newcomers(f"net:{number}", 1, one)
        one._register.know(Record.of_caller(alone, AT))
        assert passed(one, genuine(alone), times=1) == 1
    assert one.remembered["cohorts"] == 0
    for number in range(20, 24):
        (late,) = newcomers(f"net:{number}", 1, one)
        assert passed(one, genuine(late), times=1) == 0
    assert one.remembered["cohorts"] == 0, "a refusal takes nothing"


def test_newcomers_beside_one_network_with_endless_keys_are_served_within_seconds() -> None:
    found = Networks(1, people=6, homes=6, think_s=10.0).run(60.0)
    assert found.part >= 0.85
    assert found.median_s <= 6.0


def test_newcomers_beside_networks_that_fill_the_line_with_short_questions_are_served() -> None:
    found = Networks(4, people=6, homes=6, think_s=10.0, output_tokens=16).run(120.0)
    assert found.part >= 0.9
    assert found.median_s <= 2.0


@pytest.mark.slow
def test_of_newcomers_beside_64_networks_most_of_those_whose_hour_it_is_are_served() -> None:
    found = Networks(64, people=20, homes=20, think_s=20.0, output_tokens=16).run(240.0)
    assert found.part >= 0.4


@pytest.mark.slow
def test_two_hundred_newcomers_of_one_network_are_served_when_nobody_else_asks_and_beside_one_that_presses() -> None:
    for pressing in (0, 1):
        found = Networks(pressing, people=200, homes=1, think_s=200.0).run(120.0)
        assert found.part >= (0.9 if pressing else 0.97)
        assert found.median_s <= (4.0 if pressing else 0.5)
