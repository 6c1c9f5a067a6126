"""What holds of a ledger whatever happens in whatever order."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.quotas.budget import Budget, Payer
from tidegate.core.quotas.ledger import Exhausted, Held, Ledger, Out
from tidegate.core.quotas.windows import Window, number_of

NOW = 1_800_000_000.0
MOST = 40

_LIMITS = st.integers(0, 120)
_BUDGETS = st.builds(Budget, per_minute=_LIMITS, per_hour=_LIMITS, per_day=_LIMITS, per_month=_LIMITS)
_PAYERS = st.sets(st.sampled_from(("ana", "bo", "key")), min_size=1).map(sorted)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), _PAYERS, st.integers(0, MOST)),
        st.tuples(st.just("settle"), st.integers(0, 9), st.integers(0, MOST)),
        st.tuples(st.just("narrow"), st.integers(0, 9), st.integers(0, MOST)),
        st.tuples(st.just("accrue"), st.integers(0, 9), st.integers(0, MOST)),
        st.tuples(st.just("pass"), st.just(0), st.sampled_from((1, 29, 61, 1_800, 50_000, 900_000))),
    ),
    max_size=80,
)


@given(budget=_BUDGETS, steps=_STEPS)
def test_what_begins_in_a_window_comes_to_no_more_than_its_budget_and_one_reservation(  # noqa: C901, PLR0912 - a table of steps
    budget: Budget, steps: list[tuple[str, object, int]]
) -> None:
    """However many run at once, in whatever order they end, and whoever pays for them together.

    And: every bill counts exactly once, in the window in which it began; what
    was told to be over at a moment is over then.
    """
    ledger, now = Ledger(budget, 1000), NOW
    out: list[tuple[int, list[str], int, float]] = []
    had: defaultdict[int, int] = defaultdict(int)
    came_to: dict[tuple[str, Window, int], int] = defaultdict(int)
    for kind, what, figure in steps:
        if kind == "pass":
            now += figure
        elif kind == "reserve":
            assert isinstance(what, list)
            answer = ledger.reserve([Payer(name) for name in what], figure, now)
            match answer:
                case Out(number=number):
                    out.append((number, what, figure, now))
                case Exhausted(state=state) | Held(state=state):
                    assert state.used + state.held >= state.limit > 0
                    is_used_up = state.used >= state.limit
                    assert is_used_up == isinstance(answer, Exhausted)
                    assert state.resets_at_s > now
        elif out:
            assert isinstance(what, int)
            number, names, reserved, began_at = out[what % len(out)]
            if kind == "narrow":
                narrowed = min(reserved, figure)
                ledger.narrow(number, narrowed)
                out[what % len(out)] = (number, names, narrowed, began_at)
                continue
            if kind == "accrue":
                so_far = max(had[number], min(reserved, figure))
                ledger.accrue(number, so_far)
                for name in names:
                    for window in Window:
                        came_to[name, window, number_of(window, began_at)] += so_far - had[number]
                had[number] = so_far
                continue
            out.remove((number, names, reserved, began_at))
            tokens = min(reserved, figure)
            for _ in range(2):
                ledger.settle(number, tokens)
            for name in names:
                for window in Window:
                    came_to[name, window, number_of(window, began_at)] += tokens - had[number]
        _check(ledger, budget, came_to, out, had, now)


def _check(
    ledger: Ledger,
    budget: Budget,
    came_to: dict[tuple[str, Window, int], int],
    out: list[tuple[int, list[str], int, float]],
    had: dict[int, int],
    now: float,
) -> None:
    for (_, window, _), tokens in came_to.items():
        limit = budget.limit(window)
        assert not limit or tokens < limit + MOST
    for state in ledger.states([Payer("ana"), Payer("bo"), Payer("key")], now):
        number = number_of(state.window, now)
        assert state.used == came_to.get((state.payer, state.window, number), 0)
        assert state.held == sum(
            max(0, reserved - had[bill])
            for bill, names, reserved, began_at in out
            if state.payer in names and number_of(state.window, began_at) == number
        )
    assert ledger.out == len(out)


@given(budget=_BUDGETS, spent=st.lists(st.integers(1, MOST), max_size=30), offset=st.floats(0, 3e6))
def test_a_reset_that_was_told_is_enough(budget: Budget, spent: list[int], offset: float) -> None:
    """Whoever has nothing else running and comes back then is let in."""
    ledger, now, ana = Ledger(budget, 10), NOW + offset, Payer("ana")
    for tokens in spent:
        answer = ledger.reserve((ana,), tokens, now)
        if isinstance(answer, Out):
            ledger.settle(answer.number, tokens)

    told = ledger.reserve((ana,), 1, now)

    if isinstance(told, Exhausted):
        assert isinstance(ledger.reserve((ana,), 1, told.state.resets_at_s), Out)


@given(
    window=st.sampled_from((Window.MINUTE, Window.HOUR, Window.DAY)),
    moves=st.lists(st.floats(-50, 90), min_size=1, max_size=40),
)
def test_a_clock_that_steps_back_refunds_nothing(window: Window, moves: list[float]) -> None:
    """By less than a window: each window that is new to the clock gives its budget once, and nothing else does."""
    ledger, ana = Ledger(Budget(**{f"per_{window}": 10}), 10), Payer("ana")
    now, begun = NOW, 0
    windows = {number_of(window, now)}
    for move in (0.0, *moves):
        newest = max(windows)
        now += move
        if number_of(window, now) < newest - 1:  # That would be a clock that was wrong before.
            now -= move
        if number_of(window, now) > newest:
            windows.add(number_of(window, now))
        answer = ledger.reserve((ana,), 10, now)
        if isinstance(answer, Out):
            ledger.settle(answer.number, 10)
            begun += 1
        assert begun <= len(windows)
    assert begun == len(windows)


@given(names=st.lists(st.integers(0, 60), max_size=200), most=st.integers(1, 20))
def test_memory_is_bounded_by_its_configuration_and_what_is_out(names: list[int], most: int) -> None:
    """Whoever comes under however many names."""
    ledger = Ledger(Budget(per_day=10), most)
    out = []
    for name in names:
        answer = ledger.reserve((Payer(str(name)),), 3, NOW)
        if isinstance(answer, Out):
            out.append(answer.number)
        if len(out) > 5:
            ledger.settle(out.pop(0), 2)
        assert len(ledger) <= max(most, 1) + 6
