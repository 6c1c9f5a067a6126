"""Inviting people and letting them in, with a mouse and with the eyes of axe-core."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.chatting import PASSWORD, new_address, sign_in, sign_up
from tests.browser.conftest import Visiting
from tests.browser.scripted import ScriptedService
from tests.browser.test_accessibility import axe, violations

__all__ = ["axe"]

_LINK = re.compile(r"http://127\.0\.0\.1:[0-9]+/invitation/tg_invt_[0-9a-z]{79}")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_an_operator_invites_and_lets_in(
    width: int, theme: str, axe: str, visit: Visiting, scripted: ScriptedService, pictures: Path
) -> None:
    operator, asking = new_address(), new_address()
    scripted.make_operator(operator, PASSWORD)
    scripted.ask_to_be_let_in(asking, "I teach physics at the evening school")
    page = visit(scripted.base, color_scheme=theme, viewport={"width": width, "height": 800}).page()
    sign_in(page, operator)
    found: dict[str, list[object]] = {}

    def look(name: str) -> None:
        found[name] = violations(page, axe)
        page.screenshot(path=pictures / f"{name}-{width}-{theme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is scrolled sideways"

    page.goto("/account")
    page.get_by_label("Email address of the person").fill("friend@example.org")
    page.get_by_role("button", name="Make an invitation").click()
    assert _LINK.fullmatch(page.get_by_label("Invitation link").input_value())
    look("invitation")
    page.get_by_role("link", name="I have copied it").click()
    look("invitations")
    page.get_by_role("button", name="Revoke the invitation for friend@example.org").click()
    expect(page.get_by_role("status")).to_have_text("The invitation is revoked. Nobody can use it any more.")

    page.goto("/people")
    look("requests")
    page.get_by_role("button", name=f"Approve {asking}").click()
    expect(page.get_by_text(_LINK)).to_be_visible()
    look("let-in")
    assert not any(found.values()), found


def test_a_new_account_sees_what_it_may_use(visit: Visiting, scripted: ScriptedService, pictures: Path) -> None:
    """A hundred thousand tokens, for no mail proved the address."""
    page = visit(scripted.base).page()
    sign_up(page)
    page.goto("/account")

    expect(page.get_by_text("0 of 100,000 tokens used")).to_be_visible()
    expect(page.get_by_text("Your account is new")).to_be_visible()
    assert page.get_by_role("heading", name="Invite people").count() == 0
    page.screenshot(path=pictures / "probation.png", full_page=True)
