"""Nobody uses us to bomb a mailbox, and no flood of strangers uses up the letters of people with an account."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.mail.budgets import DAY_S, HOUR_S, Bound, MailBudgets, MailPlan
from tidegate.core.mail.letter import LetterKind

PLAN = MailPlan(per_hour=20, per_day=50, person_per_hour=2, person_per_day=3, reserve=0.5, domain_part=0.2)
CONFIRM, RESET, NOTICE = LetterKind.CONFIRM, LetterKind.RESET, LetterKind.NEW_DEVICE


def person(number: int) -> str:
    return f"p{number}@domain{number}.example"


def test_a_person_gets_so_many_letters_in_an_hour_and_a_day_however_the_address_is_spelt() -> None:
    budgets = MailBudgets(PLAN)
    taken = [budgets.take(CONFIRM, f"ana+{at}@gmail.com", at) for at in (0.0, 1.0, 2.0)]

    assert taken == [None, None, Bound.PERSON]
    assert budgets.take(CONFIRM, "a.na@gmail.com", HOUR_S + 0.5) is None
    assert budgets.take(CONFIRM, "ana@gmail.com", 2 * HOUR_S + 2) is Bound.PERSON
    assert budgets.take(CONFIRM, "ana@gmail.com", DAY_S + 0.5) is None


def test_letters_that_strangers_cause_do_not_use_up_an_accounts_own() -> None:
    """Neither signing up with somebody's address nor asking for resets keeps a notice from arriving."""
    budgets = MailBudgets(PLAN)
    for kind in (CONFIRM, CONFIRM, RESET, RESET):
        assert budgets.take(kind, "ana@example.org", 0.0) is None

    assert budgets.take(RESET, "ana@example.org", 1.0) is Bound.PERSON
    assert budgets.take(NOTICE, "ana@example.org", 1.0) is None


def test_it_is_told_how_long_there_is_no_other_letter_to_a_person() -> None:
    """Three in an hour and six in a day; the links to an account each on their own."""
    budgets = MailBudgets(MailPlan())
    told: list[float] = []
    for at in (0.0, 100.0, 200.0, HOUR_S, HOUR_S + 100.0, HOUR_S + 200.0):
        told.append(budgets.again_s(RESET, "ana@example.org", at))
        assert budgets.take(RESET, "ana@example.org", at) is None
    assert told == [0.0, 0.0, HOUR_S - 200.0, HOUR_S - 3500.0, HOUR_S - 3500.0, DAY_S - HOUR_S - 200.0]
    assert budgets.take(RESET, "ana@example.org", DAY_S - 1.0) is Bound.PERSON
    assert budgets.take(LetterKind.SIGN_IN_LINK, "ana@example.org", DAY_S - 1.0) is None
    assert budgets.take(RESET, "ana@example.org", DAY_S) is None


def test_one_domain_does_not_use_up_the_letters_of_all_and_a_large_provider_has_more() -> None:
    budgets = MailBudgets(PLAN)
    own = [budgets.take(CONFIRM, f"p{n}@x{n}.evil.example", 0.0) for n in range(4)]
    large = [budgets.take(CONFIRM, f"p{n}@gmail.com", 0.0) for n in range(7)]

    assert own == [None, None, Bound.DOMAIN, Bound.DOMAIN]
    assert large == [None] * 7
    named = MailBudgets(msgspec.structs.replace(PLAN, large_domains=frozenset({"evil.example"})))
    assert [named.take(CONFIRM, f"p{n}@evil.example", 0.0) for n in range(7)] == [None] * 7


def test_a_domain_is_no_bound_for_people_with_an_account() -> None:
    budgets = MailBudgets(PLAN)

    assert [budgets.take(RESET, f"p{n}@firm.example", 0.0) for n in range(20)] == [None] * 20


def test_whoever_knows_many_who_have_accounts_uses_up_a_part_of_their_letters_only() -> None:
    budgets = MailBudgets(MailPlan(per_hour=100, per_day=200, network_part=0.05))
    asked = [budgets.take(RESET, person(n), 0.0, "here") for n in range(7)]

    assert asked == [None] * 5 + [Bound.NETWORK] * 2
    assert budgets.take(LetterKind.SIGN_IN_LINK, person(8), 0.0, "here") is Bound.NETWORK, "one budget for both"
    assert budgets.take(RESET, person(8), 0.0, "there") is None
    assert budgets.take(NOTICE, person(8), 0.0, "here") is None, "word of what happened is asked for by nobody"
    assert budgets.take(CONFIRM, person(9), 0.0, "here") is None, "newcomers have bounds of their own"
    again = [budgets.take(RESET, person(n), HOUR_S, "here") for n in range(7)]
    assert again == [None] * 5 + [Bound.NETWORK] * 2
    assert budgets.take(RESET, person(1), 2 * HOUR_S, "here") is Bound.NETWORK, "and ten in a day"


def test_a_network_may_ask_for_as_many_letters_as_a_person_also_of_a_small_budget() -> None:
    budgets = MailBudgets(MailPlan(per_hour=8, per_day=20, person_per_hour=3, network_part=0.01))

    assert [budgets.take(RESET, person(n), 0.0, "here") for n in range(4)] == [None] * 3 + [Bound.NETWORK]


def test_strangers_never_use_the_reserve() -> None:
    budgets = MailBudgets(PLAN)
    strangers = [budgets.take(CONFIRM, person(n), 0.0) for n in range(15)]

    assert strangers == [None] * 10 + [Bound.STRANGERS] * 5
    assert [budgets.take(RESET, person(n), 0.0) for n in range(11)] == [None] * 10 + [Bound.ALL]


def test_what_is_left_of_the_strangers_letters_is_told_and_comes_back() -> None:
    budgets = MailBudgets(PLAN)
    assert budgets.left(0.0) == 1.0
    for n in range(5):
        assert budgets.take(CONFIRM, person(n), 0.0) is None
        assert budgets.take(RESET, person(n), 0.0) is None
    assert budgets.left(0.0) == 0.5
    for n in range(5, 10):
        assert budgets.take(CONFIRM, person(n), 1.0) is None

    assert budgets.left(1.0) == 0.0
    # The hour's is there again; of the day's 25 letters 10 are used.
    assert budgets.left(1.0 + HOUR_S) == pytest.approx(0.6)
    assert budgets.left(1.0 + DAY_S) == 1.0


def test_without_any_letter_for_strangers_none_is_left() -> None:
    budgets = MailBudgets(MailPlan(per_hour=1, per_day=1, reserve=1.0))

    assert budgets.take(CONFIRM, person(1), 0.0) is Bound.STRANGERS
    assert budgets.left(0.0) == 1.0


def test_a_clock_that_steps_back_gives_nobody_more_and_keeps_nobody_from_letters_for_longer() -> None:
    budgets = MailBudgets(PLAN)
    assert budgets.take(CONFIRM, "ana@example.org", 10 * DAY_S) is None
    assert budgets.take(CONFIRM, "ana@example.org", 5 * DAY_S) is None
    assert budgets.take(CONFIRM, "ana@example.org", 5 * DAY_S + 1) is Bound.PERSON

    assert budgets.take(CONFIRM, "ana@example.org", 5 * DAY_S + HOUR_S) is None
    assert budgets.left(6 * DAY_S + HOUR_S) == 1.0


STEPS = st.lists(
    st.tuples(st.sampled_from(list(LetterKind)), st.integers(0, 8), st.integers(0, 3), st.floats(0, HOUR_S)),
    max_size=50,
)


@given(steps=STEPS)
def test_no_bound_is_ever_exceeded_in_any_hour_or_day_and_memory_is_what_was_sent(
    steps: list[tuple[LetterKind, int, int, float]],
) -> None:
    plan = MailPlan(per_hour=6, per_day=9, person_per_hour=2, person_per_day=3, reserve=0.5, domain_part=0.1)
    budgets, now = MailBudgets(plan), 0.0
    sent: list[tuple[float, LetterKind, str]] = []
    for kind, number, domain, pause_s in steps:
        now += pause_s
        recipient = f"p{number}@d{domain}.example"
        if budgets.take(kind, recipient, now) is None:
            sent.append((now, kind, recipient))
        for length_s, most, most_of_one in ((HOUR_S, 6, 2), (DAY_S, 9, 3)):
            within = [(kind, to) for at, kind, to in sent if at > now - length_s]
            strangers = [to for kind, to in within if kind in {CONFIRM, LetterKind.HAVE_ACCOUNT}]
            assert len(within) <= most
            assert len(strangers) <= most // 2
            assert all(strangers.count(to) <= most_of_one for to in strangers)
    # Each letter is counted under at most four names in each window.
    assert sum(len(window.counts) for window in budgets._windows) <= 2 * 4 * plan.per_day
