"""Where bots come from, and who they are."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.lab.actors.campaigns import a_campaign, an_attack
from tidegate.lab.actors.addresses import country_of
from tidegate.lab.actors.attackers.chance import chosen, mixed, parts_of
from tidegate.lab.actors.attackers.nets import Nets
from tidegate.lab.acts import Group, NetKind
from tidegate.lab.scenario import Family

MANY = 10_000_000


@pytest.mark.parametrize("bots", [1, 100, 20_000])
def test_data_centres_are_few_dense_networks_where_nobody_else_is(bots: int) -> None:
    nets = Nets(12345, bots)

    addresses = [nets.hosted(bot) for bot in range(bots)]

    networks = Counter(address >> 8 for address in addresses)
    assert len(set(addresses)) == bots
    assert len(networks) == min(bots, max(4, bots // 200))
    assert {100 <= address >> 24 < 150 for address in addresses} == {True}
    assert {0 < address & 255 < 255 for address in addresses} == {True}


@pytest.mark.parametrize(("is_next_door", "first", "last"), [(False, 150, 199), (True, 11, 69)])
def test_residential_proxies_have_a_network_each(is_next_door: bool, first: int, last: int) -> None:
    nets = Nets(12345, MANY)

    addresses = [nets.residential(bot, is_next_door=is_next_door) for bot in range(20_000)]

    assert len({address >> 8 for address in addresses}) == len(addresses)
    assert {first <= address >> 24 <= last for address in addresses} == {True}
    assert {0 < address & 255 < 255 for address in addresses} == {True}


def test_ten_million_bots_find_room() -> None:
    nets = Nets(12345, MANY)
    sample = range(0, MANY, 997)

    assert {100 <= nets.hosted(bot) >> 24 < 150 for bot in sample} == {True}
    assert {150 <= nets.residential(bot, is_next_door=False) >> 24 < 200 for bot in sample} == {True}


def test_a_seat_is_the_same_whenever_it_is_asked_for() -> None:
    attack = an_attack(Family.REQUEST_FLOOD, bots=MANY, mimicry=0.5)

    one, other = a_campaign(attack).seats, a_campaign(attack).seats

    assert [one.seat(number) for number in range(0, MANY, 99_991)] == [
        other.seat(number) for number in range(0, MANY, 99_991)
    ]
    assert one.seat(7) != a_campaign(attack, seed=2).seats.seat(7)


def test_everybody_of_a_campaign_is_told_to_be_an_attacker_of_it() -> None:
    seats = a_campaign(an_attack(Family.JAILBREAK, bots=500, accounts=20)).seats

    whos = [seats.seat(number).who for number in range(500)]

    assert {who.group for who in whos} == {Group.ATTACKER}
    assert {(who.family, who.fleet) for who in whos} == {("jailbreak", "jailbreak-0")}


@pytest.mark.parametrize(("mimicry", "part"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_mimicry_is_the_part_of_browsers_on_peoples_lines(mimicry: float, part: float) -> None:
    seats = a_campaign(an_attack(Family.REQUEST_FLOOD, bots=2_000, mimicry=mimicry)).seats

    drawn = [seats.seat(number) for number in range(2_000)]

    whos = [seat.who for seat in drawn]
    assert sum(who.net_kind is NetKind.RESIDENTIAL for who in whos) / 2_000 == pytest.approx(part, abs=0.04)
    assert sum(not who.is_program for who in whos) / 2_000 == pytest.approx(part, abs=0.04)
    assert sum(who.agent in {"chrome", "safari", "edge", "firefox"} for who in whos) / 2_000 == pytest.approx(
        part, abs=0.04
    )
    assert sum(11 <= who.address >> 24 < 70 for who in whos) / 2_000 == pytest.approx(part * mimicry, abs=0.04)
    assert sum(seat.heeds for seat in drawn) / 2_000 == pytest.approx(part, abs=0.04)
    assert sum(seat.is_forging for seat in drawn) / 2_000 == pytest.approx(0.5 * (1.0 - part), abs=0.04)


def test_who_guesses_passwords_comes_from_vpn_exits_for_one_half() -> None:
    seats = a_campaign(an_attack(Family.CREDENTIAL_STUFFING, bots=2_000)).seats

    kinds = Counter(seats.seat(number).who.net_kind for number in range(2_000))

    assert kinds[NetKind.VPN] / 2_000 == pytest.approx(0.5, abs=0.04)
    assert kinds[NetKind.TOR] > 0


def test_accounts_are_shared_by_bots_or_held_one_by_one() -> None:
    shared = a_campaign(an_attack(Family.DISTILLATION, bots=100, accounts=10)).seats
    held = a_campaign(an_attack(Family.REQUEST_FLOOD, bots=100, accounts=10)).seats
    many = a_campaign(an_attack(Family.DISTILLATION, bots=10, accounts=100)).seats

    assert Counter(shared.seat(number).who.name for number in range(100)).most_common(1)[0][1] == 10
    assert sum(held.seat(number).who.has_account for number in range(100)) == 10
    assert len({held.seat(number).who.name for number in range(100)}) == 100
    assert many.count == 100
    assert len({many.seat(number).who.name for number in range(100)}) == 100
    assert len({many.seat(number).who.address for number in range(100)}) == 10


def test_what_is_mixed_spreads_evenly() -> None:
    parts = [part for number in range(5_000) for part in parts_of(mixed(99, number))]

    assert min(parts) >= 0.0
    assert max(parts) < 1.0
    assert sum(parts) / len(parts) == pytest.approx(0.5, abs=0.01)
    assert Counter(int(part * 10) for part in parts).most_common()[-1][1] > 1_800


def test_shares_that_do_not_quite_add_up_choose_the_last() -> None:
    assert chosen(((0.5, "a"), (0.4, "b")), 0.95) == "b"


def test_a_proxy_next_door_is_where_its_network_is() -> None:
    seats = a_campaign(an_attack(Family.REQUEST_FLOOD, bots=500, mimicry=1.0)).seats

    for who in (seats.seat(number).who for number in range(500)):
        assert (who.country, who.lang) == country_of(who.address >> 8)[::2]


def test_whoever_hides_nothing_speaks_english() -> None:
    seats = a_campaign(an_attack(Family.REQUEST_FLOOD, bots=500)).seats

    assert {seats.seat(number).who.lang for number in range(500)} == {"en"}
