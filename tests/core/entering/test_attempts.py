"""What wrong passwords cost the next stranger, and whom they never cost anything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.entering.attempts import Attempts, AttemptsPlan

PLAN = AttemptsPlan(account_slips=3, source_slips=3, network_slips=6, most_in_row=20, most_effort=8, most=100)
AT = 1000.0


def missed(attempts: Attempts, times: int, account: str = "ana", source: str = "s", network: str = "n") -> None:
    for _ in range(times):
        attempts.stranger_missed(account, source, network, AT)


def test_beyond_its_slips_each_miss_doubles_what_the_next_stranger_must_bring_up_to_an_end() -> None:
    attempts = Attempts(PLAN)
    efforts = []
    for number in range(8):
        missed(attempts, 1, source=str(number), network=str(number))
        efforts.append(attempts.account_effort("ana", AT))

    assert efforts == [0, 0, 0, 2, 4, 8, 8, 8]
    assert attempts.account_effort("bo", AT) == 0


def test_an_account_and_where_it_is_tried_from_are_counted_apart() -> None:
    """
    A victim's misses cost their neighbours nothing, and a source's misses cost no account anything.
    """
    attempts = Attempts(PLAN)
    missed(attempts, 5)

    assert attempts.source_effort("other", "elsewhere", AT) == 0
    assert attempts.source_effort("s", "elsewhere", AT) == 4
    assert attempts.account_effort("bo", AT) == 0


def test_a_network_has_more_slips_than_an_address_and_an_unknown_source_none_of_either() -> None:
    attempts = Attempts(PLAN)
    for number in range(7):
        attempts.stranger_missed("ana", str(number), "n", AT)
        attempts.stranger_missed("ana", None, None, AT)

    assert attempts.source_effort("0", "n", AT) == 2
    assert attempts.source_effort(None, None, AT) == 0
    assert attempts.remembered == {"accounts": 1, "sources": 7, "networks": 1, "devices": 0}


def test_misses_are_forgotten_one_after_the_other_but_not_a_row_of_them() -> None:
    """
    NIST SP 800-63B-4: no more than 100 in a row; here what comes after brings the whole effort, whenever it comes.
    """
    attempts = Attempts(PLAN)
    missed(attempts, 5)
    assert attempts.account_effort("ana", AT + PLAN.forgotten_s) == 2
    assert attempts.account_effort("ana", AT + 2 * PLAN.forgotten_s) == 0
    assert attempts.account_effort("ana", AT - 1e6) == 4, "a clock that steps back forgives nothing"

    missed(attempts, 14)
    assert attempts.account_effort("ana", AT + 1e9) == 0
    missed(attempts, 1)
    assert attempts.account_effort("ana", AT + 1e9) == PLAN.most_effort
    attempts.signed_in("ana", None)
    assert attempts.account_effort("ana", AT) == 0


def test_a_device_is_worn_by_misses_in_a_row_for_a_day_and_a_success_starts_anew() -> None:
    attempts = Attempts(PLAN)
    first, second = b"1" * 10, b"2" * 10
    for _ in range(2):
        assert [attempts.device_missed(first, AT) for _ in range(PLAN.most_missed - 1)] == [False] * 9
        assert not attempts.is_worn(first, AT)
        attempts.signed_in("ana", first)
    assert [attempts.device_missed(first, AT) for _ in range(PLAN.most_missed)][-1]

    assert attempts.is_worn(first, AT + PLAN.worn_s - 1)
    assert not attempts.is_worn(second, AT)
    assert not attempts.is_worn(first, AT + PLAN.worn_s)
    assert not attempts.device_missed(first, AT + PLAN.worn_s), "a day later it has all its slips again"


@given(turns=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.booleans()), max_size=50))
def test_no_map_holds_more_than_the_plan_says_and_no_effort_exceeds_its_most(
    turns: list[tuple[int, int, bool]],
) -> None:
    attempts = Attempts(AttemptsPlan(most=5, account_slips=1, source_slips=1, most_effort=1 << 20))
    for account, source, is_device in turns:
        if is_device:
            attempts.device_missed(account.to_bytes(10, "big"), AT)
        else:
            for _ in range(9):
                attempts.stranger_missed(str(account), str(source), str(source // 4), AT)
        assert max(attempts.remembered.values()) <= 5
        assert 0 <= attempts.account_effort(str(account), AT) <= 1 << 20
        assert 0 <= attempts.source_effort(str(source), None, AT) <= 1 << 16
