"""What the store has called dead stays so for a while, and takes up no more than it may."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.admission.revocations import Revocations

AT = 1.8e9


def test_a_credential_is_held_for_its_time_and_then_asked_about_again() -> None:
    revoked = Revocations(kept_s=10.0, most=4)
    revoked.note(b"a", AT)

    assert not revoked.holds(b"b", AT)
    assert revoked.holds(b"a", AT + 9.9)
    assert not revoked.holds(b"a", AT + 10.0)
    assert len(revoked) == 0


def test_one_that_counts_after_all_is_forgotten_also_when_it_was_never_noted() -> None:
    revoked = Revocations(kept_s=10.0, most=4)
    revoked.note(b"a", AT)
    revoked.forget(b"a")
    revoked.forget(b"b")

    assert not revoked.holds(b"a", AT)


def test_a_clock_that_is_set_back_does_not_make_it_longer() -> None:
    revoked = Revocations(kept_s=10.0, most=4)
    revoked.note(b"a", AT)

    assert not revoked.holds(b"a", AT - 3600)


def test_the_one_noted_longest_ago_goes_first() -> None:
    revoked = Revocations(kept_s=10.0, most=2)
    for digest in (b"a", b"b", b"a", b"c"):
        revoked.note(digest, AT)

    assert [revoked.holds(digest, AT) for digest in (b"a", b"b", b"c")] == [True, False, True]


def test_another_plan_counts_for_those_that_are_held() -> None:
    revoked = Revocations(kept_s=10.0, most=4)
    for digest in (b"a", b"b", b"c"):
        revoked.note(digest, AT)
    revoked.reshape(kept_s=5.0, most=1)

    assert len(revoked) == 1
    assert revoked.holds(b"c", AT + 4)
    assert not revoked.holds(b"c", AT + 6)


@given(most=st.integers(1, 4), noted=st.lists(st.binary(max_size=1), max_size=50))
def test_more_than_the_bound_is_never_held(most: int, noted: list[bytes]) -> None:
    revoked = Revocations(kept_s=10.0, most=most)
    for digest in noted:
        revoked.note(digest, AT)
        assert len(revoked) <= most
