"""Sources that keep sending are handed over, with an end; nobody is who must not be."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import msgspec
import pytest

from tests.core.firewall.pressing import AT, HERE, KEY, PLAN, WIDE, Watch, listing, packed
from tidegate.core.firewall.elements import ComesThrough, Element, Mode, OffloadReason, Spared
from tidegate.core.firewall.inhabited import DAY_S, Inhabited
from tidegate.core.firewall.offloading import Offloading

BOT = "203.0.113.66"
BOTS = [f"203.0.113.{number}" for number in range(10, 20)]


def test_a_source_that_keeps_sending_is_handed_over_for_ten_minutes_with_its_reason() -> None:
    watch = Watch()
    assert watch.press(BOT, 10) is None
    element = watch.handed(BOT)
    assert element.network == IPv4Network("203.0.113.66/32")
    assert (element.reason, element.since_s, element.until_s) == (OffloadReason.KEPT_SENDING, AT, AT + 600.0)
    assert element.pressed_by == packed(BOT)
    assert watch.live == ["203.0.113.66/32"]


def test_all_of_an_ipv6_customer_is_one_source() -> None:
    watch = Watch()
    for host in range(10):
        assert watch.press(f"2001:db8:1:2::{host:x}", 1) is None
    element = watch.handed("2001:db8:1:2::ff")
    assert element.network == IPv6Network("2001:db8:1:2::/64")
    assert element.bits == 64


def test_what_is_handed_over_already_is_not_handed_over_again_but_said_to_come_through() -> None:
    """Not at once, for a firewall takes its time; then each time that it presses, as a member of its network too."""
    watch = Watch(msgspec.structs.replace(WIDE, pressing_for_network=1))
    element = watch.handed(BOT)
    assert element.bits == 24
    watch.now += 9.0
    assert watch.press(BOT, 100) is None
    for address in (BOT, BOTS[0]):
        watch.now += 10.0
        assert watch.press(address, 12) == ComesThrough(element)
    assert watch.offloading.live == [element]


def test_in_a_dry_run_what_is_handed_over_comes_through_of_course() -> None:
    watch = Watch(msgspec.structs.replace(PLAN, mode=Mode.DRY_RUN))
    watch.handed(BOT)
    watch.now += 60.0
    assert watch.press(BOT, 100) is None


def test_an_element_ends_and_each_time_that_it_begins_anew_lasts_twice_as_long_up_to_a_longest() -> None:
    watch, lasted = Watch(), []
    for _ in range(5):
        element = watch.handed(BOT)
        lasted.append(element.until_s - watch.now)
        watch.now = element.until_s - 0.001
        assert watch.offloading.expire(watch.now) == []
        watch.now = element.until_s
        assert watch.offloading.expire(watch.now) == [element]
        assert watch.live == []
    assert lasted == [600.0, 1200.0, 2400.0, 3600.0, 3600.0]
    watch.now += DAY_S + 1.0
    assert watch.handed(BOT).times == 1, "a day of keeping still"


def test_two_hundred_students_and_one_bot_behind_one_address_are_never_handed_over() -> None:
    """As long as any one of them was there with a valid session within a day."""
    watch = Watch()
    for hour in range(72):
        watch.now = AT + hour * 3600.0
        if hour % 23 == 0:
            watch.know("198.51.100.7")
        assert watch.press("198.51.100.7", 500) is Spared.INHABITED, hour
    assert watch.live == []


def test_no_crowd_of_strangers_makes_it_forget_where_the_students_are() -> None:
    watch = Watch(msgspec.structs.replace(PLAN, most_elements=5))
    watch.know("198.51.100.7")
    for number in range(20_000):
        watch.offloading.refused((0x0B000000 + number).to_bytes(4, "big"), watch.now)
    assert watch.press("198.51.100.7") is Spared.INHABITED


def test_an_ipv6_neighbour_of_somebody_known_in_the_same_64_is_spared_too() -> None:
    watch = Watch()
    watch.know("2001:db8:1:2::7")
    assert watch.press("2001:db8:1:2:bad::1") is Spared.INHABITED


def test_nothing_is_handed_over_before_a_day_was_watched() -> None:
    watch = Watch()
    watch.inhabited.unwatched_until_s = AT + 1.0
    assert watch.press(BOT) is Spared.UNWATCHED
    watch.now += 1.0
    assert isinstance(watch.press(BOT), Element)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.1.2.3", "224.0.0.1", "169.254.1.1", "::1", "::", "::ffff:203.0.113.9", "fe80::1", "ff02::1"),
        *("64:ff9b::203.0.113.9", "64:ff9b::1:0:0:1", "64:ff9b:1:7::203.0.113.9", "2001:0:4136:e378:8000::1"),
    ],
)
def test_what_means_this_machine_its_link_or_no_one_is_never_handed_over(address: str) -> None:
    assert Watch().press(address) is Spared.OWN


def test_an_address_of_this_machine_is_never_handed_over_nor_anything_while_they_are_not_known() -> None:
    own = packed("2001:db8:1:2::5")
    watch = Watch(own=[HERE, own])
    assert watch.press("192.0.2.1") is Spared.OWN
    assert watch.press("2001:db8:1:2::9") is Spared.OWN, "the /64 would hold this machine"
    watch.own = None
    assert watch.press(BOT) is Spared.OWN


@pytest.mark.parametrize("listed", ["203.0.113.66", "203.0.113.0/24", "203.0.113.64/30"])
def test_what_is_on_a_list_is_never_handed_over(listed: str) -> None:
    assert Watch(listing(listed)).press(BOT) is Spared.LISTED


def test_a_listed_address_spares_the_whole_64_around_it() -> None:
    assert Watch(listing("2001:db8:1:2::99")).press("2001:db8:1:2::1") is Spared.LISTED


def test_so_many_live_at_once_and_so_many_begin_in_a_minute_and_no_more() -> None:
    watch = Watch(msgspec.structs.replace(PLAN, most_elements=3, most_per_minute=2, first_s=70.0))
    assert [isinstance(watch.press(bot), Element) for bot in BOTS[:3]] == [True, True, False]
    assert watch.press(BOTS[2]) is Spared.TOO_MANY
    watch.now += 60.0
    assert isinstance(watch.press(BOTS[2]), Element)
    assert watch.press(BOTS[3]) is Spared.TOO_MANY
    watch.now += 10.0
    assert isinstance(watch.press(BOTS[3]), Element), "two have ended"


def test_without_leave_no_network_is_ever_handed_over() -> None:
    for plan in (PLAN, msgspec.structs.replace(PLAN, widest_v4=25, widest_v6=57)):
        watch = Watch(plan)
        for bot in (*BOTS, *(f"2001:db8:1:{number:x}::1" for number in range(10))):
            assert watch.handed(bot).bits in {32, 64}


def test_a_network_is_handed_over_when_enough_of_it_press_and_nobody_known_lives_there() -> None:
    watch = Watch(WIDE)
    assert [watch.handed(bot).bits for bot in BOTS[:4]] == [32, 32, 32, 24]
    assert watch.live[-1] == "203.0.113.0/24"
    assert watch.offloading.live[-1].reason is OffloadReason.NETWORK_KEPT_SENDING
    assert watch.press(BOTS[5]) is None, "it is in there"
    sixes = [watch.handed(f"2001:db8:1:{number:x}::1").bits for number in range(4)]
    assert sixes == [64, 64, 64, 56]


def test_a_network_with_somebody_known_in_it_is_never_handed_over() -> None:
    watch = Watch(WIDE)
    watch.know("203.0.113.200")
    assert {watch.handed(bot).bits for bot in BOTS} == {32}


@pytest.mark.parametrize("listed", ["203.0.113.200", "203.0.0.0/16"])
def test_a_network_that_touches_a_list_is_never_handed_over(listed: str) -> None:
    watch = Watch(WIDE)
    watch.offloading.apply(WIDE)
    found = [watch.press(bot) for bot in BOTS[:3]]
    assert all(isinstance(one, Element) for one in found)
    watch.offloading.apply(listing("203.0.113.200", plan=WIDE))
    assert watch.handed(BOTS[3]).bits == 32
    assert Watch(listing(listed, plan=WIDE)).press("203.0.113.200") is Spared.LISTED


def test_the_network_of_this_machine_is_never_handed_over() -> None:
    watch = Watch(WIDE, own=[packed("203.0.113.1"), packed("2001:db8:1::5")])
    assert {watch.handed(bot).bits for bot in BOTS} == {32}
    assert {watch.handed(f"2001:db8:1:{number:x}::1").bits for number in range(1, 9)} == {64}


def test_somebody_known_who_comes_through_after_all_ends_it() -> None:
    watch = Watch(WIDE)
    for bot in BOTS[:4]:
        watch.handed(bot)
    assert [str(element.network) for element in watch.know(BOTS[0])] == ["203.0.113.10/32", "203.0.113.0/24"]
    assert watch.live == ["203.0.113.11/32", "203.0.113.12/32"]
    assert watch.know("198.51.100.1") == []


def test_an_operator_lets_go_and_nothing_is_held_against_it() -> None:
    watch = Watch()
    watch.handed(BOT)
    watch.press("2001:db8::1")
    assert [str(element.network) for element in watch.offloading.forget(packed(BOT))] == ["203.0.113.66/32"]
    assert watch.offloading.forget(packed(BOT)) == []
    assert len(watch.offloading.forget(packed("2001:db8::99"))) == 1
    assert watch.handed(BOT).times == 1


def test_another_mode_ends_everything_and_other_numbers_only_begin_the_counting_anew() -> None:
    watch = Watch()
    watch.handed(BOT)
    watch.press(BOTS[0], 9)
    assert watch.offloading.apply(msgspec.structs.replace(PLAN, first_s=60.0)) == []
    assert isinstance(watch.press(BOTS[0], 3), Element), "what was counted still counts"
    watch.press(BOTS[1], 9)
    assert watch.offloading.apply(msgspec.structs.replace(PLAN, refused_burst=9.0)) == []
    assert watch.press(BOTS[1], 9) is None
    assert len(watch.offloading.apply(msgspec.structs.replace(PLAN, mode=Mode.OFF))) == 2
    assert not watch.offloading.is_on
    assert watch.live == []


def test_what_is_listed_now_ends_at_once() -> None:
    watch = Watch()
    watch.handed(BOT)
    watch.handed("2001:db8::1")
    ended = watch.offloading.apply(listing("203.0.113.0/24"))
    assert [str(element.network) for element in ended] == ["203.0.113.66/32"]
    assert watch.live == ["2001:db8::/64"]
    assert watch.offloading.plan.listed


def test_off_is_off_from_the_start() -> None:
    off = Offloading(msgspec.structs.replace(PLAN, mode=Mode.OFF), Inhabited(KEY, AT), tuple)
    assert not off.is_on
    assert Watch().offloading.is_on


def test_how_often_somebody_was_handed_over_is_forgotten_within_bounds() -> None:
    watch = Watch(msgspec.structs.replace(PLAN, most_sources=2, most_elements=3))
    for bot in BOTS[:3]:
        watch.handed(bot)
    assert watch.offloading.remembered == {"pressing": 2, "live": 3, "times": 2}


@pytest.mark.slow
def test_a_million_sources_that_press_take_no_more_memory_than_the_plan_says() -> None:
    watch = Watch(msgspec.structs.replace(PLAN, refused_burst=1.0, most_sources=4096))
    for number in range(1_000_000):
        address = (0x0B000000 + number).to_bytes(4, "big")
        watch.now += 0.001
        watch.offloading.refused(address, watch.now)
        watch.offloading.refused(address, watch.now)
    kept = watch.offloading.remembered
    assert kept["pressing"] <= 4096
    assert kept["live"] <= 100
    assert kept["times"] <= 4096
