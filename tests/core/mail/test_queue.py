"""Letters wait in order, survive a server that is away, and are given up when they would come too late."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.core.mail.writing import NOW, accounts_letter, strangers_letter
from tidegate.core.mail.queue import LetterQueue, Waiting


def taken(queue: LetterQueue, now: float) -> Waiting:
    found = queue.take(now)
    assert found is not None
    return found


def test_letters_to_people_with_an_account_go_first() -> None:
    queue = LetterQueue(10)
    for letter in (strangers_letter("a@example.org"), strangers_letter("b@example.org"), accounts_letter()):
        assert queue.put(letter, NOW)

    assert [taken(queue, NOW).letter.recipient for _ in range(3)] == [
        "ana@example.org",
        "a@example.org",
        "b@example.org",
    ]
    assert queue.take(NOW) is None


def test_a_full_queue_takes_nothing_more_and_strangers_leave_a_quarter_free() -> None:
    queue = LetterQueue(8)

    assert [queue.put(strangers_letter(), NOW) for _ in range(8)] == [True] * 6 + [False] * 2
    assert [queue.put(accounts_letter(), NOW) for _ in range(3)] == [True, True, False]
    # What is being handed over has a place still.
    first = taken(queue, NOW)
    assert not queue.put(accounts_letter(), NOW)
    queue.answered(first)
    assert queue.put(accounts_letter(), NOW)
    assert len(queue) == 8


def test_what_can_still_go_is_told_and_the_rest_is_given_up() -> None:
    """For whoever stops: a letter that is due too late, or for a server that is away, is not worth a wait."""
    queue = LetterQueue(10)
    assert not queue.can_go(NOW)
    assert queue.put(strangers_letter(), NOW)
    assert queue.can_go(NOW)
    late = taken(queue, NOW)
    assert queue.can_go(NOW), "it is being handed over"
    assert queue.put_off(late, NOW)
    assert (queue.can_go(NOW + 4.9), queue.can_go(NOW + 5.0)) == (False, True)
    assert queue.put(accounts_letter(), NOW)
    assert queue.unreachable(taken(queue, NOW), NOW)
    assert not queue.can_go(NOW + 60.0)
    other = taken(queue, NOW + 5.0)

    assert set(queue.rest()) == {late, other}
    assert len(queue) == 0


def test_while_the_server_is_away_all_wait_and_one_tries_at_growing_distances() -> None:
    queue, now = LetterQueue(10), NOW
    for _ in range(3):
        assert queue.put(strangers_letter(), NOW)
    pauses, since = [], []
    for _ in range(9):
        tried = taken(queue, now)
        if queue.failing_since_s is not None:
            assert queue.take(now) is None, "one at a time"
        assert queue.unreachable(tried, now)
        pause_s = queue.next_s(now)
        assert pause_s is not None
        assert queue.take(now + pause_s - 0.1) is None
        pauses.append(pause_s)
        since.append(queue.failing_since_s)
        now += pause_s

    assert pauses == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    assert since == [NOW] * 9
    back = taken(queue, now)
    assert back.tries == 3, "each has its turn: none that the server stumbles over keeps the others back"
    queue.answered(back)
    since.append(queue.failing_since_s)
    assert since[-1] is None
    assert queue.next_s(now) == 0.0
    assert [taken(queue, now).tries for _ in range(2)] == [3, 3]


def test_a_letter_that_is_put_off_waits_alone() -> None:
    queue = LetterQueue(10)
    assert queue.put(strangers_letter("late@example.org"), NOW)
    assert queue.put(strangers_letter("next@example.org"), NOW)
    late = taken(queue, NOW)
    assert queue.put_off_letters == 0
    assert queue.put_off(late, NOW)
    assert queue.put_off_letters == 1

    queue.answered(taken(queue, NOW))
    assert queue.take(NOW) is None
    assert queue.next_s(NOW) == 5.0
    assert taken(queue, NOW + 5.0) is late
    assert queue.put_off(late, NOW + 5.0)
    assert queue.next_s(NOW + 5.0) == 10.0
    assert queue.next_s(NOW + 60.0) == 0.0


def test_a_letter_that_would_come_too_late_is_given_up() -> None:
    queue = LetterQueue(10)
    assert queue.put(accounts_letter(), NOW)
    assert queue.put(accounts_letter(), NOW + 10)
    first = taken(queue, NOW + 10)
    end = first.letter.good_until_s

    assert not queue.unreachable(first, end)
    assert [one.letter for one in queue.expired(end)] == [accounts_letter()]
    assert queue.expired(end) == []
    assert len(queue) == 0
    assert queue.next_s(end) is None


def test_a_letter_is_not_put_off_beyond_its_end() -> None:
    queue = LetterQueue(10)
    assert queue.put(accounts_letter(), NOW)
    assert queue.put(strangers_letter(), NOW)
    first = taken(queue, NOW)

    assert not queue.put_off(first, first.letter.good_until_s - 1)
    assert queue.expired(NOW) == []
    assert len(queue) == 1


ACTS = st.lists(
    st.tuples(st.sampled_from(["stranger", "account", "sent", "put_off", "away"]), st.floats(0, 700)), max_size=50
)


@given(acts=ACTS)
def test_no_letter_is_lost_or_doubled_and_the_bound_holds(acts: list[tuple[str, float]]) -> None:
    queue, now = LetterQueue(5), NOW
    put = over = 0
    for act, pause_s in acts:
        now += pause_s
        if act in {"stranger", "account"}:
            put += queue.put((strangers_letter if act == "stranger" else accounts_letter)(now=now), now)
        else:
            over += len(queue.expired(now))
            found = queue.take(now)
            if found is not None and act == "sent":
                queue.answered(found)
                over += 1
            elif found is not None:
                over += not (queue.put_off if act == "put_off" else queue.unreachable)(found, now)
        assert len(queue) == put - over <= 5
        next_s = queue.next_s(now)
        assert (next_s is None) == (len(queue) == 0)
    next_s = queue.next_s(now)
    if next_s is not None:
        # The promise is enough: at that moment there is something to do.
        assert queue.expired(now + next_s + 0.001) or queue.take(now + next_s + 0.001)
