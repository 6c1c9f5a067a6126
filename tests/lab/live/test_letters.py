"""Letters are read once each, while anybody waits for one, and are remembered when the service has let go of them."""

from __future__ import annotations

import asyncio

import pytest

from tidegate.lab.live import letters as room
from tidegate.lab.live.letters import Letters
from tidegate.ports.mail import KeptLetter

ADA, BOB = "ada@mail.example", "bob@mail.example"


class Box:
    """Letters by their names."""

    def __init__(self, *letters: tuple[str, str, str]) -> None:
        self.kept = {name: (to, text) for name, to, text in letters}
        self.read: list[str] = []
        self.is_broken = False

    async def names(self) -> list[str]:
        if self.is_broken:
            self.is_broken = False
            raise PermissionError
        return sorted(self.kept, reverse=True)

    async def letter(self, name: str) -> KeptLetter | None:
        self.read.append(name)
        if name not in self.kept or self.kept[name][0] == "gone":
            return None
        to, text = self.kept[name]
        return KeptLetter(name=name, recipient=to, subject="s", sent_at_s=0.0, text=text)


def link(token: str) -> str:
    return f"Go on: http://127.0.0.1:80/sign-up/confirm/{token}\n\nBye"


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "EVERY_S", 0.001)


async def test_of_letters_to_one_address_the_latest_counts_and_none_is_read_twice() -> None:
    box = Box(("1", ADA, link("old")), ("2", ADA, link("new")), ("3", BOB, "no link"), ("4", "gone", ""))
    letters = Letters(box)

    assert await letters.link(ADA, 0.0) == "/sign-up/confirm/new"
    assert await letters.link(ADA, 0.01) == "/sign-up/confirm/new"
    assert box.read == ["1", "2", "3", "4"]


async def test_a_letter_is_remembered_when_the_service_has_let_go_of_it() -> None:
    box = Box(("1", ADA, link("a")))
    letters = Letters(box)
    reading = asyncio.create_task(letters.link(BOB, 0.0))
    while not box.read:  # noqa: ASYNC110 - until it was read
        await asyncio.sleep(0)
    box.kept = {"2": (BOB, link("b"))}

    assert await reading == "/sign-up/confirm/b"
    assert await letters.link(ADA, 0.0) == "/sign-up/confirm/a"


async def test_a_folder_that_cannot_be_read_just_now_is_looked_at_again() -> None:
    box = Box(("1", ADA, link("a")))
    box.is_broken = True

    assert await Letters(box).link(ADA, 0.0) == "/sign-up/confirm/a"


async def test_nobody_looks_where_nobody_waits() -> None:
    letters = Letters(Box())
    ada, bob = (asyncio.create_task(letters.link(who, 0.0)) for who in (ADA, BOB))
    await asyncio.sleep(0.005)
    ada.cancel()
    await asyncio.wait([ada])
    assert len(asyncio.all_tasks()) == 3, "somebody waits still"

    bob.cancel()
    await asyncio.wait([bob])
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 1)
    letters = Letters(Box(("1", ADA, link("a")), ("2", BOB, link("b"))))

    assert await letters.link(BOB, 0.0) == "/sign-up/confirm/b"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(letters.link(ADA, 0.0), 0.01)
