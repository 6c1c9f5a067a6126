"""Whatever changes something comes from our own page, with the token of this very session or browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.http.asgi import Visit
from tests.http.browsing import PASSWORD, Browser, House
from tidegate.core import csrf
from tidegate.core.accounts import Role
from tidegate.core.credentials import Kind, ServerKeys, issue
from tidegate.core.events import RequestFinished
from tidegate.core.reasons import Reason
from tidegate.http import cookies
from tidegate.http.accounts.routes import TABLE
from tidegate.http.routes import Route

SESSION_COOKIE, FORM_COOKIE = "__Host-" + cookies.SESSION, "__Host-" + cookies.FORM
JSON = "application/json"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = await House().open()
    yield made
    await made.close()


def _refused(visit: Visit, reason: Reason) -> None:
    assert visit.error["code"] == reason.value


async def test_somebody_signed_in_is_known_in_the_log_by_account_and_session(house: House) -> None:
    ana = await Browser(house).sign_up("ana@example.org")

    visit = await ana.get("/account")

    finished = house.journal.of(RequestFinished)[-1]
    assert visit.status == 200
    user = (await house.accounts.users())[0]
    assert finished.acct == house.clerk.fingerprint(user.id)
    assert finished.sess is not None


async def test_a_page_for_people_who_are_signed_in_sends_others_to_sign_in_and_back(house: House) -> None:
    visit = await Browser(house).get("/account")

    assert (visit.status, visit.headers["location"]) == (303, "/sign-in?next=/account")
    assert house.journal.of(RequestFinished)[-1].reason is Reason.NOT_SIGNED_IN
    _refused(await Browser(house).get("/account", accept=JSON), Reason.NOT_SIGNED_IN)


async def test_a_form_of_somebody_whose_session_ended_says_so_and_does_nothing(house: House) -> None:
    ana = await Browser(house).sign_up("ana@example.org")
    await ana.get("/account")
    house.clock.advance(house.sessions.session_s)

    visit = await ana.post("/account/password", {"current": PASSWORD, "password": "and the moon pulls on"})

    assert visit.status == 401
    assert b'href="/sign-in"' in visit.body
    assert house.accounts.calls["set_password_hash"] == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "", "origin": "https://evil.example"},
        {"sec-fetch-site": "", "origin": "null"},
        {"sec-fetch-site": "", "origin": ""},
    ],
)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-up", "/sign-out", "/account/password", "/account/keys"])
async def test_another_sites_page_can_change_nothing_even_with_the_right_token(
    house: House, headers: dict[str, str], path: str
) -> None:
    ana = await Browser(house).sign_up("ana@example.org")
    await ana.get("/account")
    calls = house.accounts.calls.copy()

    visit = await ana.post(
        path,
        {"email": "eve@example.org", "password": PASSWORD, "current": PASSWORD, "scope_chat": "on"},
        **headers,
        accept=JSON,
    )

    _refused(visit, Reason.CROSS_SITE_REQUEST)
    assert set(house.accounts.calls - calls) <= {"live_session"}


async def test_a_token_is_good_for_its_own_session_only(house: House) -> None:
    ana = await Browser(house).sign_up("ana@example.org")
    eve = await Browser(house).sign_up("eve@example.org")
    stranger = Browser(house)
    await stranger.get("/sign-in")
    await eve.get("/account")
    again = Browser(house)
    await again.submit("/sign-in", {"email": "ana@example.org", "password": PASSWORD})
    await again.get("/account")
    calls = house.accounts.calls.copy()

    for token in ("", "0" * 32, "ü", stranger.token, eve.token, again.token):
        visit = await ana.post("/account/keys", {"csrf": token, "scope_chat": "on"}, accept=JSON)
        _refused(visit, Reason.INVALID_CSRF_TOKEN)
    assert set(house.accounts.calls - calls) == {"live_session"}

    await ana.get("/account")
    assert (await ana.post("/account/keys", {"scope_chat": "on"})).status == 200


async def test_a_strangers_token_is_good_in_their_own_browser_only(house: House) -> None:
    """Otherwise somebody could be signed in to another's account without noticing (login CSRF)."""
    ana, eve = Browser(house), Browser(house)
    await ana.get("/sign-in")
    await eve.get("/sign-in")
    assert ana.token != eve.token
    entry = {"email": "ana@example.org", "password": PASSWORD}

    _refused(await ana.post("/sign-up", {**entry, "csrf": eve.token}, accept=JSON), Reason.INVALID_CSRF_TOKEN)
    ana.cookies.clear()
    _refused(await ana.post("/sign-up", entry, accept=JSON), Reason.INVALID_CSRF_TOKEN)
    assert house.accounts.calls.total() == 1, "only the setup asked"


async def test_a_browser_that_has_a_seed_keeps_it(house: House) -> None:
    browser = Browser(house)
    first = await browser.get("/sign-in")
    seed = browser.cookies[FORM_COOKIE]
    second = await browser.get("/sign-up")

    assert len(first.set_cookies) == 1
    assert second.set_cookies == []
    assert browser.cookies[FORM_COOKIE] == seed


async def test_a_token_under_an_older_server_key_is_still_good_until_that_key_is_gone(house: House) -> None:
    old, both = ServerKeys(1, {1: b"o" * 32}), ServerKeys(2, {1: b"o" * 32, 2: b"n" * 32})
    token = csrf.token(b"seed", old)

    assert csrf.is_token(token, b"seed", both)
    assert not csrf.is_token(token, b"seed", ServerKeys(2, {2: b"n" * 32}))
    assert not csrf.is_token(token, b"other", both)


async def test_a_forged_session_is_a_stranger_and_never_reaches_the_store(house: House) -> None:
    ana = await Browser(house).sign_up("ana@example.org")
    user = (await house.accounts.users())[0]
    forged = issue(Kind.SESSION, user.id, ServerKeys(1, {1: b"x" * 32}), now=1.0, entropy=b"e" * 16)
    calls = house.accounts.calls.copy()

    for text in (forged, "junk", "tg_sess_" + "0" * 79, ana.cookies[SESSION_COOKIE][:-1]):
        eve = Browser(house)
        eve.cookies[SESSION_COOKIE] = text
        assert (await eve.get("/account")).status == 303
    assert house.accounts.calls == calls


async def test_a_session_planted_under_the_plain_name_counts_only_without_protection(house: House) -> None:
    ana = await Browser(house).sign_up("ana@example.org")
    planted = {"cookie": f"{cookies.SESSION}={ana.cookies[SESSION_COOKIE]}"}

    assert (await Browser(house).get("/account", **planted)).status == 303
    plain = {**planted, "sec-fetch-site": "", "host": "192.0.2.7"}
    assert (await Browser(house).get("/account", **plain)).status == 200


async def test_an_ended_session_opens_nothing(house: House) -> None:
    ana = await Browser(house).sign_up("ana@example.org")
    kept = dict(ana.cookies)
    await ana.get("/account")
    await ana.post("/sign-out")

    thief = Browser(house)
    thief.cookies = kept
    assert (await thief.get("/account")).status == 303


@pytest.mark.parametrize("route", [route for route in TABLE if route.path.startswith(("/account", "/people"))])
async def test_nothing_of_an_account_is_for_strangers(house: House, route: Route[Any]) -> None:
    stranger = Browser(house)
    await stranger.get("/sign-in")
    path = re.sub(r"\{\w+\}", "x", route.path)

    visit = await (stranger.post if route.is_form else stranger.get)(path, accept=JSON)

    _refused(visit, Reason.NOT_SIGNED_IN)


async def test_operators_pages_are_for_operators(house: House) -> None:
    ana = await Browser(house).sign_up("ana@example.org")
    visit = await ana.get("/people", accept=JSON)
    _refused(visit, Reason.OPERATORS_ONLY)
    assert visit.status == 403
    assert house.accounts.calls["newest_users"] == 0

    op = await house.clerk.create_user("op@example.org", Role.OPERATOR, password=PASSWORD)
    browser = Browser(house)
    await browser.submit("/sign-in", {"email": op.email, "password": PASSWORD})
    assert (await browser.get("/people")).status == 200


async def test_a_page_over_an_open_network_warns_and_a_protected_one_does_not(house: House) -> None:
    warning = b"This connection is not protected"

    for path in ("/", "/sign-in", "/sign-up"):
        assert warning not in (await Browser(house).get(path)).body
        plain = {"sec-fetch-site": "", "host": "192.0.2.7"}
        assert warning in (await Browser(house).get(path, **plain)).body
