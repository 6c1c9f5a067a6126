"""A ticket cannot be made, altered or chosen by those who hold it."""

from __future__ import annotations

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.registration.networks import LATEST, WORST, Networks
from tidegate.core.registration.tickets import (
    TEXT_LENGTH,
    Ticket,
    Tickets,
    Unknown,
    Why,
    grade_of,
    window_of,
    window_start,
)

KEY = b"k" * 32
TICKETS = Tickets(KEY)
TICKET = Ticket(id=b"12345678", arrived_at=1_800_000_123, window=6_000_000, grade=3, is_proved=True)
ANY = st.builds(
    Ticket,
    id=st.binary(min_size=8, max_size=8),
    arrived_at=st.integers(0, 2**40 - 1),
    window=st.integers(0, 2**32 - 1),
    grade=st.integers(0, 255),
    is_proved=st.booleans(),
)


@given(ANY)
def test_what_was_written_is_read(ticket: Ticket) -> None:
    text = TICKETS.write(ticket)
    assert len(text) == TEXT_LENGTH
    assert TICKETS.read(text) == ticket


def test_no_byte_can_be_altered() -> None:
    raw = base64.urlsafe_b64decode(TICKETS.write(TICKET))
    for at in range(len(raw)):
        for bit in range(8):
            altered = bytearray(raw)
            altered[at] ^= 1 << bit
            assert isinstance(TICKETS.read(base64.urlsafe_b64encode(bytes(altered)).decode()), Unknown)


def test_a_ticket_has_one_spelling() -> None:
    """Whoever may be in one place once could come twice by writing it otherwise."""
    texts = [
        TICKETS.write(msgspec.structs.replace(TICKET, id=bytes((number, 255, 239, *range(5))))) for number in range(64)
    ]
    others = {text.replace("-", "+") for text in texts} | {text.replace("_", "/") for text in texts}
    assert len(others - set(texts)) > 1
    assert {TICKETS.read(text) for text in others - set(texts)} == {Unknown(Why.MALFORMED)}


def test_tickets_of_another_key_are_forged() -> None:
    assert TICKETS.read(Tickets(b"o" * 32).write(TICKET)) == Unknown(Why.FORGED)


@pytest.mark.parametrize("text", ["", "a" * 47, "a" * 49, "!" * 48, "ä" * 48, "a" * 46 + "==", "A" * 48, "a b-" * 12])
def test_nonsense_is_told_before_anything_is_reckoned(text: str) -> None:
    assert TICKETS.read(text) == Unknown(Why.MALFORMED)


@given(ANY, ANY)
def test_the_order_is_by_window_then_grade_then_a_draw_that_only_the_service_knows(one: Ticket, two: Ticket) -> None:
    first, second = TICKETS.place(one), TICKETS.place(two)
    assert (window_of(first), grade_of(first)) == (one.window, one.grade)
    assert window_start(one.window) <= first < window_start(one.window + 1)
    standing, other = ((ticket.window, ticket.grade) for ticket in (one, two))
    if standing != other:
        assert (first < second) == (standing < other)
    assert first != Tickets(b"o" * 32).place(one)
    assert (one.id == two.id) == (first & (2**64 - 1) == second & (2**64 - 1))


def test_a_network_with_many_tickets_comes_after_the_first_ones_of_others() -> None:
    networks = Networks(KEY)
    stands = [networks.stand(b"many", 7, 4) for _ in range(2000)]
    assert stands[:9] == [(7, 0), (7, 1), (7, 2), (7, 3), (8, 4), (8, 5), (8, 6), (8, 7), (9, 8)]
    assert stands == sorted(stands)
    assert stands[-1] == (7 + LATEST, WORST)
    assert networks.stand(b"few", 7, 4) == (7, 0)
    assert networks.stand(b"many", 8, 4) == (8 + LATEST, WORST), "what it took of later windows is taken"
    assert networks.stand(b"few", 9, 4) == (9, 0), "and nobody saves up places of earlier ones"
    assert networks.stand(b"many", 600, 4) == (600, 0)


def test_many_networks_hardly_push_each_other() -> None:
    networks = Networks(KEY)
    for number in range(5000):
        for _ in range(4):
            networks.stand(number.to_bytes(4, "big"), 7, 4)
    others = [networks.stand(number.to_bytes(5, "big"), 7, 4) for number in range(1000)]
    assert others.count((7, 0)) >= 980
