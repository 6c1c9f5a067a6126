"""Plain rate limiting by address: it stops one address, and no flood that has many."""

from __future__ import annotations

import msgspec
import pytest

from tests.lab.simulator.street import a_bot, a_person
from tests.lab.simulator.yard import SHORT, Yard
from tidegate.lab.acts import Hold, Outcome, Page, SignIn, SignUp, Who
from tidegate.lab.simulator.by_address import ByAddress


def test_one_address_may_ask_every_two_seconds_and_a_few_times_at_once() -> None:
    yard = Yard(ByAddress)
    outcomes = []
    for _ in range(40):
        outcomes.append(yard.ask(a_bot(1), SignUp()))
        yard.wait(0.25)

    passed = [number for number, one in enumerate(outcomes) if one[0].status == 201]
    refused = [one[0] for one in outcomes if one[0].status == 429]
    assert len(passed) == 5 + 4  # Four beside the first, and one every two seconds of ten.
    assert {(one.reason, one.retry_after_s, one.promised_s) for one in refused} == {("slow_down", None, None)}


def test_another_address_is_another_caller_and_a_class_behind_one_is_one() -> None:
    yard = Yard(ByAddress)
    pupils = [Who(name=f"pupil-{number}", group=a_person(1).group, address=99) for number in range(40)]

    refused = sum(yard.ask(pupil, SignUp())[0].status == 429 for pupil in pupils)
    (elsewhere,) = yard.ask(a_person(1), SignUp())

    assert refused == 35
    assert elsewhere.is_complete


def test_of_one_address_no_more_than_four_are_answered_at_once() -> None:
    yard = Yard(ByAddress)
    long = msgspec.structs.replace(SHORT, answer_tokens=2000, max_tokens=2000, patience_s=60.0)
    outcomes = []
    for _ in range(6):
        outcomes.append(yard.ask(a_bot(1), long))
        yard.wait(2.0)

    assert [one[0].status for one in outcomes[4:]] == [429, 429]
    assert outcomes[3] == []
    yard.wait(300.0)
    again = yard.ask(a_bot(1), SHORT)
    yard.wait(5.0)
    assert again[0].is_complete


def test_pages_pass_and_slow_heads_are_closed_after_a_minute() -> None:
    yard = Yard(ByAddress)

    pages = [yard.ask(a_bot(1), Page())[0] for _ in range(50)]
    held, brief = yard.ask(a_bot(1), Hold(for_s=600.0)), yard.ask(a_bot(1), Hold(for_s=5.0))
    yard.wait(601.0)

    assert {one.status for one in pages} == {200}
    assert (held[0].ended_at_s, brief[0].ended_at_s) == (60.0, 5.0)


def test_passwords_wait_in_one_line_here_too() -> None:
    yard = Yard(ByAddress)

    outcomes = [yard.ask(a_bot(number), SignIn(account="one", is_right=False)) for number in range(40)]
    mine = yard.ask(a_person(1), SignIn(account="mine"))
    yard.wait(5.0)

    assert {one[0].status for one in outcomes} == {401}
    assert mine[0].first_s == pytest.approx(41 * 0.025)


def test_a_flood_from_many_addresses_starves_people_as_if_nothing_were_there() -> None:
    yard = Yard(ByAddress)
    yard.flood(60.0, 100.0, bots=500)
    people: list[Outcome] = []
    for number in range(50):
        who = a_person(number)
        yard.ask_at(10.0 + number, who, people)
    yard.wait(80.0)

    assert len(people) == 50
    assert sum(one.is_complete for one in people) <= 10


def test_a_flood_from_few_addresses_is_kept_from_them() -> None:
    yard = Yard(ByAddress)
    yard.flood(60.0, 100.0, bots=3)
    people: list[Outcome] = []
    for number in range(50):
        who = a_person(number)
        yard.ask_at(10.0 + number, who, people)
    yard.wait(80.0)

    assert sum(one.is_complete for one in people) >= 45
