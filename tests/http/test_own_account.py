"""One's own account: sessions, keys and the password, by forms alone, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from tests.http.browsing import PASSWORD, Browser, House, assert_blamed, field_tag, reason_told, text
from tidegate.core.accounts import ApiKey, Role, Scope
from tidegate.core.identifiers import KeyId, SessionId
from tidegate.core.quotas.budget import Budget
from tidegate.core.quotas.ledger import Out
from tidegate.core.quotas.windows import Window
from tidegate.core.reasons import Reason
from tidegate.http import cookies
from tidegate.services.authenticate import Caller, Forbidden, Unknown, authenticate

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


async def test_a_new_key_is_shown_once_and_opens_what_was_ticked(house: House, ana: Browser) -> None:
    await ana.get("/account")

    shown = await ana.post("/account/keys", {"name": " laptop ", "scope_models": "on"})

    found = re.search(r"<textarea [^>]*readonly[^>]*>(tg_live_[0-9a-z]+)</textarea>", shown.body.decode())
    assert found is not None
    key = found.group(1)
    assert "shown this once" in text(shown)
    assert shown.headers["cache-control"] == "no-store"
    server_keys = house.clerk.server_keys
    assert isinstance(await authenticate(key, Scope.MODELS, house.accounts, server_keys), Caller)
    assert isinstance(await authenticate(key, Scope.CHAT, house.accounts, server_keys), Forbidden)
    account = await ana.get("/account")
    assert key not in account.body.decode()
    assert f"laptop models {key[:8]}...{key[-4:]}" in text(account)


async def test_a_page_with_a_new_key_that_is_loaded_anew_makes_no_second_key(house: House, ana: Browser) -> None:
    account = await ana.get("/account")
    wish = re.search(r'name="wish" value="([0-9a-f]{16})"', account.body.decode())
    assert wish is not None
    form = {"name": "laptop", "scope_chat": "on", "wish": wish.group(1)}
    await ana.post("/account/keys", form)

    again = await ana.post("/account/keys", form)

    user = (await house.accounts.users())[0]
    assert len(await house.accounts.keys(user.id)) == 1
    assert (again.status, again.headers["location"]) == (303, "/account?done=made#keys")
    assert "shown only once" in text(await ana.get("/account?done=made"))
    bo = await Browser(house).sign_up("bo@example.org")
    await bo.get("/account")
    assert (await bo.post("/account/keys", form)).status == 200, "what another has asked for is no concern of hers"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "laptop"}, "At least one of chat, models."),
        ({"name": "x" * 101, "scope_chat": "on"}, "At most 100 printable characters."),
    ],
)
async def test_a_key_that_cannot_be_is_refused_beside_the_field(
    house: House, ana: Browser, fields: dict[str, str], sentence: str
) -> None:
    await ana.get("/account")

    visit = await ana.post("/account/keys", fields)

    assert visit.status == 400
    assert f'role="alert">{sentence}</p>' in visit.body.decode()
    assert f'value="{fields["name"]}"' in field_tag(visit, "name")
    assert house.accounts.calls["add_key"] == 0
    assert reason_told(house) is Reason.INVALID_VALUE


async def test_too_many_keys_is_a_sentence(ana: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.services.accounts.MOST_LIVE_KEYS", 1)
    await ana.get("/account")
    assert (await ana.post("/account/keys", {"scope_chat": "on"})).status == 200

    visit = await ana.post("/account/keys", {"scope_chat": "on"})

    assert visit.status == 400
    assert "An account has at most 1 live keys; revoke one first." in text(visit)


async def test_a_revoked_key_stops_working_at_once_and_is_shown_as_such(house: House, ana: Browser) -> None:
    made = await house.clerk.create_key(ANA, "laptop")
    page = await ana.get("/account")
    assert f"/account/keys/{made.key.id}/revoke" in page.body.decode()

    visit = await ana.post(f"/account/keys/{made.key.id}/revoke")

    assert (visit.status, visit.headers["location"]) == (303, "/account?done=key#keys")
    assert await authenticate(made.text, Scope.CHAT, house.accounts, house.clerk.server_keys) == Unknown("revoked")
    after = await ana.get("/account?done=key")
    assert "The key is revoked." in text(after)
    assert f"/account/keys/{made.key.id}/revoke" not in after.body.decode()


async def test_what_belongs_to_another_does_not_exist(house: House, ana: Browser) -> None:
    bo = await Browser(house).sign_up("bo@example.org")
    bos_session = await house.sessions.find(bo.cookies[SESSION_COOKIE])
    assert bos_session is not None
    bos_key = await house.clerk.create_key("bo@example.org", "bo's secret project")
    page = await ana.get("/account")
    assert "bo" not in text(page).replace("about", "")
    never_key, never_session = KeyId.of(b"nevernev"), SessionId.of(b"nevernev")

    answers = set()
    for path in (
        f"/account/keys/{bos_key.key.id}/revoke",
        f"/account/keys/{never_key}/revoke",
        "/account/keys/key_nonsense/revoke",
        f"/account/sessions/{bos_session.session.id}/end",
        f"/account/sessions/{never_session}/end",
        "/account/sessions/nonsense/end",
    ):
        visit = await ana.post(path, accept="application/json")
        answers.add((visit.status, visit.error["message"]))

    assert answers == {(404, "You have no such live key."), (404, "You have no such live session.")}
    assert isinstance(await authenticate(bos_key.text, Scope.CHAT, house.accounts, house.clerk.server_keys), Caller)
    assert await house.sessions.find(bo.cookies[SESSION_COOKIE]) == bos_session


async def test_another_session_of_ones_own_is_ended_from_here(house: House, ana: Browser) -> None:
    phone = Browser(house)
    await phone.submit("/sign-in", {"email": ANA, "password": PASSWORD})
    there = await house.sessions.find(phone.cookies[SESSION_COOKIE])
    assert there is not None
    page = await ana.get("/account")
    assert text(page).count("Last used about") == 2
    assert text(page).count("this browser") == 1

    visit = await ana.post(f"/account/sessions/{there.session.id}/end")

    assert (visit.status, visit.headers["location"]) == (303, "/account?done=session#sessions")
    assert (await phone.get("/account")).status == 303
    assert (await ana.get("/account")).status == 200
    assert house.ended == [there.session.id]


async def test_ending_this_very_session_is_signing_out(house: House, ana: Browser) -> None:
    here = await house.sessions.find(ana.cookies[SESSION_COOKIE])
    assert here is not None
    await ana.get("/account")

    visit = await ana.post(f"/account/sessions/{here.session.id}/end")

    assert visit.headers["location"] == "/"
    assert "clear-site-data" in visit.headers


async def test_all_others_are_ended_at_once(house: House, ana: Browser) -> None:
    others = [Browser(house) for _ in range(3)]
    for other in others:
        await other.submit("/sign-in", {"email": ANA, "password": PASSWORD})
    await ana.get("/account")

    visit = await ana.post("/account/sessions/end-others")

    assert visit.headers["location"] == "/account?done=sessions#sessions"
    assert [(await other.get("/account")).status for other in others] == [303, 303, 303]
    assert "End all others" not in text(await ana.get("/account"))


async def test_a_changed_password_is_the_one_that_works(house: House, ana: Browser) -> None:
    await ana.get("/account")

    visit = await ana.post("/account/password", {"current": PASSWORD, "password": NEW_PASSWORD})

    assert (visit.status, visit.headers["location"]) == (303, "/account?done=password#password")
    again = Browser(house)
    assert (await again.submit("/sign-in", {"email": ANA, "password": PASSWORD})).status == 401
    assert (await again.submit("/sign-in", {"email": ANA, "password": NEW_PASSWORD})).status == 303


@pytest.mark.parametrize(
    ("current", "new", "status", "field", "sentence"),
    [
        ("not the right one", NEW_PASSWORD, 401, "current", "This is not your current password."),
        (PASSWORD, "short", 400, "password", "Between 15 and 1024 characters."),
    ],
)
async def test_a_password_that_cannot_be_changed_is_said_beside_the_field(
    house: House, ana: Browser, current: str, new: str, status: int, field: str, sentence: str
) -> None:
    await ana.get("/account")

    visit = await ana.post("/account/password", {"current": current, "password": new})

    assert visit.status == status
    assert_blamed(visit, field, sentence)
    assert current not in visit.body.decode()
    assert house.accounts.calls["set_password_hash"] == 0


async def test_no_note_is_shown_that_was_made_up_elsewhere(ana: Browser) -> None:
    assert b'role="status"' not in (await ana.get("/account?done=<b>your+account+is+blocked")).body


async def test_operators_see_the_newest_people(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.clerk.create_user("op@example.org", Role.OPERATOR, password=PASSWORD)
    browser = Browser(house)
    await browser.submit("/sign-in", {"email": "op@example.org", "password": PASSWORD})
    for name in ("ana", "bo", "cy"):
        house.clock.advance(1.0)
        await house.clerk.create_user(f"{name}@example.org")

    everybody = text(await browser.get("/people"))
    assert re.findall(r"\w+@example\.org", everybody) == [f"{name}@example.org" for name in ("cy", "bo", "ana", "op")]

    monkeypatch.setattr("tidegate.http.accounts.own._MOST_PEOPLE", 2)
    assert re.findall(r"\w+@example\.org", text(await browser.get("/people"))) == ["cy@example.org", "bo@example.org"]


@pytest.mark.parametrize("path", ["/", "/sign-in", "/sign-up", "/account", "/people", "/nothing"])
async def test_no_page_is_kept_framed_or_allowed_a_script(house: House, path: str) -> None:
    await house.clerk.create_user("op@example.org", Role.OPERATOR, password=PASSWORD)
    browser = Browser(house)
    if path in {"/account", "/people"}:
        await browser.submit("/sign-in", {"email": "op@example.org", "password": PASSWORD})

    visit = await browser.get(path)

    policy = visit.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert visit.headers["cache-control"] == "no-store"
    assert visit.headers["referrer-policy"] == "same-origin"
    assert visit.headers["cross-origin-opener-policy"] == "same-origin"
    assert visit.headers["x-content-type-options"] == "nosniff"
    assert b"style=" not in visit.body


async def test_neither_password_nor_session_nor_address_is_in_the_log(house: House, ana: Browser) -> None:
    await ana.get("/account")
    await ana.post("/account/password", {"current": PASSWORD, "password": NEW_PASSWORD})
    await ana.submit("/sign-in", {"email": ANA, "password": "wrong" * 4}, page="/account")

    log = repr(house.journal.events)
    for secret in (PASSWORD, NEW_PASSWORD, ANA, ana.cookies[SESSION_COOKIE], ana.token, str(house.setup.code)):
        assert secret not in log


# ------------------------------------------------------------ budgets


async def spend(house: House, email: str, tokens: int, key: ApiKey | None = None) -> None:
    user = await house.accounts.user_by_email(email)
    assert user is not None
    answer = house.quotas.reserve(await house.quotas.meet(user, key), tokens)
    assert isinstance(answer, Out)
    house.quotas.settle(answer.number, tokens)


async def test_without_a_limit_the_page_tells_what_is_used_and_that_there_is_none(house: House, ana: Browser) -> None:
    await spend(house, ANA, 1234)

    shown = text(await ana.get("/account"))

    assert "There is no limit for you here." in shown
    assert "This day: 1,234 tokens used" in shown
    assert "This hour" not in shown
    assert "Requests at once: 16 may run or wait, none do now." in shown


async def test_the_page_tells_what_is_left_and_when_a_budget_begins_anew(house: House, ana: Browser) -> None:
    """Of the account, and of each live key that has a budget of its own."""
    house.quotas.ledger.defaults = Budget(per_hour=5000)
    key = (await house.clerk.create_key(ANA, "laptop", budget=Budget(per_month=700))).key
    await house.clerk.create_key(ANA, "tower")
    await spend(house, ANA, 600, key)

    shown = text(await ana.get("/account"))

    assert "This hour: 600 of 5,000 tokens used, 4,400 left Counted anew from 2026-09-21 15:00 UTC" in shown
    assert "600 of 700 tokens used this month" in shown
    assert shown.count("tokens used this") == 1


async def test_operators_see_what_everybody_uses(house: House) -> None:
    """And what is left to those who have a budget."""
    await house.clerk.create_user("olga@example.org", Role.OPERATOR, password=PASSWORD)
    operator = Browser(house)
    await operator.submit("/sign-in", {"email": "olga@example.org", "password": PASSWORD})
    await house.clerk.create_user("bo@example.org")
    await house.clerk.set_quota("bo@example.org", limits={Window.DAY: 2000})
    await spend(house, "bo@example.org", 1500)

    shown = text(await operator.get("/people"))

    assert "1,500 1,500 500 of 2,000 this day" in shown
    assert "0 0 no limit" in shown
