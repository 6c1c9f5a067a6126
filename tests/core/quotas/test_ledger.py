"""What a ledger lets begin, what it counts, and what it remembers."""

from __future__ import annotations

import msgspec

from tidegate.core.quotas.budget import Budget, Kept, Payer, State, Used, tightest
from tidegate.core.quotas.ledger import Exhausted, Held, Ledger, Out
from tidegate.core.quotas.windows import Window, number_of

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC
DAY_ENDS = 1_800_057_600.0
ANA = Payer("ana")
KEY = Payer("key", has_defaults=False)


def begin(ledger: Ledger, tokens: int, *payers: Payer, now: float = NOW) -> int:
    """Reserve what must be let begin."""
    answer = ledger.reserve(payers or (ANA,), tokens, now)
    assert isinstance(answer, Out)
    return answer.number


def state(ledger: Ledger, payer: Payer = ANA, window: Window = Window.DAY, now: float = NOW) -> State:
    """Where a payer stands."""
    return next(one for one in ledger.states((payer,), now) if one.window is window)


def test_without_a_limit_everything_begins_and_is_counted() -> None:
    """Zero is no limit; what was used is known all the same."""
    ledger = Ledger(Budget(per_day=0), 10)

    ledger.settle(begin(ledger, 10**12), 70)

    assert (state(ledger).used, state(ledger).limit) == (70, 0)
    assert tightest(ledger.states((ANA,), NOW)) is None


def test_a_budget_that_is_used_up_is_refused_until_its_window_ends() -> None:
    """The last request may go beyond; the next begins with the next day."""
    ledger = Ledger(Budget(per_day=100), 10)
    ledger.settle(begin(ledger, 90), 90)
    ledger.settle(begin(ledger, 90), 90)

    answer = ledger.reserve((ANA,), 1, NOW)

    assert isinstance(answer, Exhausted)
    assert (answer.state.window, answer.state.used, answer.state.resets_at_s) == (Window.DAY, 180, DAY_ENDS)
    assert isinstance(ledger.reserve((ANA,), 1, DAY_ENDS - 0.001), Exhausted)
    assert state(ledger, now=DAY_ENDS).remaining == 100
    begin(ledger, 1, now=DAY_ENDS)


def test_what_runs_holds_what_it_may_come_to() -> None:
    """As many as there are at once, only one of them can go beyond; what it did not use is there again."""
    ledger = Ledger(Budget(per_hour=100), 10)
    first = begin(ledger, 60)
    second = begin(ledger, 60)

    answer = ledger.reserve((ANA,), 1, NOW)

    assert isinstance(answer, Held)
    assert (answer.state.used, answer.state.held, answer.state.remaining) == (0, 120, 0)
    ledger.settle(first, 5)
    assert state(ledger, window=Window.HOUR).remaining == 35
    ledger.settle(second, 0)
    assert state(ledger, window=Window.HOUR).remaining == 95


def test_a_bill_is_narrowed_to_what_is_known_better_and_never_widened() -> None:
    """Prompts are reserved by their bytes, until the engine has counted their tokens."""
    ledger = Ledger(Budget(per_day=100), 10)
    number = begin(ledger, 90)

    ledger.narrow(number, 30)
    ledger.narrow(number, 80)

    assert state(ledger).held == 30
    ledger.settle(number, 20)
    ledger.narrow(number, 5)
    assert (state(ledger).held, state(ledger).used) == (0, 20)


def test_what_a_bill_has_come_to_so_far_is_counted_and_the_rest_held_until_its_end() -> None:
    """Told again it is no more, told less it is no less; what it came to in the end is what counts."""
    ledger = Ledger(Budget(per_day=100), 10)
    ledger.know(ANA, Kept(payer="ana"))
    number = begin(ledger, 90)

    for so_far in (20, 20, 10):
        ledger.accrue(number, so_far)
        assert (state(ledger).used, state(ledger).held) == (20, 70)
    assert ledger.changed()[0][1].use[Window.DAY].tokens == 20
    ledger.saved([kept for _, kept in ledger.changed()])
    ledger.narrow(number, 50)
    assert (state(ledger).used, state(ledger).held) == (20, 30)
    ledger.accrue(number, 60)
    assert (state(ledger).used, state(ledger).held) == (60, 0)

    ledger.settle(number, 55)
    ledger.accrue(number, 80)
    assert (state(ledger).used, state(ledger).held, ledger.out) == (55, 0, 0)
    assert ledger.changed()[0][1].use[Window.DAY].tokens == 55


def test_what_came_to_what_was_counted_of_it_already_need_not_be_saved_again() -> None:
    ledger = Ledger(Budget(), 10)
    ledger.know(ANA, Kept(payer="ana"))
    number = begin(ledger, 90)
    ledger.accrue(number, 20)
    ledger.saved([kept for _, kept in ledger.changed()])

    ledger.settle(number, 20)

    assert ledger.changed() == []


def test_a_bill_counts_once() -> None:
    """However often it is settled."""
    ledger = Ledger(Budget(per_day=100), 10)
    number = begin(ledger, 10)

    ledger.settle(number, 7)
    ledger.settle(number, 7)

    assert (state(ledger).used, state(ledger).held, ledger.out) == (7, 0, 0)


def test_a_request_counts_in_the_day_in_which_it_began() -> None:
    """The next day begins with all of its budget, whatever still runs; the month goes on."""
    ledger = Ledger(Budget(per_day=100, per_month=1000), 10)
    number = begin(ledger, 80)

    assert state(ledger, now=DAY_ENDS).remaining == 100
    ledger.settle(number, 70)
    assert (state(ledger, now=DAY_ENDS).used, state(ledger, now=DAY_ENDS).held) == (0, 0)
    month = state(ledger, window=Window.MONTH, now=DAY_ENDS)
    assert (month.used, month.held) == (70, 0)


def test_account_and_key_must_both_have_something_left() -> None:
    """Both are charged; defaults are an account's alone; the latest reset of what is used up is told."""
    ledger = Ledger(Budget(per_day=100), 10)
    ledger.know(KEY, Kept(payer="key", budget=Budget(per_minute=10)))
    ledger.settle(begin(ledger, 10, ANA, KEY), 10)

    only_key = ledger.reserve((ANA, KEY), 1, NOW)
    ledger.settle(begin(ledger, 90, ANA), 90)
    both = ledger.reserve((ANA, KEY), 1, NOW)

    assert isinstance(only_key, Exhausted)
    assert (only_key.state.payer, only_key.state.resets_at_s) == ("key", NOW + 60)
    assert isinstance(both, Exhausted)
    assert (both.state.payer, both.state.resets_at_s) == ("ana", DAY_ENDS)
    assert state(ledger, KEY).limit == 0


def test_limits_of_ones_own_stand_before_the_defaults() -> None:
    """Also to have none; they can be changed, and so can the defaults, without a token forgotten."""
    ledger = Ledger(Budget(per_day=100, per_hour=50), 10)
    ledger.settle(begin(ledger, 60), 60)
    assert isinstance(ledger.reserve((ANA,), 1, NOW), Exhausted)

    ledger.allow("ana", Budget(per_hour=0, per_day=61))
    ledger.allow("nobody", Budget(per_day=1))
    ledger.settle(begin(ledger, 1), 1)

    assert isinstance(ledger.reserve((ANA,), 1, NOW), Exhausted)
    ledger.allow("ana", Budget(per_hour=0))
    ledger.defaults = Budget(per_day=62)
    assert state(ledger).remaining == 1
    assert (state(ledger, window=Window.HOUR).limit, len(ledger)) == (0, 1)


def test_the_tightest_limit_is_the_one_with_least_left() -> None:
    """Of those with as much left, the one that lasts longest."""
    ledger = Ledger(Budget(per_minute=50, per_hour=70, per_day=50), 10)

    assert tightest(ledger.states((ANA,), NOW)) == state(ledger)
    ledger.defaults = Budget(per_minute=49, per_day=50)
    assert tightest(ledger.states((ANA,), NOW)) == state(ledger, window=Window.MINUTE)


# ------------------------------------------------------------ the clock


def test_a_clock_that_steps_back_over_midnight_gives_nothing_back() -> None:
    """The new day that had begun goes on, and is not begun a second time."""
    ledger = Ledger(Budget(per_day=100), 10)
    ledger.settle(begin(ledger, 100, now=DAY_ENDS + 1), 100)

    assert isinstance(ledger.reserve((ANA,), 1, DAY_ENDS - 5), Exhausted)
    assert isinstance(ledger.reserve((ANA,), 1, DAY_ENDS + 5), Exhausted)


def test_a_clock_that_was_a_year_ahead_shuts_nobody_out_for_a_year() -> None:
    """What was used counts today, and today ends at midnight."""
    ledger = Ledger(Budget(per_day=100), 10)
    number = begin(ledger, 100, now=NOW + 365 * 86_400)

    ledger.settle(number, 100)
    answer = ledger.reserve((ANA,), 1, NOW)

    assert isinstance(answer, Exhausted)
    assert answer.state.resets_at_s == DAY_ENDS
    begin(ledger, 1, now=DAY_ENDS)


# ------------------------------------------------------------ keeping


def kept(tokens: int, now: float = NOW, budget: Budget | None = None) -> Kept:
    """What a store has of ana."""
    use = {window: Used(number_of(window, now), tokens) for window in Window}
    return Kept(payer="ana", budget=budget or Budget(), use=use)


def test_what_was_kept_counts_where_its_window_lasts() -> None:
    """A restart forgets nothing that was saved, and brings back nothing that is over."""
    ledger = Ledger(Budget(), 10)

    ledger.know(ANA, kept(40, NOW - 3600))

    used = {one.window: one.used for one in ledger.states((ANA,), NOW)}
    assert used == {Window.MINUTE: 0, Window.HOUR: 0, Window.DAY: 40, Window.MONTH: 40}
    assert ledger.knows("ana")


def test_what_was_counted_before_a_store_could_be_read_is_added_to_it() -> None:
    """Once, however often it is read; what is kept of an older window is left out."""
    ledger = Ledger(Budget(), 10)
    ledger.settle(begin(ledger, 5), 5)
    assert not ledger.knows("ana")
    assert (ledger.unread(), ledger.changed()) == ([ANA], [])

    ledger.know(ANA, kept(40, NOW - 60, Budget(per_day=7)))
    ledger.know(ANA, kept(40))

    used = {one.window: one.used for one in ledger.states((ANA,), NOW)}
    assert used == {Window.MINUTE: 5, Window.HOUR: 5, Window.DAY: 45, Window.MONTH: 45}
    assert (state(ledger).limit, ledger.unread()) == (7, [])
    assert [(payer, one.payer) for payer, one in ledger.changed()] == [(ANA, "ana")]


def test_only_what_differs_from_what_is_kept_is_saved() -> None:
    """Who used more while it was written is written again; a bill that came to nothing changes nothing."""
    ledger = Ledger(Budget(), 10)
    ledger.know(ANA, kept(0))
    ledger.settle(begin(ledger, 5), 0)
    assert ledger.changed() == []

    ledger.settle(begin(ledger, 5), 5)
    written = [one for _, one in ledger.changed()]
    ledger.settle(begin(ledger, 5), 5)
    ledger.saved(written)
    assert ledger.changed() == [(ANA, kept(10))]

    ledger.saved([kept(10), msgspec.structs.replace(kept(1), payer="forgotten")])
    assert ledger.changed() == []


def test_the_longest_unseen_is_forgotten_first_of_those_who_lose_nothing() -> None:
    """Nobody with a bill out, and nobody whose use was not saved while there is anybody else."""
    ledger = Ledger(Budget(), 3)
    out = begin(ledger, 1, Payer("out"))
    ledger.settle(begin(ledger, 1, Payer("unsaved")), 1)
    ledger.states((Payer("saved"),), NOW)

    ledger.states((ANA,), NOW)
    assert len(ledger) == 3
    assert state(ledger, Payer("unsaved")).used == 1

    ledger.settle(begin(ledger, 1, ANA), 1)
    ledger.settle(begin(ledger, 1, Payer("late")), 1)
    assert state(ledger, Payer("out")).held == 1
    assert len(ledger) == 3
    assert state(ledger, Payer("unsaved")).used == 0, "all were unsaved: the longest unseen went"
    ledger.settle(out, 1)


def test_those_with_bills_out_are_remembered_beyond_the_bound() -> None:
    """There are no more of them than requests inside."""
    ledger = Ledger(Budget(), 1)

    numbers = [begin(ledger, 1, Payer(name)) for name in "abc"]

    assert (len(ledger), ledger.out) == (3, 3)
    for number in numbers:
        ledger.settle(number, 1)
    ledger.states((ANA,), NOW)
    ledger.states((Payer("bo"),), NOW)
    assert len(ledger) == 3
