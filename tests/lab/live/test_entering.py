"""Signing in and up over pages that a small program shows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.lab.live.pretender import ASKED, CHALLENGE, CSRF, Pretender
from tidegate.adapters.mail.mailbox import DiskMailbox
from tidegate.lab.acts import Group, Outcome, SignIn, SignUp, Who
from tidegate.lab.live import entering, joining, work
from tidegate.lab.live.accounts import PASSWORD, Accounts
from tidegate.lab.live.browser import Browser
from tidegate.lab.live.entering import Devices, Entrance
from tidegate.lab.live.joining import Newcomer, Registrar
from tidegate.lab.live.letters import Letters as Kept
from tidegate.lab.live.lines import Lines
from tidegate.lab.live.service import LiveError
from tidegate.lab.live.work import Solver

ADA = Who(name="ada", group=Group.ESTABLISHED, address=1, has_account=True)


class Quick(Solver):
    """Has every answer at once, while there is time."""

    def __init__(self, is_able: bool = True) -> None:
        super().__init__()
        self.is_able = is_able

    async def solve(self, text: str, effort_s: float, *, is_first: bool = True) -> tuple[str, int, int] | None:
        return ("ab12", 3, 7) if self.is_able else None


class Control:
    def __init__(self, is_there: bool = True) -> None:
        self.acts: list[dict[str, Any]] = []
        self.is_there = is_there

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        self.acts.append(body)
        if not self.is_there:
            msg = "gone"
            raise LiveError(msg)
        return {"text": f"sk-{body['email']}"}


class Letters(Kept):
    """Those that have come."""

    def __init__(self, **links: str) -> None:
        super().__init__(DiskMailbox(Path("nowhere"), "x@example.org", "x"))
        self.links = {f"{to}@mail.example": path for to, path in links.items()}

    async def link(self, email: str, after_s: float) -> str:
        return self.links[email]


@contextlib.asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[Lines]:
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    lines = Lines(port)
    try:
        yield lines
    finally:
        await lines.close()
        await runner.cleanup()


async def sign_in(pretender: Pretender, what: SignIn, devices: Devices, solver: Solver | None = None) -> Outcome:
    entrance = Entrance(Accounts(Control()), solver or Quick(), devices)
    async with served(pretender.public()) as lines:
        browser = Browser(lines, "127.1.0.1", "chrome", "de")
        return await entrance.sign_in(what, browser, 0.0, lambda at: at)


async def test_whoever_signs_in_is_known_on_that_device_from_then_on(tmp_path: Path) -> None:
    pretender, devices = Pretender(tmp_path), Devices()
    first = await sign_in(pretender, SignIn(account="ada"), devices)
    await sign_in(pretender, SignIn(account="ada", is_known_device=True), devices)

    assert (first.is_complete, first.status, first.reason) == (True, 303, "")
    assert [form["cookie"] for form in pretender.forms] == ["", "__Host-tidegate-device=mark"]
    assert pretender.forms[0]["email"] == "ada@lab.example.org"


async def test_a_wrong_password_is_told_as_such(tmp_path: Path) -> None:
    outcome = await sign_in(Pretender(tmp_path), SignIn(account="ada", is_right=False), Devices())

    assert (outcome.is_complete, outcome.status, outcome.reason) == (False, 401, "wrong_credentials")


async def test_work_that_the_page_asks_for_is_done_and_told(tmp_path: Path) -> None:
    pretender = Pretender(tmp_path)
    pretender.page = CSRF + ASKED
    outcome = await sign_in(pretender, SignIn(account="ada"), Devices())

    assert (outcome.is_complete, outcome.effort) == (True, 3)
    assert (pretender.forms[0]["challenge"], pretender.forms[0]["answer"]) == (CHALLENGE, "ab12")


async def test_a_program_that_does_no_work_is_refused_once(tmp_path: Path) -> None:
    pretender = Pretender(tmp_path)
    pretender.page = CSRF + ASKED
    outcome = await sign_in(pretender, SignIn(account="ada", effort_s=None), Devices())

    assert (outcome.status, outcome.reason, outcome.effort) == (403, "challenge_required", 1)
    assert len(pretender.forms) == 1


async def test_work_that_only_the_answer_asks_for_is_done_for_a_second_try(tmp_path: Path) -> None:
    pretender = Pretender(tmp_path)
    pretender.page = CSRF + ASKED
    outcome = await sign_in(pretender, SignIn(account="ada"), Devices(), Quick(is_able=False))

    assert (outcome.status, len(pretender.forms)) == (403, 2)


async def test_a_page_without_a_form_is_what_became_of_it(tmp_path: Path) -> None:
    pretender = Pretender(tmp_path)
    pretender.page = "full"
    outcome = await sign_in(pretender, SignIn(account="ada"), Devices())

    assert (outcome.is_complete, outcome.status, pretender.forms) == (False, 200, [])


async def test_devices_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entering, "MOST_DEVICES", 1)
    devices = Devices()
    async with served(web.Application()) as lines:
        for name in ("ada", "bob"):
            browser = Browser(lines, "127.1.0.1", "x", "en")
            devices.keep(name, browser)  # Nothing to keep.
            browser.cookies["__Host-tidegate-device"] = name
            devices.keep(name, browser)

    assert devices.of("ada") is None
    assert devices.of("bob") == ("__Host-tidegate-device", "bob")


Step = tuple[str, str, int, str, dict[str, str]]


class Door:
    """Pages of a sign-up, by their path and turn."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.forms: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        method, path, status, body, headers = self.steps.pop(0)
        assert (request.method, request.path) == (method, path)
        if request.method == "POST":
            self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        return web.Response(status=status, text=body, headers=headers, content_type="text/html")

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app


UP, LINE = "/sign-up", "/sign-up/line"
FORM: Step = ("GET", UP, 200, CSRF, {})
IN = ("POST", UP, 303, "", {"location": "/chat"})
SOON = {"retry-after-ms": "1"}


async def join(door: Door, what: SignUp, letters: Letters | None = None, control: Control | None = None) -> Outcome:
    registrar = Registrar(Accounts(control or Control()), Quick(), letters or Letters())
    async with served(door.app()) as lines:
        browser = Browser(lines, "127.1.0.1", "chrome", "de")
        outcome = await Newcomer(registrar, ADA, what, browser).join(0.0, lambda at: at)
    assert not door.steps
    return outcome


async def test_in_calm_the_form_is_all_there_is() -> None:
    door, control = Door(FORM, IN), Control()
    outcome = await join(door, SignUp(), control=control)

    assert (outcome.is_complete, outcome.status, outcome.effort, outcome.promised_s) == (True, 303, 0, None)
    assert door.forms == [{"csrf": "0a1b", "email": "person@mail.example", "password": PASSWORD}]
    assert control.acts == [{"act": "create_key", "email": "person@mail.example"}]


async def test_an_account_counts_also_where_no_key_can_be_had() -> None:
    assert (await join(Door(FORM, IN), SignUp(), control=Control(is_there=False))).is_complete


async def test_work_beside_the_form_is_done_by_those_who_do_work() -> None:
    asked: Step = ("GET", UP, 200, CSRF + ASKED, {})
    door = Door(asked, IN)
    able = await join(door, SignUp())
    unable = await join(Door(asked, ("POST", UP, 403, CSRF + ASKED, {})), SignUp(effort_s=None))

    assert (able.is_complete, able.effort, door.forms[0]["answer"]) == (True, 3, "ab12")
    assert (unable.is_complete, unable.effort, unable.status) == (False, 1, 403)


async def test_the_line_is_waited_in_and_what_it_promised_is_told() -> None:
    line: Step = ("GET", UP, 200, f'<form id="line">{CSRF}{ASKED}</form>', {})
    waits: Step = ("GET", LINE, 200, '<meta http-equiv="refresh" content="0">', {})
    door = Door(
        line,
        ("POST", LINE, 303, "", {"location": LINE}),
        waits,
        ("GET", "/api/sign-up", 200, '{"wait_p90_s": 30.5}', {}),
        waits,
        ("GET", LINE, 303, "", {"location": UP}),
        FORM,
        IN,
    )
    outcome = await join(door, SignUp())

    assert (outcome.is_complete, outcome.promised_s) == (True, 30.5)
    assert outcome.waited_s is not None
    assert outcome.waited_s < 30.0


async def test_who_is_in_line_already_is_led_back_there_and_a_line_that_says_nothing_promises_nothing() -> None:
    door = Door(
        ("GET", UP, 303, "", {"location": LINE}),
        ("GET", LINE, 200, '<meta http-equiv="refresh" content="0">', {}),
        ("GET", "/api/sign-up", 200, "<p>", {}),
        ("GET", LINE, 303, "", {"location": "/"}),
        FORM,
        IN,
    )

    assert (await join(door, SignUp())).promised_s is None


async def test_a_refusal_is_waited_out_as_it_says() -> None:
    outcome = await join(Door(("GET", UP, 429, "", SOON), FORM, ("POST", UP, 503, "", SOON), IN), SignUp())

    assert outcome.is_complete


async def test_who_heeds_nothing_comes_again_and_is_away_at_the_first_page_that_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(joining, "_IMPATIENT_S", 0.0)
    door = Door(("GET", UP, 429, "", {}), ("GET", UP, 403, "", {}))

    assert not (await join(door, SignUp(heeds=False))).is_complete


async def test_a_page_that_cannot_be_shown_is_opened_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_UNTOLD_S", 0.0)

    assert (await join(Door(("GET", UP, 500, "", {}), FORM, IN), SignUp())).is_complete


async def test_a_door_that_is_shut_is_the_end_of_it() -> None:
    outcome = await join(
        Door(("GET", UP, 200, "<p>There are no new accounts</p>", {})), SignUp(reads_mail_after_s=None)
    )

    assert not outcome.is_complete


async def test_whoever_gives_up_has_no_account_and_what_they_would_have_waited_nobody_knows() -> None:
    outcome = await join(Door(("GET", UP, 429, "", {"retry-after": "9"})), SignUp(gives_up_after_s=0.05))

    assert (outcome.is_complete, outcome.status, outcome.first_s) == (False, 429, None)
    assert (outcome.retry_after_s, outcome.promised_s, outcome.waited_s) == (9.0, 9.0, None)


async def test_who_gives_up_in_a_line_that_broke_its_promise_waited_longer_than_that() -> None:
    waits: Step = ("GET", LINE, 200, '<meta http-equiv="refresh" content="9">', {})
    state: Step = ("GET", "/api/sign-up", 200, '{"wait_p90_s": 0.01}', {})
    outcome = await join(Door(("GET", UP, 303, "", {"location": LINE}), waits, state), SignUp(gives_up_after_s=0.3))

    assert (outcome.is_complete, outcome.promised_s) == (False, 0.01)
    assert outcome.waited_s is not None
    assert outcome.waited_s > 0.01


async def test_a_line_that_stands_still_promises_nothing_and_one_that_moves_instead_of_the_door() -> None:
    still = '<meta http-equiv="refresh" content="0"><p>The line stands still for now.</p>'
    moves: Step = ("GET", LINE, 200, '<meta http-equiv="refresh" content="0">', {})
    door = Door(
        ("GET", UP, 429, "", SOON),
        ("GET", UP, 303, "", {"location": LINE}),
        ("GET", LINE, 200, still, {}),
        moves,
        ("GET", "/api/sign-up", 200, '{"wait_p90_s": null}', {}),
        moves,
        ("GET", "/api/sign-up", 200, '{"wait_p90_s": 7.5}', {}),
        moves,
        ("GET", LINE, 303, "", {"location": UP}),
        FORM,
        IN,
    )
    outcome = await join(door, SignUp())

    assert (outcome.is_complete, outcome.promised_s) == (True, 7.5)
    assert outcome.waited_s is not None


async def test_an_account_by_letter_begins_when_its_link_is_opened() -> None:
    written: Step = ("POST", UP, 200, "<p>A letter is on its way</p>", {})
    link = "/sign-up/confirm/abc.def"
    letters = Letters(person=link)
    door = Door(FORM, written, ("GET", link, 200, CSRF, {}), ("POST", link, 303, "", {"location": "/chat"}))

    assert (await join(door, SignUp(reads_mail_after_s=0.0), letters)).is_complete
    assert not (await join(Door(FORM, written), SignUp(reads_mail_after_s=None))).is_complete
    gone = Door(FORM, written, ("GET", link, 410, "", {}))
    assert not (await join(gone, SignUp(reads_mail_after_s=0.0), letters)).is_complete


async def test_a_form_that_is_shown_again_and_again_is_not_sent_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_MOST_FORMS", 2)
    again: Step = ("POST", UP, 403, CSRF, {})

    assert not (await join(Door(FORM, again, FORM, again), SignUp())).is_complete


def test_an_address_that_was_given_already_gets_a_number() -> None:
    registrar = Registrar(Accounts(Control()), Quick(), Letters())

    assert [registrar.address(SignUp(local_part="x")) for _ in range(2)] == ["x@mail.example", "x2@mail.example"]


async def test_a_real_challenge_is_solved_out_of_the_way_and_what_is_none_is_not() -> None:
    solver = Solver()
    try:
        done = await solver.solve(CHALLENGE, 0.0)
        assert done is not None
        assert done[1] == 1
        assert len(done[0]) % 2 == 0
        assert solver.late_s > 0.0
        assert await solver.solve("no challenge", 0.0) is None
    finally:
        await asyncio.to_thread(solver.close)
    solver.close()


class Pool:
    """In the place of a process: works when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.given: list[Future[str]] = []

    def submit(self, _: Any, text: str) -> Future[str]:
        self.asked.append(text[-1])
        self.given.append(Future())
        return self.given[-1]


def challenge(mark: str) -> str:
    return CHALLENGE[:-1] + mark


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_peoples_work_is_done_before_attackers_and_whoever_left_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool, solver = Pool(), Solver()
    monkeypatch.setattr(solver, "_started", lambda: pool)
    asked = [
        asyncio.create_task(solver.solve(challenge(mark), 0.0, is_first=mark.isdigit()))
        for mark in ("a", "b", "1", "2", "3")
    ]
    await settled()
    asked[3].cancel()
    for number in range(4):
        await settled()
        pool.given[number].set_result("ab")
    done = await asyncio.gather(*asked, return_exceptions=True)

    assert pool.asked == ["a", "1", "3", "b"]
    assert [isinstance(one, tuple) for one in done] == [True, True, True, False, True]


async def test_who_leaves_when_it_is_their_turn_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, solver = Pool(), Solver()
    monkeypatch.setattr(solver, "_started", lambda: pool)
    first, second, third = (asyncio.create_task(solver.solve(challenge(mark), 0.0)) for mark in "123")
    await settled()
    first.cancel()
    await asyncio.sleep(0)
    second.cancel()
    await settled()
    pool.given[-1].set_result("ab")

    assert (await third) is not None
    assert pool.asked == ["1", "3"]


async def test_work_is_bounded_and_a_process_that_ended_is_followed_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work, "MOST_WAITING", 1)
    pool, solver = Pool(), Solver()
    monkeypatch.setattr(solver, "_started", lambda: pool)
    one, two = (asyncio.create_task(solver.solve(challenge(mark), 0.0)) for mark in "12")
    await settled()
    assert await solver.solve(challenge("3"), 0.0) is None

    pool.given[0].set_exception(BrokenProcessPool())
    await settled()
    pool.given[1].set_result("ab")
    assert await one is None
    assert await two is not None
    assert pool.asked == ["1", "2"]
