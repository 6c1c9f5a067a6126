"""Every solution that the problem has is found and taken, and nothing else is taken."""

from __future__ import annotations

from itertools import pairwise, permutations
from operator import itemgetter
from struct import pack, unpack

import pytest

from tidegate.core.challenge.puzzles import seed_of
from tidegate.core.challenge.sha256 import Searches
from tidegate.core.challenge.wagner import SIZE_BYTES, Wagner

SMALL = Wagner(bits=8)
SEED = seed_of("a seed")


@pytest.fixture(scope="module")
def pieces() -> list[bytes]:
    return [piece for nonce in range(12) for piece in SMALL.solutions(SEED, nonce)]


def with_places(piece: bytes, places: list[int]) -> bytes:
    return piece[:4] + pack(">8I", *places)


def test_there_are_about_two_solutions_to_a_nonce_and_all_are_taken(pieces: list[bytes]) -> None:
    assert 8 <= len(pieces) <= 48
    assert all(SMALL.is_solved(SEED, 0, piece) for piece in pieces)
    assert all(len(piece) == SIZE_BYTES for piece in pieces)


def test_a_solution_has_one_order(pieces: list[bytes]) -> None:
    """Else one piece of work would make 128."""
    places = list(unpack(">8I", pieces[0][4:]))
    orders = [list(order) for order in permutations(places)]
    taken = [order for order in orders if SMALL.is_solved(SEED, 0, with_places(pieces[0], order))]

    assert taken == [places]


def test_each_place_counts(pieces: list[bytes]) -> None:
    for piece in pieces:
        places = unpack(">8I", piece[4:])
        for at in range(8):
            for other in (places[at] ^ 1, places[at] + 1, 2 << 8, 2**32 - 1):
                changed = [*places[:at], other, *places[at + 1 :]]
                assert not SMALL.is_solved(SEED, 0, with_places(piece, changed))
        assert not SMALL.is_solved(SEED, 0, pack(">I", 99) + piece[4:])
        assert not SMALL.is_solved(seed_of("another"), 0, piece)


def test_words_that_cancel_themselves_are_no_solution(pieces: list[bytes]) -> None:
    """The same word twice is zero with itself, for no work."""
    a, b, c, d, *_ = unpack(">8I", pieces[0][4:])

    for places in ([a, b, c, d, a, b, c, d], [a, a, b, b, c, c, d, d], [a, b, a, b, c, d, c, d], [a] * 8):
        assert not SMALL.is_solved(SEED, 0, with_places(pieces[0], places))


def test_a_word_that_stands_twice_is_no_solution_in_any_order() -> None:
    """Of four places no eight are different, however well their words meet."""
    tiny = Wagner(bits=1)
    pairs = [(one, other) for one in range(4) for other in range(one + 1, 4)]
    ordered = [
        (*ab, *cd, *ef, *gh)
        for ab in pairs
        for cd in pairs
        for ef in pairs
        for gh in pairs
        if ab[0] < cd[0] and ef[0] < gh[0] and ab[0] < ef[0]
    ]
    seeds = [seed_of(f"seed {number}") for number in range(40)]

    assert ordered
    assert not any(tiny.is_solved(seed, 0, bytes(4) + pack(">8I", *places)) for seed in seeds for places in ordered)


def test_a_longer_list_is_no_help() -> None:
    """Solutions are easier to find among more places, so places end."""
    larger = Wagner(bits=8)
    vars(larger)["_places"] = 1024
    found = [piece for nonce in range(4) for piece in larger.solutions(SEED, nonce)]
    beyond = [piece for piece in found if max(unpack(">8I", piece[4:])) >= 512]

    assert all(larger.is_solved(SEED, 0, piece) for piece in found)
    assert beyond
    assert not any(SMALL.is_solved(SEED, 0, piece) for piece in beyond)


def test_what_meets_only_on_the_way_is_no_solution(pieces: list[bytes]) -> None:
    """Halves and quarters of solutions of one nonce, put together: each meets what it must, the whole does not."""
    two = next((one, other) for one, other in pairwise(pieces) if one[:4] == other[:4])
    one, other = (unpack(">8I", piece[4:]) for piece in two)
    halves = sorted((half for places in (one, other) for half in (places[:4], places[4:])), key=itemgetter(0))
    quarters = sorted((places[at : at + 2] for places in (one, other) for at in (0, 2, 4, 6)), key=itemgetter(0))
    mixed_halves = [left + right for left in halves for right in halves if left[0] < right[0]]
    mixed_quarters = [left + right + one[4:] for left in quarters for right in quarters if left[0] < right[0]]

    taken = {
        places
        for places in (*mixed_halves, *mixed_quarters)
        if SMALL.is_solved(SEED, 0, with_places(two[0], list(places)))
    }
    assert taken <= {one, other}
    assert one in taken


def test_each_search_and_each_index_counts() -> None:
    searches = Searches(zeros=1)
    piece = searches.solution(SEED, 2)

    assert searches.is_solved(SEED, 2, piece)
    assert not searches.is_solved(SEED, 1, piece)
    assert not searches.is_solved(seed_of("another"), 2, piece)
    for at in range(7, len(piece), 8):
        assert not searches.is_solved(SEED, 2, piece[:at] + bytes((piece[at] ^ 1,)) + piece[at + 1 :])
