"""Somebody at the door: what the pages ask of them, done, and where they stand."""

from __future__ import annotations

import re
from html import unescape

from tests.http.asgi import Visit
from tests.http.browsing import PASSWORD, Browser, House
from tests.newcomers import WORKED
from tidegate.core.registration.modes import RegistrationMode
from tidegate.services.joining import TICK_S

ANA = "ana@example.org"
FORM = {"email": ANA, "password": PASSWORD}
PLACE = "__Host-tidegate-place"


def force(house: House, mode: RegistrationMode) -> None:
    """As an operator does."""
    house.joining.registration.override(mode, 86_400.0)


def press(house: House) -> None:
    """More come than in calm."""
    house.joining.registration.came(5000)


def wait(house: House, seconds: float) -> None:
    """Time passes, and people are let in."""
    for _ in range(int(seconds / TICK_S)):
        house.clock.advance(TICK_S)
        house.joining.tick()


def crowd(house: House, number: int) -> None:
    """So many others in line, each of a network of their own, of whom the first ones are let in."""
    room = house.joining.room
    for one in range(number):
        now = house.clock()
        room.poll(room.issue(b"net%d" % one, now, one.to_bytes(8, "big")), now, proved=True)
    # Places are drawn within windows: whoever comes in the next one stands behind all of these.
    house.clock.advance(room.plan.window_s - house.clock() % room.plan.window_s)


def worked(visit: Visit) -> dict[str, str]:
    """The work of the page, done, as its script puts it into the form."""
    found = re.search(r'name="challenge" value="([^"]+)"', visit.body.decode())
    assert found is not None, "there is no work on this page"
    challenge = unescape(found.group(1))
    return {"challenge": challenge, "answer": WORKED * int(challenge.split(".")[2]), "solve_ms": "900"}


def has_work(visit: Visit) -> bool:
    return b'name="challenge"' in visit.body


def title(visit: Visit) -> str:
    found = re.search(r"<title>(.*?)</title>", visit.body.decode(), re.DOTALL)
    assert found is not None
    return unescape(found.group(1))


def refresh_s(visit: Visit) -> int | None:
    """In how many seconds the page loads itself anew."""
    found = re.search(r'<meta http-equiv="refresh" content="(\d+)">', visit.body.decode())
    return int(found.group(1)) if found else None


async def in_line(house: House) -> Browser:
    """Somebody who did the work, and has a place that counts."""
    force(house, RegistrationMode.WAITING_ROOM)
    browser = Browser(house)
    page = await browser.get("/sign-up")
    visit = await browser.post("/sign-up/line", worked(page))
    assert (visit.status, visit.headers["location"]) == (303, "/sign-up/line")
    return browser
