"""Forged work is seen through before the form is read, and nothing that the page would take is taken for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product
from typing import Final
from urllib.parse import quote_plus

import pytest

from tests.http.asgi import Visit
from tests.http.browsing import PASSWORD, Browser, House
from tests.http.queueing import force, in_line, press, worked
from tests.newcomers import WORKED
from tidegate.core.admission.facts import Lane
from tidegate.core.challenge.challenges import Scope, Solved
from tidegate.core.registration.modes import RegistrationMode
from tidegate.http.challenge.screen import Screen
from tidegate.http.challenge.wire import ANSWER_MOST
from tidegate.services.sessions import Trace
from tidegate.services.work import Answer

FORM: Final = "__Host-tidegate-form"
LANES: Final = {"/sign-up": Lane.SIGN_UP, "/sign-up/line": Lane.SIGN_UP, "/sign-in": Lane.SIGN_IN}
SCOPES: Final = {"/sign-up": Scope.SIGN_UP, "/sign-up/line": Scope.SIGN_UP, "/sign-in": Scope.SIGN_IN}
ANSWERS: Final = (WORKED, "2b", "", "zz", "%32a", "+2a", WORKED * ANSWER_MOST)
EXTRAS: Final = (
    "",
    "&instead=1",
    "&instead=",
    "&challenge={good}",
    "&%63hallenge={good}",
    "&challenge={forged}",
    "&a=" * 32,
    "&b",
)
COOKIES: Final = (
    "{form}={seed}",
    "",
    "{form}=0123456789abcdef",
    "{form}=0123456789abcdef; \xa0{form}={seed}",
    "{form} ={seed}",
    '{form}="{seed}"',
    '{form}="\\141bc"',
    "tidegate-form=0123456789abcdef; {form}={seed}",
    "a={form}; {form}={seed}",
    "{form}={seed}; __Host-tidegate-place=none",
    "x{form}=0123456789abcdef; {form}={seed}",
    "{form}=",
)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = await House().open()
    press(made)
    yield made
    await made.close()


def screen_of(house: House) -> Screen:
    return Screen(house.joining.works, lambda: house.joining.is_calm)


class Desk:
    """Composes forms with a token that is right, and has them judged by the screen and by the page."""

    def __init__(self, house: House, path: str, browser: Browser) -> None:
        self.house, self.path, self.browser = house, path, browser
        self.screen = screen_of(house)
        self.seed = browser.cookies.get(FORM, "")
        self.numbers = iter(range(10**6))

    def challenges(self, path: str = "") -> dict[str, str]:
        """One of each kind, as it stands in a form; all but the first few of them are worth nothing."""
        scope, works = SCOPES[path or self.path], self.house.joining.works
        good = works.issue(scope, self.seed.encode(), 1).text
        return {
            "good": good,
            "other scope": works.issue(Scope.WAIT, self.seed.encode(), 1).text,
            "nothing": "",
            "escaped": good.replace(".", "%2E"),
            "long": good + "0" * 200,
            "of another": works.issue(scope, b"another", 1).text,
            "forged": good[:-4] + ("0000" if good[-4:] != "0000" else "1111"),
            "nonsense": "nonsense",
            "not ASCII": "é",
        }

    def body(self, challenge: str, answer: str, extra: str) -> bytes:
        good, forged = self.challenges()["good"], self.challenges()["forged"]
        told = f"email=bot{next(self.numbers)}%40example.org&password={quote_plus(PASSWORD)}&csrf={self.browser.token}"
        extra = extra.replace("{good}", good).replace("{forged}", forged)
        return f"{told}&challenge={challenge}&answer={answer}{extra}".encode()

    def sees_through(self, body: bytes, cookie: str) -> bool:
        headers = [(b"cookie", cookie.encode("latin-1"))] if cookie else []
        return self.screen.is_junk(LANES[self.path], headers, body)

    async def is_taken(self, body: bytes, cookie: str) -> bool:
        """Whether the page lets this have its effect; at the sign-in, whether the work counts."""
        works, spend = self.house.joining.works, self.house.joining.works.spend
        counted: list[Solved] = []

        def listening(scope: Scope, seed: bytes, answer: Answer, trace: Trace) -> Solved:
            counted.append(spend(scope, seed, answer, trace))
            return counted[-1]

        works.spend = listening  # type: ignore[method-assign] # listens to what counts
        headers = {
            "host": "tide.example",
            "sec-fetch-site": "same-origin",
            "content-type": "application/x-www-form-urlencoded",
            **({"cookie": cookie} if cookie else {}),
        }
        visit = await Visit(self.house.app, "POST", self.path, headers=headers, body=body).ask()
        works.spend = spend  # type: ignore[method-assign] # as it was
        return bool(counted) or visit.status < 400


@pytest.mark.parametrize("path", LANES)
@pytest.mark.parametrize("is_calm", [False, True], ids=["pressed", "calm"])
async def test_nothing_is_seen_through_that_the_page_would_take(house: House, path: str, *, is_calm: bool) -> None:
    if is_calm:
        house.clock.advance(86_400.0)
    browser = Browser(house)
    await browser.get("/sign-up")
    desk = Desk(house, path, browser)
    seen, taken = 0, 0
    kinds = list(desk.challenges())
    plain = COOKIES[0]
    forms = {*product(kinds, ANSWERS, EXTRAS, [plain]), *product(kinds, ANSWERS[:2], EXTRAS[:1], COOKIES)}
    for kind, answer, extra, cookie in sorted(forms):
        body = desk.body(desk.challenges()[kind], answer, extra)
        shown = cookie.replace("{form}", FORM).replace("{seed}", desk.seed)
        if desk.sees_through(body, shown):
            seen += 1
            assert not await desk.is_taken(body, shown), (kind, answer, extra, cookie)
        else:
            taken += await desk.is_taken(body, shown)
    assert taken > 10, "some of it counts"
    assert seen > 10 or (is_calm and path != "/sign-in"), "and some is garbage"


# ---------------------------------------------------------------- what is left to the page, and what is not


@pytest.mark.parametrize("path", LANES)
async def test_forged_work_is_seen_through_and_right_work_is_not(house: House, path: str) -> None:
    browser = Browser(house)
    await browser.get("/sign-up")
    desk = Desk(house, path, browser)
    cookie = f"a=b; {FORM}={desk.seed}; c=d"

    for kind in ("forged", "nonsense", "of another"):
        assert desk.sees_through(desk.body(desk.challenges()[kind], WORKED, ""), cookie), kind
    for answer in ("2b", "zz", WORKED * 2):
        assert desk.sees_through(desk.body(desk.challenges()["good"], answer, ""), cookie), answer
    assert not desk.sees_through(desk.body("nonsense", WORKED, "&a=" * 32), cookie), "which is dear to take apart"
    assert desk.sees_through(desk.body(desk.challenges()["good"], WORKED, ""), ""), "whose cookie is gone"
    assert desk.sees_through(desk.body(desk.challenges()["good"], WORKED, ""), f"tidegate-form={'f' * 32}")
    assert not desk.sees_through(desk.body(desk.challenges()["good"], WORKED, ""), cookie)
    assert not desk.sees_through(desk.body(desk.challenges()["good"], WORKED, ""), f"tidegate-form={desk.seed}")


async def test_a_form_without_javascript_is_left_to_its_page_which_says_what_to_do(house: House) -> None:
    browser = Browser(house)
    challenge = worked(await browser.get("/sign-up"))["challenge"]
    body = f"csrf={browser.token}&email=a%40example.org&challenge={challenge}&answer=&solve_ms=".encode()
    cookie = f"{FORM}={browser.cookies[FORM]}"

    assert not screen_of(house).is_junk(Lane.SIGN_UP, [(b"cookie", cookie.encode())], body)


async def test_who_stands_in_line_is_left_alone_whatever_an_old_page_sends(house: House) -> None:
    browser = await in_line(house)
    cookies = [(b"cookie", "; ".join(f"{name}={value}" for name, value in browser.cookies.items()).encode())]
    body = b"email=a&challenge=nonsense&answer=00"

    assert not screen_of(house).is_junk(Lane.SIGN_UP, cookies, body)
    assert screen_of(house).is_junk(Lane.SIGN_IN, cookies, body), "where a place is nothing"


async def test_in_calm_nobody_who_wants_an_account_is_asked_for_work_so_none_is_looked_at(house: House) -> None:
    body = b"email=a&challenge=nonsense&answer=00"
    assert screen_of(house).is_junk(Lane.SIGN_UP, [], body)

    house.clock.advance(86_400.0)
    assert not screen_of(house).is_junk(Lane.SIGN_UP, [], body)
    assert screen_of(house).is_junk(Lane.SIGN_IN, [], body), "where it is refused in calm too"

    force(house, RegistrationMode.WAITING_ROOM)
    assert screen_of(house).is_junk(Lane.SIGN_UP, [], body)
