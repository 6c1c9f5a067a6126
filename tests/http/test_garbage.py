"""A form whose work was seen through is refused in the parser, at nobody's cost; in any doubt the page decides."""

from __future__ import annotations

import asyncio
import json
from typing import Final

import pytest

from tests.handing import AT, BOT
from tests.http.test_guard import PEER, cookie, key
from tests.http.test_handing_over import House
from tests.http.test_turns import FULL, a_device_of_somebody, crowded, in_line, place
from tests.http.wire import Answered, Echo, Gatehouse, a_line, serving
from tidegate.core.admission.facts import Lane
from tidegate.core.admission.gate import GatePlan
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.http.gate.credential import Headers
from tidegate.http.gate.guard import REPORTS_PER_S, SCREENED_BYTES, Entered
from tidegate.http.gate.heads import PLAIN_LIMIT_BYTES
from tidegate.http.gate.refusing import Answer

JUNK: Final = b"challenge=junk"
LINES: Final = ["/sign-up", "/sign-up/line", "/sign-up/address", "/sign-in"]


class Screen:
    """Takes every form for junk that says it is."""

    def __init__(self) -> None:
        self.seen: list[tuple[Lane, bytes]] = []

    def is_junk(self, lane: Lane, headers: Headers, body: bytes) -> bool:
        del headers
        self.seen.append((lane, body))
        return JUNK in body


def screened(plan: GatePlan | None = None) -> tuple[Gatehouse, Screen]:
    house, screen = Gatehouse(plan), Screen()
    house.guard.screen = screen
    return house, screen


def form(path: str = "/sign-up", body: bytes = JUNK, *lines: str) -> tuple[bytes, bytes]:
    """Head and body of a form that is sent."""
    told = [f"POST {path} HTTP/1.1", "host: x", f"content-length: {len(body)}", *lines]
    return "".join(f"{line}\r\n" for line in (*told, "")).encode(), body


def judge(house: Gatehouse, path: str, *headers: tuple[bytes, bytes], body: bytes = JUNK) -> Entered | Answer:
    return house.guard.judge(b"POST", path.encode(), headers, PEER, None, body)


def is_refused_as_junk(verdict: Entered | Answer) -> bool:
    return isinstance(verdict, Answer) and verdict.head.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("path", LINES)
async def test_junk_is_refused_on_a_connection_that_goes_on_and_takes_nothing_from_newcomers(path: str) -> None:
    house, screen = screened(FULL)
    app = Echo()
    async with serving(app, house.guard) as port, a_line(port) as line:
        for _ in range(50):
            await line.send(b"".join(form(path)))
            assert (await line.answer()).status == 403
        await line.send(b"".join(form(path, b"honest=1")))
        assert (await line.answer()).body == f"{path} 8".encode(), "the one that strangers have is still there"
        await line.send(b"".join(form(path, b"honest=1")))
        assert (await line.answer()).status == 429

    assert app.paths == [path]
    lane = Lane.SIGN_IN if path == "/sign-in" else Lane.SIGN_UP
    assert set(screen.seen[:51]) == {(lane, JUNK), (lane, b"honest=1")}


@pytest.mark.parametrize("here", [0, len(JUNK)])
async def test_a_form_that_comes_in_pieces_is_left_to_its_page(here: int) -> None:
    house, _ = screened()
    app = Echo()
    head, body = form(body=JUNK + b"&a=b")
    async with serving(app, house.guard) as port, a_line(port) as line:
        await line.send(head + body[:here])
        await asyncio.wait_for(app.begun.wait(), 10)
        await line.send(body[here:])
        assert (await line.answer()).body == b"/sign-up 18"
    assert not house.counted


async def test_a_form_larger_than_any_of_ours_is_left_to_its_page() -> None:
    house, screen = screened()
    async with serving(Echo(), house.guard) as port, a_line(port) as line:
        await line.send(b"".join(form(body=JUNK + b"x" * SCREENED_BYTES)))
        assert (await line.answer()).status == 200
    assert not screen.seen


async def test_a_form_too_large_for_the_shared_parser_is_looked_at_all_the_same() -> None:
    house, screen = screened()
    body = JUNK + b"&" + b"x" * PLAIN_LIMIT_BYTES
    async with serving(Echo(), house.guard) as port, a_line(port) as line:
        await line.send(b"".join(form(body=body)))
        assert (await line.answer()).status == 403
    assert screen.seen == [(Lane.SIGN_UP, body)]


async def test_a_second_request_in_the_same_piece_is_not_taken_for_a_body() -> None:
    house, screen = screened()
    async with serving(Echo(), house.guard) as port, a_line(port) as line:
        await line.send(b"".join((*form(body=b"honest=1"), *form())))
        assert (await line.answer()).body == b"/sign-up 8"
        assert await line.is_ended()
    assert not screen.seen


@pytest.mark.parametrize("path", ["/", "/sign-in/letter", "/forgot", "/v1/chat/completions", "/healthz"])
def test_nothing_else_is_looked_at(path: str) -> None:
    house, screen = screened()
    judge(house, path)
    assert not screen.seen


def test_who_is_signed_in_or_known_has_a_budget_of_their_own_and_is_not_looked_at() -> None:
    house, screen = screened()
    for path, shown in (("/sign-up", cookie()), ("/sign-in", key()), ("/sign-in", a_device_of_somebody())):
        assert isinstance(judge(house, path, shown), Entered)
    assert not screen.seen
    assert is_refused_as_junk(judge(house, "/sign-up", a_device_of_somebody())), "a device is nothing there"


def test_whose_turn_it_is_gets_through_with_whatever_an_old_page_sends() -> None:
    house, room = crowded("POST /sign-up")
    house.guard.screen = Screen()
    text = in_line(room)
    assert is_refused_as_junk(judge(house, "/sign-up", place(text)))
    room.admit(house.now, 1)
    assert isinstance(judge(house, "/sign-up", place(text)), Entered)


# ---------------------------------------------------------------- what is said and told of it


async def told(*lines: str) -> Answered:
    house, _ = screened()
    async with serving(Echo(), house.guard) as port, a_line(port) as line:
        await line.send(b"".join(form("/sign-up", JUNK, *lines)))
        return await line.answer()


async def test_a_person_is_told_what_happened_and_what_to_do_and_a_program_the_reason() -> None:
    page = await told("accept: text/html")
    words = page.body.decode()
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Please open the form anew" in words
    assert "cookies" in words
    assert '<a href="">Open the form anew</a>' in words, "the same address, which has the form"

    error = json.loads((await told()).body)["error"]
    assert error["code"] == "challenge_required"
    assert "another challenge" in error["message"]
    assert "retry-after" not in page.headers


def test_junk_is_counted_and_told_like_any_refusal() -> None:
    house, _ = screened()
    for _ in range(3 * REPORTS_PER_S):
        judge(house, "/sign-up")

    assert house.counted == [(Reason.CHALLENGE_REQUIRED, Standing.VISITOR, Lane.SIGN_UP)] * 3 * REPORTS_PER_S
    assert len(house.reports) == REPORTS_PER_S
    assert (house.reports[0].reason, house.reports[0].facts.address) == (Reason.CHALLENGE_REQUIRED, PEER.address)


def test_who_keeps_sending_junk_is_handed_to_the_firewall() -> None:
    house = House(GatePlan())
    house.gatehouse.now, house.guard.screen = AT, Screen()
    for _ in range(6):
        house.guard.judge(b"POST", b"/sign-up", [], house.peer(BOT), None, JUNK)
    assert house.live == [f"{BOT}/32"]
