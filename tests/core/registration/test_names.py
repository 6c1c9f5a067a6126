"""What an address tells of whoever signs up with it."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.registration.disposable import DisposableList
from tidegate.core.registration.names import (
    LARGE_FAMILY,
    SYMBOLS,
    Letters,
    NameModel,
    NameSignals,
    Recent,
    canonical,
    symbols_of,
)

_NAMES = """
anna.schmidt maria.garcia john.miller peter.jones linda.taylor susan.martin david.brown laura.wilson
james.anderson sandra.moore daniel.thomas carlos.ramirez elena.fischer martin.weber anita.larsen jonas.keller
marta.silva andrea.rossi sara.conti luca.marino blue.wolf
"""
NAMES = _NAMES.split()
NOW = 1_790_000_000.0
KEY = b"k" * 32


def _model() -> NameModel:
    pairs: Counter[tuple[str, str]] = Counter()
    for name in (*NAMES, *(name.replace(".", "") + "00" for name in NAMES)):
        pairs.update(pairwise("^" + name))
    bits = {}
    for first in "^" + SYMBOLS:
        counts = [pairs[first, second] + 0.1 for second in SYMBOLS]
        bits[first] = [-math.log2(count / sum(counts)) for count in counts]
    return NameModel(source="some names", bits=bits)


LETTERS = Letters(_model())
LIST = DisposableList(
    source="a list", commit="1", licence="CC0", taken_at_s=NOW, domains=frozenset({"minutes.example", "a.b.example"})
)


def _recent(most: int = 4096) -> Recent:
    return Recent(LETTERS, LIST, KEY, most=most)


def _judged(recent: Recent, *names: str, now: float = NOW) -> list[NameSignals]:
    return [recent.judge(name if "@" in name else f"{name}@example.org", now) for name in names]


@pytest.mark.parametrize("name", ["xqzkvwpj", "q7x9zk2vw8", "ZQXVKJWP", "zkvqjxwq.qzxkvjwp"])
def test_letters_drawn_at_random_are_told_from_names(name: str) -> None:
    """However they are written."""
    assert LETTERS.judge(name).is_random


@pytest.mark.parametrize("name", ["anna.schmidt", "john.miller1985", "maria-silva", "Márta.Silva", *NAMES])
def test_names_that_people_have_are_not_called_random(name: str) -> None:
    """With years, capitals and accents too."""
    assert not LETTERS.judge(name).is_random


@pytest.mark.parametrize(
    "name", ["xqzk", "qz.xv", "jk2147", "s1234567", "20481024", "мария.иванова", "小明小红小刚小丽小", ""]
)
def test_what_is_too_short_a_number_or_in_other_letters_is_not_judged(name: str) -> None:
    """Such people have to be let alone: nothing tells them from chance."""
    assert not LETTERS.judge(name).is_random


@pytest.mark.parametrize(("name", "is_random"), [("s1234567", False), ("jk.20481024", False), ("s1x23y45", True)])
def test_numbers_are_let_alone_whatever_the_model_says(name: str, is_random: bool) -> None:
    """A student's was drawn by somebody as well."""
    surprised = Letters(NameModel(source="nothing", bits={first: [9.0] * len(SYMBOLS) for first in "^" + SYMBOLS}))

    assert surprised.judge(name).is_random is is_random


def test_what_is_not_written_in_known_letters_has_no_bits() -> None:
    """Nothing was measured, so nothing is said."""
    assert LETTERS.judge("мария").bits_per_char == 0.0
    assert 0.0 < LETTERS.judge("anna").bits_per_char < LETTERS.judge("qzxv").bits_per_char


@pytest.mark.parametrize(
    ("email", "is_told"),
    [("uwe@example.org", False), ("xu@example.org", False), ("20481024@example.org", False),
     ("xqzkvwpjqz@duck.com", False), ("maria.rossi@example.org", True), ("xqzkvwpjqz@example.org", True)],
)  # fmt: skip
def test_bits_are_told_only_where_they_tell_something(email: str, is_told: bool) -> None:
    """Short honest names take as many bits a letter as those drawn at random."""
    (judged,) = _judged(_recent(), email)

    assert (judged.entropy_bits_per_char is not None) is is_told


def test_relays_that_draw_names_for_people_are_not_held_against_them() -> None:
    """Apple's, Mozilla's and others are there to be left alone."""
    of_relay, elsewhere = _judged(_recent(), "xqzkvwpjqz@privaterelay.appleid.com", "xqzkvwpjqz@example.org")

    assert not of_relay.is_random_looking
    assert elsewhere.is_random_looking


def test_a_relays_own_subdomains_are_its_too() -> None:
    """Firefox Relay gives each of its people one."""
    (judged,) = _judged(_recent(), "xqzkvwpjqz@ana.mozmail.com")

    assert not judged.is_random_looking


@pytest.mark.parametrize(
    "names",
    [
        ["bluewolf1", "bluewolf22", "blue.wolf.333", "blue_wolf", "bluewolf+4"],
        ["annasmith", "annasmitb", "annsmith", "annassmith"],
        ["tide-a1b2c3", "tide-x9y8z7", "tide-q1w2e3"],
        ["bot123", "bot456"],
    ],
)
def test_names_of_one_template_are_one_family(names: list[str]) -> None:
    """Digits, dots and one letter more, less or other."""
    found = _judged(_recent(), *names)

    assert len({one.family for one in found}) == 1
    assert [one.family_size for one in found] == list(range(1, len(names) + 1))


def test_random_names_of_one_make_are_one_family() -> None:
    """The same length, with digits or without, at the same domain."""
    recent = _recent()
    found = _judged(recent, "xqzkvwpj", "zkqjxvqz", "xqzkvwpj@example.net", "xqzkvwpjq")

    assert found[0].family == found[1].family
    assert len({one.family for one in found}) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna.schmidt", "maria.garcia"),
        ("annasmith", "annasmoot"),
        ("s1234567", "s1234568"),
        ("bot123", "bot1234"),
        ("мария.иванова", "ольга.петрова"),
    ],
)
def test_names_that_differ_are_not_one_family(one: str, other: str) -> None:
    """Two letters, the numbers of a university, and whatever the letters."""
    first, second = _judged(_recent(), one, other)

    assert first.family != second.family


def test_a_family_does_not_creep() -> None:
    """Whoever is one letter from a member, but not from the first, is no member."""
    found = _judged(_recent(), "annasmith", "annasmitb", "annasmixb")

    assert found[0].family == found[1].family != found[2].family


def test_a_large_family_is_told_from_a_common_name() -> None:
    """It takes a number of them, and a part of all who sign up."""
    recent = _recent()
    found = _judged(recent, *(f"bluewolf{number}" for number in range(LARGE_FAMILY)))
    crowd = [f"{name.replace('.', letter * 9)}" for name in NAMES for letter in "abcdefghijklmnopqrstuvwxyz" * 2]
    _judged(recent, *crowd)
    (later,) = _judged(recent, "bluewolf77")

    assert [one.is_of_large_family for one in found] == [False] * (LARGE_FAMILY - 1) + [True]
    assert later.family == found[0].family
    assert not later.is_of_large_family


def test_a_family_fades_and_time_that_steps_back_does_not_feed_it() -> None:
    """A name that comes up now and then is nobody's template."""
    recent = _recent()
    _judged(recent, *(f"bluewolf{number}" for number in range(7)))
    (a_day_later,) = _judged(recent, "bluewolf8", now=NOW + 86_400)
    (stepped_back,) = _judged(recent, "bluewolf9", now=NOW)

    assert a_day_later.family_size == 1
    assert stepped_back.family_size == 2
    assert not stepped_back.is_of_large_family


def test_no_more_families_are_remembered_than_there_is_room_for() -> None:
    """The one that was added to longest ago goes, and no other."""
    recent = _recent(most=2)
    first, _, again, _, forgotten = _judged(
        recent, "anna.schmidt", "maria.garcia", "anna.schmidt", "peter.jones", "maria.garcia"
    )

    assert len(recent) == 2
    assert again.family_size == 2
    assert first.family == again.family
    assert forgotten.family_size == 1


def test_what_is_forgotten_takes_nothing_of_others_with_it() -> None:
    """Two families may share a key that belongs to the later of them."""
    recent = _recent(most=2)
    _judged(recent, "annasmith", "annasmoot")  # Both without their ends: the later one's now, if at all.
    _judged(recent, "annasmoot", "maria.garcia")
    (again,) = _judged(recent, "annasmoot")

    assert again.family_size == 3


def test_families_are_called_by_a_keyed_hash() -> None:
    """Nobody learns a name from the log without the key."""
    one, other = (Recent(LETTERS, LIST, key).judge("anna@example.org", NOW).family for key in (KEY, b"o" * 32))

    assert one != other


def test_room_for_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="most"):
        _recent(most=0)


def test_disposable_domains_are_told_with_those_below_them() -> None:
    """And weigh what the list's age leaves of them."""
    recent = _recent()
    listed, below, beside = _judged(recent, "ana@minutes.example", "ana@x.minutes.example", "ana@hours.example")
    (stale,) = _judged(recent, "ana@minutes.example", now=NOW + 91 * 86_400)

    assert [one.is_disposable for one in (listed, below, beside, stale)] == [True, True, False, True]
    assert [one.disposable_weight for one in (listed, beside, stale)] == [1.0, 0.0, 0.5]


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        ("ana+news@example.org", "ana@example.org"),
        ("a.n.a+x+y@gmail.com", "ana@gmail.com"),
        ("ana@googlemail.com", "ana@gmail.com"),
        ("a.n.a@example.org", "a.n.a@example.org"),
        ("+tag@example.org", "+tag@example.org"),
        ("...@gmail.com", "...@gmail.com"),
    ],
)
def test_one_box_has_one_address(email: str, expected: str) -> None:
    """What the delivering side leaves out is left out."""
    assert canonical(email) == expected


@given(st.text(max_size=254), st.text(min_size=1, max_size=80))
def test_any_address_is_judged(local: str, domain: str) -> None:
    """Whatever it is made of, twice the same."""
    signals = [_recent().judge(f"{local}@{domain.replace('@', '')}", NOW) for _ in range(2)]

    assert signals[0] == signals[1]
    assert set(symbols_of(local)) <= set(SYMBOLS)


@given(st.lists(st.text(alphabet="abcx1.", min_size=1, max_size=12), max_size=60))
def test_memory_stays_within_its_bound(names: list[str]) -> None:
    """Whoever comes, in whatever order."""
    recent = _recent(most=5)
    _judged(recent, *names)

    assert len(recent) <= 5
    assert len(recent._by_key) <= 5 * 25
