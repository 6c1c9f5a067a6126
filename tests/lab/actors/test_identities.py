"""People that are drawn from a number."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from tests.lab.actors.scenarios import dice, gini
from tidegate.lab.actors.addresses import COUNTRIES, HOMES, OFFICES, PHONES, RACKS, VPNS, Mix
from tidegate.lab.actors.identities import Population, Region
from tidegate.lab.acts import Group, NetKind

MILLION = 1_000_000


def test_equal_numbers_are_equal_people_and_different_numbers_have_different_names() -> None:
    one, other = (Population(MILLION, Group.ESTABLISHED, 7, programs=0.2) for _ in range(2))

    assert [one.who(number) for number in range(0, MILLION, 9973)] == [
        other.who(number) for number in range(0, MILLION, 9973)
    ]
    assert len({one.who(number).name for number in range(500)}) == 500
    assert one.who(5) != Population(MILLION, Group.ESTABLISHED, 8, programs=0.2).who(5)


def test_nobody_has_a_number_that_there_is_not() -> None:
    population = Population(3, Group.NEW, 1)

    for number in (-1, 3):
        with pytest.raises(IndexError, match="there are 3 new"):
            population.who(number)
    with pytest.raises(ValueError, match="size: expected at least 1"):
        Population(0, Group.NEW, 1)


def test_who_has_an_account_follows_from_the_group() -> None:
    assert Population(1, Group.NEW, 1).who(0).has_account
    assert not Population(1, Group.ANONYMOUS, 1).who(0).has_account


def test_people_live_where_people_live() -> None:
    population = Population(MILLION, Group.ESTABLISHED, 1)
    whos = [population.who(number) for number in range(0, MILLION, 50)]
    kinds = Counter(who.net_kind for who in whos)

    assert all(11 << 24 <= who.address < 100 << 24 for who in whos)
    assert kinds[NetKind.MOBILE] / len(whos) == pytest.approx(0.30, abs=0.02)
    assert kinds[NetKind.VPN] / len(whos) == pytest.approx(0.03, abs=0.01)
    assert not kinds[NetKind.HOSTING]
    assert {who.country for who in whos} == {country.code for country in COUNTRIES}
    assert sum(who.country == "US" for who in whos) / len(whos) == pytest.approx(0.22, abs=0.03)
    germans = [who.lang for who in whos if who.country == "DE"]
    assert germans.count("en") / len(germans) == pytest.approx(0.12, abs=0.04)
    assert set(germans) == {"de", "en"}
    assert {"chrome", "safari", "firefox", "edge"} < {who.agent for who in whos}


def test_a_network_lies_in_one_country() -> None:
    population = Population(20_000, Group.ESTABLISHED, 1)
    countries = defaultdict(set)
    for number in range(20_000):
        who = population.who(number)
        countries[who.address >> 8].add(who.country)

    assert max(map(len, countries.values())) == 1


def test_phones_share_addresses_and_homes_share_networks() -> None:
    population = Population(30_000, Group.ESTABLISHED, 1)
    whos = [population.who(number) for number in range(population.size)]
    phones = [who.address for who in whos if who.net_kind is NetKind.MOBILE]
    homes = [who.address for who in whos if who.address < 70 << 24]

    assert len(phones) / len(set(phones)) == pytest.approx(16, rel=0.1)
    assert len(homes) / len(set(homes)) < 1.02
    assert len(homes) / len({address >> 8 for address in homes}) == pytest.approx(3, rel=0.15)


def test_programs_run_on_machines_and_name_their_library() -> None:
    population = Population(4000, Group.ESTABLISHED, 1, programs=0.25)
    programs = [who for who in map(population.who, range(4000)) if who.is_program]

    assert len(programs) == pytest.approx(1000, rel=0.1)
    assert sum(who.net_kind is NetKind.HOSTING for who in programs) / len(programs) == pytest.approx(0.6, abs=0.06)
    assert not {who.agent for who in programs} & {"chrome", "safari", "edge"}


def test_a_region_has_one_country_and_networks_in_which_nobody_else_is() -> None:
    region = Region(COUNTRIES[3], Mix(0.5, 0.1, 0.0, 0.0), 400_000)
    there = Population(2000, Group.NEW, 1, name="there", region=region)
    elsewhere = Population(MILLION, Group.NEW, 1)
    whos = [there.who(number) for number in range(2000)]

    assert {who.country for who in whos} == {"CN"}
    nets = {elsewhere.who(number).address >> 8 for number in range(0, MILLION, 20)}
    assert not nets & {who.address >> 8 for who in whos}


@pytest.mark.parametrize("block", [HOMES, PHONES, OFFICES, VPNS, RACKS])
def test_networks_of_a_block_differ_and_stay_in_it(block: object) -> None:
    assert isinstance(block, type(HOMES))
    nets = [block.net(number) for number in range(20_000)]

    assert len(set(nets)) == 20_000
    assert block.first <= min(nets)
    assert max(nets) < block.first + block.nets


def test_blocks_do_not_overlap() -> None:
    blocks = (HOMES, PHONES, OFFICES, VPNS, RACKS)

    assert blocks[0].first == 11 << 16
    assert all(one.first + one.nets == other.first for one, other in pairwise(blocks))


def test_who_comes_next_is_drawn_as_often_as_their_part_says() -> None:
    population = Population(20, Group.ESTABLISHED, 1)
    rolled = dice()
    counts = Counter(population.next(rolled) for _ in range(40_000))

    assert sum(population.part(number) for number in range(20)) == pytest.approx(1.0)
    for number in range(20):
        assert counts[number] / 40_000 == pytest.approx(population.part(number), abs=0.008)


def test_some_come_far_more_often_than_others() -> None:
    population = Population(2000, Group.ESTABLISHED, 1)
    rolled = dice()
    counts = Counter(str(population.next(rolled)) for _ in range(200_000))

    assert gini(counts, 2000) == pytest.approx(0.52, abs=0.02)
