"""Searching: in what is one's own, and never so much of it at once that the service suffers."""

from __future__ import annotations

import asyncio

import pytest

from tests.http.chatting import Page, json_of, refused
from tests.http.conftest import Service
from tidegate.core.identifiers import UserId
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.ports.conversations import Hit
from tidegate.testing.clock import until


@pytest.fixture
async def ana(service: Service) -> Page:
    return await Page.of(service, "ana@example.org")


@pytest.fixture
async def bo(service: Service) -> Page:
    return await Page.of(service, "bo@example.org")


async def test_a_search_finds_words_in_ones_own_conversations_only(service: Service, ana: Page, bo: Page) -> None:
    asked = await ana.talk("Why is the sky blue?")
    await ana.talk("Nothing of it")
    await bo.talk("The sky is mine")

    found = json_of(await ana.call("GET", "/api/search?q=SKY+blue"))

    assert [hit["conversation"]["id"] for hit in found["data"]] == [asked["conversation"]["id"]]
    assert "sky" in found["data"][0]["excerpt"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", Reason.MISSING_FIELD),
        ("?q=", Reason.INVALID_VALUE),
        ("?q=%20", Reason.INVALID_VALUE),
        (f"?q={'x' * 201}", Reason.INVALID_VALUE),
    ],
)
async def test_a_search_needs_a_word(service: Service, ana: Page, query: str, code: Reason) -> None:
    assert await refused(ana, "GET", f"/api/search{query}") == (400, code, "q")
    assert service.conversations.calls["search"] == 0


async def test_one_search_runs_at_a_time_two_wait_and_an_account_has_one(
    service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    let, running = asyncio.Event(), 0

    async def slowly(owner: UserId, words: object, *, limit: int) -> list[Hit]:
        nonlocal running
        running += 1
        assert running == 1
        await let.wait()
        running -= 1
        return []

    monkeypatch.setattr(service.conversations, "search", slowly)
    pages = [ana, *[await Page.of(service, f"{name}@example.org") for name in ("bo", "cy", "di")]]
    searching = [pages[0].visit("GET", "/api/search?q=x").start()]
    await until(lambda: running == 1)
    again = await ana.call("GET", "/api/search?q=y")
    searching += [page.visit("GET", "/api/search?q=x").start() for page in pages[1:3]]
    for _ in range(20):
        await asyncio.sleep(0)

    fourth = await pages[3].call("GET", "/api/search?q=x")

    for visit in (again, fourth):
        assert (visit.status, visit.error["code"]) == (429, Reason.SEARCH_BUSY)
        assert int(visit.headers["retry-after"]) >= 1
    gone = searching.pop()
    gone.leave()
    await gone.finish()
    let.set()
    for visit in searching:
        assert (await visit.finish()).status == 200
    assert (await pages[3].call("GET", "/api/search?q=x")).status == 200


async def test_strangers_who_search_all_the_time_keep_no_known_person_from_it(
    service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.admission.claimant = lambda user: (
        Standing.ESTABLISHED if user.email == "ana@example.org" else Standing.NEWCOMER,
        user.id,
        2,
    )
    let, searching = asyncio.Event(), set[UserId]()

    async def slowly(owner: UserId, words: object, *, limit: int) -> list[Hit]:
        searching.add(owner)
        if len(searching) == 1:
            await let.wait()
        return []

    monkeypatch.setattr(service.conversations, "search", slowly)
    strangers = [await Page.of(service, f"{name}@example.org") for name in ("bo", "cy", "di")]
    visits = [page.visit("GET", "/api/search?q=x").start() for page in strangers]
    await until(lambda: bool(searching))

    assert (await ana.call("GET", "/api/search?q=x")).status == 200

    let.set()
    for visit in visits:
        assert (await visit.finish()).status == 200


async def test_whoever_leaves_a_search_frees_its_place(
    service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = asyncio.Event()

    async def for_ever(owner: UserId, words: object, *, limit: int) -> list[Hit]:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    monkeypatch.setattr(service.conversations, "search", for_ever)
    visit = ana.visit("GET", "/api/search?q=x").start()
    for _ in range(20):
        await asyncio.sleep(0)
    visit.leave()
    await visit.finish()

    assert stopped.is_set()
    monkeypatch.undo()
    assert (await ana.call("GET", "/api/search?q=x")).status == 200
