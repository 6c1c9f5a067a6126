"""Programs learn from `/api/sign-up` what people read on the pages."""

from __future__ import annotations

import datetime
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.http.browsing import Browser, House
from tests.http.queueing import crowd, force, in_line, press, wait
from tidegate.core.registration.modes import RegistrationMode


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = await House().open()
    yield made
    await made.close()


async def state(browser: Browser) -> dict[str, Any]:
    visit = await browser.get("/api/sign-up", accept="application/json")
    assert visit.status == 200
    assert visit.headers["content-type"] == "application/json"
    assert visit.headers["cache-control"] == "no-store"
    told: dict[str, Any] = json.loads(visit.body)
    assert datetime.datetime.fromisoformat(told["updated_at"]).timestamp() == int(browser.house.clock())
    return told


async def test_in_calm_there_is_a_form_and_nothing_to_explain(house: House) -> None:
    told = await state(Browser(house))
    assert (told["mode"], told["state"], told["reason"], told["challenge"]) == ("open", "form", None, None)


@pytest.mark.parametrize(
    ("mode", "named"),
    [
        (RegistrationMode.OPEN, "form"),
        (RegistrationMode.THROTTLED, "form"),
        (RegistrationMode.WAITING_ROOM, "line"),
        (RegistrationMode.INVITE, "invitation"),
        (RegistrationMode.CLOSED, "closed"),
    ],
)
async def test_each_mode_is_named_with_its_reason_and_the_work_it_asks_for(
    house: House, mode: RegistrationMode, named: str
) -> None:
    press(house)
    force(house, mode)
    told = await state(Browser(house))
    assert (told["mode"], told["state"]) == (mode.value, named)
    assert told["reason"].endswith(".")
    has_work = named in {"form", "line"}
    assert (told["challenge"] is not None) is has_work
    if has_work:
        assert told["challenge"]["effort"] >= 1
        assert told["challenge"]["text"].split(".")[2] == str(told["challenge"]["effort"])


async def test_who_is_in_line_is_told_where_and_for_how_long(house: House) -> None:
    crowd(house, 200)
    browser = await in_line(house)
    told = await state(browser)
    assert (told["state"], told["wait_known"], told["wait_p50_s"], told["wait_p90_s"]) == ("waiting", False, None, None)
    assert told["position"] == told["ahead"] + 1 == 201
    assert told["refresh_s"] > 0
    wait(house, 60)
    later = await state(browser)
    assert later["wait_known"]
    assert 0 < later["wait_p50_s"] < later["wait_p90_s"]
    assert later["ahead"] < told["ahead"]


async def test_who_was_let_in_is_told_until_when(house: House) -> None:
    browser = await in_line(house)
    wait(house, 5)
    told = await state(browser)
    assert (told["state"], told["challenge"]) == ("form", None)
    until = datetime.datetime.fromisoformat(told["pass_until"]).timestamp()
    assert house.clock() < until <= house.clock() + 900
