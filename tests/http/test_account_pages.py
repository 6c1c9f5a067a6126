"""Signing up, in and out, and the first operator: by forms alone, without JavaScript."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hashing import Gated
from tests.http.asgi import Visit
from tests.http.browsing import PASSWORD, SITE, Browser, House, assert_blamed, field_tag, reason_told, text
from tidegate.core.accounts import Role
from tidegate.core.entering.places import Claim
from tidegate.core.events import LoginOutcome, LoginTried, SignUpTried
from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import RegistrationMode
from tidegate.http import cookies
from tidegate.http.accounts.room import local_path
from tidegate.services.passwords import PasswordsBusyError
from tidegate.testing.clock import until

ANA, NEW_PASSWORD = "ana@example.org", "and the moon pulls on"
SESSION_COOKIE = "__Host-" + cookies.SESSION


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = await House().open()
    yield made
    await made.close()


@pytest.fixture
async def ana(house: House) -> Browser:
    return await Browser(house).sign_up(ANA)


def _assert_form_again(visit: Visit, status: int, *, email: str) -> None:
    assert visit.status == status
    assert visit.headers["cache-control"] == "no-store"
    assert visit.set_cookies == []
    assert f'value="{email}"' in field_tag(visit, "email")
    assert "value=" not in field_tag(visit, "password")
    assert PASSWORD not in visit.body.decode()


# Signing up


async def test_who_signs_up_lands_in_the_chat_with_a_session_for_as_long_as_the_setting_says(house: House) -> None:
    browser = Browser(house)

    visit = await browser.submit("/sign-up", {"email": " Ana@Example.org", "password": PASSWORD})

    assert (visit.status, visit.headers["location"]) == (303, "/chat")
    assert f"Max-Age={int(house.sessions.session_s)}" in visit.set_cookies[0]
    assert "ana@example.org" in text(await browser.get("/account"))
    assert [tried.src is None for tried in house.journal.of(SignUpTried)] == [False]


@pytest.mark.parametrize("path", ["/sign-in", "/sign-up"])
async def test_forms_tell_password_managers_and_screen_readers_what_they_ask(house: House, path: str) -> None:
    visit = await Browser(house).get(path)

    page = visit.body.decode()
    assert 'autocomplete="username"' in field_tag(visit, "email")
    expected = "new-password" if path == "/sign-up" else "current-password"
    assert f'autocomplete="{expected}"' in field_tag(visit, "password")
    for name in ("email", "password"):
        assert f'<label for="{name}">' in page
    assert 'role="alert"' not in page
    assert "<script" not in page


@pytest.mark.parametrize(
    ("email", "password", "field", "sentence"),
    [
        ("ana", PASSWORD, "email", "Expected an address such as ana@example.org."),
        (ANA, "short", "password", "Between 15 and 1024 characters."),
        (ANA, "ana@example.org", "password", "Too easy to guess; a few unrelated words make a good one."),
    ],
)
async def test_a_sign_up_with_a_mistake_comes_back_with_the_sentence_beside_the_field(
    house: House, email: str, password: str, field: str, sentence: str
) -> None:
    visit = await Browser(house).submit("/sign-up", {"email": email, "password": password})

    _assert_form_again(visit, 400, email=email)
    assert_blamed(visit, field, sentence)
    assert reason_told(house) is Reason.INVALID_VALUE
    assert await house.accounts.users() == []


async def test_a_taken_address_is_said_beside_the_field(house: House, ana: Browser) -> None:
    del ana
    visit = await Browser(house).submit("/sign-up", {"email": ANA, "password": PASSWORD})

    _assert_form_again(visit, 409, email=ANA)
    assert_blamed(visit, "email", "Another account already uses this address.")
    assert reason_told(house) is Reason.EMAIL_TAKEN


async def test_closed_registration_is_said_everywhere_and_makes_nobody() -> None:
    house = await House(sign_up=RegistrationMode.CLOSED).open()
    browser = Browser(house)

    form = await browser.get("/sign-up")
    assert form.status == 403
    assert "There are no new accounts for now" in text(form)
    for path in ("/", "/sign-in"):
        page = await browser.get(path)
        assert "There are no new accounts for now" in text(page)
        assert b"/sign-up" not in page.body
    assert (await browser.post("/sign-up", {"email": ANA, "password": PASSWORD})).status == 403
    assert reason_told(house) is Reason.SIGN_UP_CLOSED
    assert await house.accounts.users() == []
    await house.close()


async def test_what_somebody_typed_stands_on_the_page_as_text_only(house: House) -> None:
    typed = '"><script>alert(1)</script>@x'

    visit = await Browser(house).submit("/sign-in", {"email": typed, "password": "x", "next": '/"><script>'})

    assert b"<script" not in visit.body
    assert "&lt;script&gt;" in visit.body.decode()


# Signing in


async def test_a_sign_in_goes_where_somebody_wanted_to_go(house: House, ana: Browser) -> None:
    del ana
    browser = Browser(house)
    form = await browser.get("/sign-in?next=/account")
    assert 'value="/account"' in field_tag(form, "next")

    visit = await browser.post("/sign-in", {"email": ANA, "password": PASSWORD, "next": "/account"})

    assert (visit.status, visit.headers["location"]) == (303, "/account")
    assert (await browser.get("/account")).status == 200


@pytest.mark.parametrize("email", [ANA, "bo@example.org", "nobody@example.org", "no address"])
async def test_a_wrong_sign_in_says_the_same_for_every_address(house: House, ana: Browser, email: str) -> None:
    del ana
    await house.clerk.create_user("bo@example.org")

    visit = await Browser(house).submit("/sign-in", {"email": email, "password": "not the right one"})

    _assert_form_again(visit, 401, email=email)
    assert_blamed(visit, "password", "The address or the password is wrong.")
    assert reason_told(house) is Reason.WRONG_CREDENTIALS
    body = visit.body.decode().replace(email, "ADDRESS")
    other = await Browser(house).submit("/sign-in", {"email": "else@example.org", "password": "not the right one"})
    strip = re.compile(r'name="csrf" value="[^"]*"')
    assert strip.sub("", body) == strip.sub("", other.body.decode().replace("else@example.org", "ADDRESS"))


@pytest.mark.parametrize("path", ["/sign-in", "/sign-up"])
async def test_when_too_many_passwords_are_checked_the_page_says_when_to_come_back(
    house: House, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def full(claim: Claim) -> None:
        del claim
        raise PasswordsBusyError(2.2)

    monkeypatch.setattr(house.passwords, "require_room", full)

    visit = await Browser(house).submit(path, {"email": ANA, "password": PASSWORD})

    _assert_form_again(visit, 429, email=ANA)
    assert visit.headers["retry-after"] == "3"
    assert '<p class="problem" role="alert">Too many passwords' in visit.body.decode()
    assert reason_told(house) is Reason.SIGN_IN_BUSY


async def test_a_flood_of_sign_ins_is_shed_and_those_in_the_queue_are_answered() -> None:
    """One runs and twelve strangers wait; as many as come meanwhile are turned away with 429."""
    hasher = Gated()
    house = await House(hasher=hasher).open()
    browsers = [Browser(house) for _ in range(16)]
    for browser in browsers:
        await browser.get("/sign-in")
    visits = [
        asyncio.ensure_future(browser.post("/sign-in", {"email": f"ana{number}@example.org", "password": PASSWORD}))
        for number, browser in enumerate(browsers)
    ]

    await until(lambda: sum(visit.done() for visit in visits) == 3)
    assert [visit.result().status for visit in visits if visit.done()] == [429] * 3
    hasher.let.set()

    assert sorted([visit.status for visit in await asyncio.gather(*visits)]) == [401] * 13 + [429] * 3
    outcomes = [tried.outcome for tried in house.journal.of(LoginTried)]
    assert outcomes.count(LoginOutcome.REFUSED) == 3
    await house.close()


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "\n//evil.example",
        "/\r\n/evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "evil.example",
        "",
    ],
)
async def test_a_sign_in_never_leads_to_another_site(house: House, ana: Browser, elsewhere: str) -> None:
    del ana
    browser = Browser(house)
    await browser.get("/sign-in")

    visit = await browser.post("/sign-in", {"email": ANA, "password": PASSWORD, "next": elsewhere})

    assert visit.headers["location"] == "/chat"


@given(st.text(st.sampled_from("/\\.:@?#% \t\r\nahtps\x00\u2028")))
def test_a_local_path_stays_on_this_host_whatever_is_asked(asked: str) -> None:
    location = local_path(asked)

    # A browser leaves tabs and line ends out, and takes a backslash for a slash.
    seen = re.sub(r"[\t\r\n]", "", location).replace("\\", "/")
    assert urlsplit(urljoin(SITE, seen)).netloc == "tide.example"
    assert seen.startswith("/")
    assert location.isascii()
    assert location.isprintable()


async def test_somebody_signed_in_is_not_asked_again(ana: Browser) -> None:
    for path, target in (
        ("/sign-in", "/chat"),
        ("/sign-in?next=/account", "/account"),
        ("/sign-up", "/chat"),
        ("/", "/chat"),
    ):
        visit = await ana.get(path)
        assert (visit.status, visit.headers["location"]) == (303, target)


async def test_signing_in_again_replaces_the_session(house: House, ana: Browser) -> None:
    before = ana.cookies[SESSION_COOKIE]
    await ana.get("/account")

    visit = await ana.post("/sign-in", {"email": ANA, "password": PASSWORD})

    assert visit.status == 303
    assert ana.cookies[SESSION_COOKIE] != before
    assert await house.sessions.find(before) is None
    assert await house.sessions.find(ana.cookies[SESSION_COOKIE]) is not None


async def test_signing_out_ends_the_session_and_has_the_browser_forget(house: House, ana: Browser) -> None:
    session = ana.cookies[SESSION_COOKIE]
    await ana.get("/account")

    visit = await ana.post("/sign-out")

    assert (visit.status, visit.headers["location"]) == (303, "/")
    assert visit.headers["clear-site-data"] == '"cache", "storage"'
    assert SESSION_COOKIE not in ana.cookies
    assert await house.sessions.find(session) is None
    assert len(house.ended) == 1


async def test_signing_out_without_a_session_does_no_harm(house: House) -> None:
    visit = await Browser(house).submit("/sign-out", {}, page="/sign-in")

    assert (visit.status, visit.headers["location"]) == (303, "/")
    assert house.ended == []


# The first operator


async def test_the_link_from_the_terminal_makes_the_operator_once() -> None:
    house = await House(sign_up=RegistrationMode.CLOSED).open()
    code = house.setup.code
    browser = Browser(house)
    assert 'autocomplete="new-password"' in field_tag(await browser.get(f"/setup/{code}"), "password")
    short = await browser.post(f"/setup/{code}", {"email": "op@example.org", "password": "short"})
    _assert_form_again(short, 400, email="op@example.org")

    visit = await browser.post(f"/setup/{code}", {"email": "op@example.org", "password": PASSWORD})

    assert (visit.status, visit.headers["location"]) == (303, "/chat")
    assert [user.role for user in await house.accounts.users()] == [Role.OPERATOR]
    assert (await browser.get("/people")).status == 200
    assert (await browser.get(f"/setup/{code}")).status == 404
    assert (await browser.post(f"/setup/{code}", {"email": "eve@example.org", "password": PASSWORD})).status == 404
    assert len(await house.accounts.users()) == 1
    await house.close()


async def test_nobody_sets_up_without_the_code(house: House) -> None:
    browser = Browser(house)
    await browser.get("/sign-in")

    for code in ("0" * 32, "x"):
        assert (await browser.get(f"/setup/{code}")).status == 404
        assert (await browser.post(f"/setup/{code}", {"email": ANA, "password": PASSWORD})).status == 404
    assert await house.accounts.users() == []
