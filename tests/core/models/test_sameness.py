"""An alarm needs two looks in a row, is told once, and ends when the pinned model is heard again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.models.pin import Different, Drifted, NotComparable, NotComparableReason, Part, Same, Verdict
from tidegate.core.models.sameness import Answering, SamenessWatch, Step

SAME, DRIFTED = Same(0.01), Drifted(0.07, Part.TEMPLATE)
DIFFERENT = Different(1.0, Part.WEIGHTS)
NOTHING = NotComparable(NotComparableReason.NO_LOGPROBS)

verdicts = st.lists(st.sampled_from([SAME, DRIFTED, DIFFERENT, NOTHING]), max_size=30)


def told(watch: SamenessWatch, *row: Verdict, at_s: float = 10.0) -> list[Step | None]:
    return [watch.judged(verdict, at_s + 30 * number) for number, verdict in enumerate(row)]


def stands(watch: SamenessWatch) -> Answering:
    return watch.now.answering


def why(watch: SamenessWatch) -> NotComparableReason | None:
    return watch.now.why


def is_suspecting(watch: SamenessWatch) -> bool:
    return watch.is_suspecting


def test_two_in_a_row_are_told_once_with_when_it_began() -> None:
    watch = SamenessWatch()

    assert told(watch, SAME, DIFFERENT) == [None, None]
    assert is_suspecting(watch)
    assert stands(watch) is Answering.SAME
    assert told(watch, DIFFERENT, DIFFERENT, at_s=45.0) == [Step.CHANGED, None]
    assert not is_suspecting(watch)
    assert (watch.now.answering, watch.now.since_s, watch.now.part) == (Answering.DIFFERENT, 40.0, Part.WEIGHTS)
    assert watch.now.judged_at_s == 75.0


def test_one_alone_is_forgotten() -> None:
    watch = SamenessWatch()

    assert told(watch, DIFFERENT, SAME, DIFFERENT, DRIFTED, DIFFERENT) == [None] * 5


def test_an_alarm_ends_when_the_pinned_model_is_heard_again() -> None:
    watch = SamenessWatch()

    assert told(watch, DIFFERENT, DIFFERENT, NOTHING, SAME, SAME)[3:] == [Step.RESTORED, None]
    assert stands(watch) is Answering.SAME


def test_what_cannot_be_compared_is_told_once_and_ends_no_alarm() -> None:
    watch = SamenessWatch()

    assert told(watch, NOTHING, NOTHING) == [Step.NOT_COMPARABLE, None]
    assert stands(watch) is Answering.NOT_COMPARABLE
    assert why(watch) is NotComparableReason.NO_LOGPROBS
    assert told(watch, DIFFERENT, DIFFERENT, NOTHING)[1] is Step.CHANGED
    assert stands(watch) is Answering.DIFFERENT
    assert why(watch) is NotComparableReason.NO_LOGPROBS, "an alarm that is not looked at any more says so"
    assert told(watch, SAME) == [Step.RESTORED]
    assert why(watch) is None
    assert told(watch, NOTHING) == [Step.NOT_COMPARABLE]


def test_a_drift_is_no_alarm() -> None:
    watch = SamenessWatch()

    assert told(watch, DRIFTED, DRIFTED) == [None, None]
    assert (watch.now.answering, watch.now.since_s, watch.now.distance) == (Answering.DRIFTED, 10.0, 0.07)


def test_a_new_pin_ends_every_doubt() -> None:
    watch = SamenessWatch()
    told(watch, DIFFERENT, DIFFERENT, DIFFERENT)
    watch.pinned(500.0)

    assert (watch.now.answering, watch.now.since_s) == (Answering.SAME, 500.0)
    assert told(watch, DIFFERENT) == [None]
    assert is_suspecting(watch)


@given(verdicts)
def test_changes_and_ends_take_turns_and_no_change_is_told_from_one_look(row: list[Verdict]) -> None:
    watch = SamenessWatch()
    steps = told(watch, *row)

    changes = [step for step in steps if step in {Step.CHANGED, Step.RESTORED}]
    assert changes == [(Step.CHANGED, Step.RESTORED)[turn % 2] for turn in range(len(changes))]
    for number, step in enumerate(steps):
        if step is Step.CHANGED:
            before = [verdict for verdict in row[:number] if verdict is not NOTHING]
            assert before[-1:] == [DIFFERENT]
