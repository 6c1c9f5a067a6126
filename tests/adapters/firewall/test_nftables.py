"""The helper is asked for each element until it has taken it, and not again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tidegate.adapters.firewall import nftables
from tidegate.adapters.firewall.nftables import NftablesFirewall
from tidegate.core.firewall.elements import Element
from tidegate.ports.firewall import FirewallUnavailableError
from tidegate.testing.firewall import an_element

AT = 1.8e9
MANY = [an_element(f"203.0.113.{number}", AT) for number in range(1, 8)]


class Scripted:
    """A helper that takes so many at a time, answers each line, and hangs up when it is told to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.room = 100
        self.is_mute = self.hangs_up = False
        self.heard: list[str] = []
        self.server: asyncio.Server | None = None

    async def open(self) -> None:
        self.server = await asyncio.start_unix_server(self.answer, self.path)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if self.hangs_up:
                break
            if self.is_mute:
                continue
            self.heard.append(line.decode().strip())
            writer.write(b"ok\n" if self.room > 0 else b"no: more than 3 in a minute\n")
            self.room -= 1
        writer.close()


@pytest.fixture
async def helper(tmp_path: Path) -> AsyncIterator[Scripted]:
    one = Scripted(tmp_path / "helper")
    await one.open()
    yield one
    assert one.server is not None
    one.server.close()


async def test_it_is_asked_in_its_own_words_with_the_seconds_that_are_left(helper: Scripted) -> None:
    told: list[Element] = [MANY[0], an_element("2001:db8:1:2::3", AT, 99_999_999.0), an_element("10.0.0.1", AT, 10.0)]
    await NftablesFirewall(helper.path, lambda: AT + 30.5).enforce(told, told)
    assert helper.heard == ["add 203.0.113.1/32 570", "add 2001:db8:1:2::/64 86400", "add 10.0.0.1/32 1"]


async def test_those_that_it_had_no_room_for_get_their_turn_and_the_others_are_not_told_again(helper: Scripted) -> None:
    firewall = NftablesFirewall(helper.path, lambda: AT)
    for _ in range(2):
        helper.room = 3
        with pytest.raises(FirewallUnavailableError, match="more than 3 in a minute"):
            await firewall.enforce(MANY, MANY)
    helper.room, helper.heard = 3, []
    await firewall.enforce(MANY, MANY)
    assert helper.heard == ["add 203.0.113.7/32 600"]


async def test_what_it_has_lost_is_told_again(helper: Scripted) -> None:
    """Once all was taken: whoever tells it again has seen the source come through."""
    firewall = NftablesFirewall(helper.path, lambda: AT)
    await firewall.enforce(MANY[:2], MANY[:2])
    await firewall.enforce(MANY[:1], MANY[:2])
    assert helper.heard == ["add 203.0.113.1/32 600", "add 203.0.113.2/32 600", "add 203.0.113.1/32 600"]


async def test_what_begins_anew_is_told_anew(helper: Scripted) -> None:
    firewall = NftablesFirewall(helper.path, lambda: AT)
    await firewall.enforce(MANY[:1], MANY[:1])
    await firewall.enforce((), ())
    await firewall.enforce((), MANY[:1])
    again = [an_element("203.0.113.1", AT + 5)]
    await firewall.enforce(again, again)
    assert len(helper.heard) == 2


@pytest.mark.parametrize("fault", ["is_mute", "hangs_up"])
async def test_a_helper_that_does_not_answer_is_waited_for_only_so_long(
    helper: Scripted, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nftables, "TIMEOUT_S", 0.1)
    setattr(helper, fault, True)
    with pytest.raises(FirewallUnavailableError, match="does not answer"):
        await NftablesFirewall(helper.path, lambda: AT).enforce(MANY, MANY)


async def test_a_helper_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FirewallUnavailableError, match="does not answer"):
        await NftablesFirewall(tmp_path / "none", lambda: AT).enforce(MANY, MANY)
