"""What is decided is written down and carried out; a firewall that fails is told again and stops nothing."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import msgspec
import pytest

from tests.handing import AT, BOT, OTHER, PLAN, Post, fingerprint
from tidegate.core.admission.addresses import Networks
from tidegate.core.events import FirewallChanged, FirewallFailed, FirewallSpared, Tag
from tidegate.core.firewall.elements import ComesThrough, Element, EndedBy, Mode, OffloadReason, Spared
from tidegate.services.handover import EVERY_S


async def test_what_is_handed_over_is_written_down_with_its_reason_and_its_end_and_the_firewall_told() -> None:
    post = Post()
    post.press(BOT)
    assert post.lines == [
        FirewallChanged(
            t=AT,
            event=Tag.FIREWALL_ADDED,
            src=fingerprint(BOT),
            bits=32,
            why=OffloadReason.KEPT_SENDING,
            mode=Mode.ON,
            until_s=AT + 600.0,
            times=1,
        )
    ]
    await post.handover.step()
    assert post.firewall.kept_out == {f"{BOT}/32"}
    assert post.handover.unsent == 0
    await post.handover.step()
    assert len(post.firewall.told) == 1, "told once"


async def test_each_is_told_as_added_once_and_as_live_until_it_ends() -> None:
    post = Post()
    post.press(BOT)
    await post.handover.step()
    post.press(OTHER)
    await post.handover.step()
    added, live = post.firewall.told[-1]
    assert [str(one.network) for one in added] == [f"{OTHER}/32"]
    assert len(live) == 2
    post.now += 600.0
    await post.handover.step()
    assert post.firewall.told[-1] == ((), ())
    assert post.firewall.kept_out == set()


async def test_a_dry_run_writes_everything_down_and_gives_the_firewall_nothing() -> None:
    post = Post(msgspec.structs.replace(PLAN, mode=Mode.DRY_RUN))
    post.press(BOT)
    await post.handover.step()
    assert [(line.event, line.mode) for line in post.lines] == [(Tag.FIREWALL_ADDED, Mode.DRY_RUN)]
    assert [str(one.network) for one in post.handover.offloading.live] == [f"{BOT}/32"]
    assert post.given == []
    assert post.handover.unsent == 0


async def test_a_firewall_that_fails_is_counted_told_again_ever_more_slowly_and_blocks_nobody() -> None:
    post = Post()
    post.firewall.is_broken = True
    post.press(BOT)
    tried_at: list[float] = []
    for _ in range(10):
        tried = post.firewall.tried
        wait_s = await post.handover.step()
        if post.firewall.tried > tried:
            tried_at.append(post.now - AT)
        post.now += wait_s
    assert tried_at[:5] == [0.0, 1.0, 3.0, 7.0, 15.0]
    assert post.handover.failures == len(tried_at) == len(post.journal.of(FirewallFailed))
    assert post.journal.of(FirewallFailed)[-1].unsent == 1
    assert post.firewall.kept_out == set()
    post.firewall.is_broken = False
    post.now += 60.0
    await post.handover.step()
    assert post.firewall.kept_out == {f"{BOT}/32"}
    post.firewall.is_broken = True
    post.press(OTHER)
    failures = post.handover.failures
    await post.handover.step()
    assert post.handover.failures == failures + 1
    post.now += 1.0
    await post.handover.step()
    assert post.handover.failures == failures + 2, "patience begins anew after a success"


async def test_a_source_that_comes_through_is_told_again_and_counted_and_not_written_down_as_new() -> None:
    """Somebody has emptied the kernel's sets, or a proxy has not read the map."""
    post = Post()
    element = post.press(BOT)
    assert isinstance(element, Element)
    await post.handover.step()
    post.now += 60.0
    for _ in range(2):
        assert post.press(BOT) == ComesThrough(element)
    assert post.handover.unsent == 1
    await post.handover.step()
    assert post.firewall.told[-1] == ((element,), (element,))
    assert post.handover.unsent == 0
    assert len(post.lines) == 1
    assert post.journal.of(FirewallSpared)[-1].spared == {Spared.COMES_THROUGH: 2}


async def test_what_ended_while_the_firewall_could_not_be_told_is_not_told_any_more() -> None:
    post = Post()
    post.firewall.is_broken = True
    post.press(BOT)
    await post.handover.step()
    post.now += 600.0
    post.firewall.is_broken = False
    await post.handover.step()
    assert post.given == []
    assert post.handover.unsent == 0


async def test_what_ended_is_taken_back_also_when_others_press_at_that_moment() -> None:
    post = Post()
    post.know(OTHER)
    post.press(BOT)
    await post.handover.step()
    post.now += 600.0
    assert post.press(OTHER) is Spared.INHABITED
    await post.handover.step()
    assert post.firewall.kept_out == set()


async def test_what_a_valid_session_or_an_operator_ends_is_written_down_with_who_did() -> None:
    post = Post()
    post.press(BOT)
    post.press(OTHER)
    await post.handover.step()
    post.know(BOT)
    assert [str(one.network) for one in post.handover.forget(ip_address(OTHER).packed)] == [f"{OTHER}/32"]
    await post.handover.step()
    assert [(line.event, line.by) for line in post.lines[2:]] == [
        (Tag.FIREWALL_ENDED, EndedBy.INHABITANT),
        (Tag.FIREWALL_ENDED, EndedBy.OPERATOR),
    ]
    assert post.firewall.kept_out == set()


async def test_another_mode_takes_back_what_can_be_taken_back() -> None:
    post = Post()
    post.press(BOT)
    await post.handover.step()
    post.handover.apply(msgspec.structs.replace(PLAN, mode=Mode.OFF))
    await post.handover.step()
    assert post.firewall.kept_out == set()
    assert post.lines[-1].by is EndedBy.POLICY
    post.handover.apply(PLAN)
    post.press(BOT)
    await post.handover.step()
    assert post.firewall.kept_out == {f"{BOT}/32"}
    post.handover.apply(msgspec.structs.replace(PLAN, listed=Networks([BOT])))
    await post.handover.step()
    assert post.firewall.kept_out == set()


async def test_what_is_spared_is_counted_and_not_written_down_each_time() -> None:
    post = Post()
    post.know(BOT)
    for _ in range(3):
        assert post.press(BOT) is Spared.INHABITED
    await post.handover.step()
    assert post.journal.of(FirewallSpared) == []
    post.now += EVERY_S
    await post.handover.step()
    assert post.journal.of(FirewallSpared) == [FirewallSpared(t=post.now, over_s=EVERY_S, spared={Spared.INHABITED: 3})]
    post.now += EVERY_S
    await post.handover.step()
    assert len(post.journal.of(FirewallSpared)) == 1


async def test_the_memory_of_who_lives_where_is_kept_when_it_changed_and_whole_at_the_end() -> None:
    post = Post()
    post.now += EVERY_S
    await post.handover.step()
    assert post.kept == []
    post.know(BOT)
    post.is_full = True
    post.now += EVERY_S
    await post.handover.step()
    post.is_full = False
    post.now += EVERY_S
    await post.handover.step()
    post.now += EVERY_S
    await post.handover.step()
    assert [kept.is_whole for kept in post.kept] == [False]
    await post.handover.close()
    assert [kept.is_whole for kept in post.kept] == [False, True]


async def test_the_end_takes_back_what_a_firewall_would_keep_without_us() -> None:
    post = Post()
    post.press(BOT)
    await post.handover.step()
    await post.handover.close()
    assert post.firewall.kept_out == set()
    post.firewall.is_broken = True
    await post.handover.close()
    assert post.handover.failures == 1


@pytest.mark.parametrize("mode", [Mode.DRY_RUN, Mode.ON])
async def test_without_a_firewall_it_is_written_down_all_the_same(mode: Mode) -> None:
    post = Post(msgspec.structs.replace(PLAN, mode=mode), has_firewall=False)
    post.press(BOT)
    await post.handover.step()
    await post.handover.close()
    assert len(post.lines) == 1
    assert post.handover.failures == 0


async def test_it_wakes_up_when_there_is_something_to_tell_and_by_itself_when_that_ends() -> None:
    post = Post(msgspec.structs.replace(PLAN, first_s=0.5))
    going = asyncio.create_task(post.handover.go_on())
    async with asyncio.timeout(10):
        await post.firewall.heard.wait()
        post.firewall.heard.clear()
        post.press(BOT)
        await post.firewall.heard.wait()
        post.firewall.heard.clear()
        post.press(OTHER)
        await post.firewall.heard.wait()
        post.firewall.heard.clear()
        post.now += 1.0
        await post.firewall.heard.wait()
    assert post.firewall.kept_out == set()
    going.cancel()
