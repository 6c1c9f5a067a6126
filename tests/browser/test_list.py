"""The conversations at the side: renaming, deleting with a way back, finding."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.chatting import ask, finished, listed, sign_up
from tests.browser.conftest import Visiting
from tests.browser.scripted import ScriptedService
from tests.browser.watching import stand_still, until
from tidegate.testing.engine import saying


def begun(visit: Visiting, scripted: ScriptedService, *titles: str) -> Page:
    """A page with these conversations, the last one newest."""
    # What is deleted is not there any more: the page asks all the same when its address is opened.
    page = visit(scripted.base).foresee_status(404).page()
    email = sign_up(page)
    for number, title in enumerate(titles):
        scripted.store_conversation(email, title, [(title, "Yes.")], days_ago=len(titles) - number)
    page.goto("/chat")
    expect(listed(page)).to_have_text(list(reversed(titles)))
    return page


def act(page: Page, what: str, title: str) -> None:
    page.get_by_role("link", name=title).hover()
    page.get_by_role("button", name=f"{what} “{title}”").click()


def rename(page: Page, title: str, new: str) -> None:
    """It is kept when this returns."""
    field = page.get_by_label("New name of the conversation")
    expect(field).to_have_value(title)
    field.fill(new)
    with page.expect_response(lambda response: response.request.method == "PATCH") as kept:
        field.press("Enter")
    assert kept.value.status == 200


def titles(page: Page) -> list[str]:
    """What the service has."""
    found = page.evaluate("fetch('/api/conversations').then((response) => response.json())")
    return [conversation["title"] for conversation in found["data"]]


def test_a_conversation_is_renamed_in_its_place(visit: Visiting, scripted: ScriptedService) -> None:
    page = begun(visit, scripted, "Herring", "Mackerel")
    act(page, "Rename", "Herring")
    rename(page, "Herring", "Atlantic herring")
    expect(listed(page)).to_have_text(["Mackerel", "Atlantic herring"])
    page.reload()
    expect(listed(page)).to_have_text(["Mackerel", "Atlantic herring"])


def test_escape_leaves_the_old_name(visit: Visiting, scripted: ScriptedService) -> None:
    page = begun(visit, scripted, "Herring")
    act(page, "Rename", "Herring")
    field = page.get_by_label("New name of the conversation")
    field.fill("Something else")
    field.press("Escape")
    expect(listed(page)).to_have_text(["Herring"])
    page.reload()
    expect(listed(page)).to_have_text(["Herring"])


def test_a_deleted_conversation_comes_back_when_one_undoes_it(visit: Visiting, scripted: ScriptedService) -> None:
    page = begun(visit, scripted, "Herring", "Mackerel")
    stand_still(page)
    act(page, "Delete", "Mackerel")
    expect(listed(page)).to_have_text(["Herring"])
    page.get_by_role("button", name="Undo").click()
    expect(listed(page)).to_have_text(["Mackerel", "Herring"])
    page.clock.resume()
    page.reload()
    expect(listed(page)).to_have_text(["Mackerel", "Herring"])


def test_undoing_leads_back_to_the_conversation_that_was_open(visit: Visiting, scripted: ScriptedService) -> None:
    page = begun(visit, scripted, "Herring", "Mackerel")
    listed(page).first.click()
    expect(page).to_have_title("Mackerel · Tidegate")
    address = page.url
    stand_still(page)
    act(page, "Delete", "Mackerel")
    expect(page).to_have_url(scripted.base + "/chat")
    page.get_by_role("button", name="Undo").click()
    expect(page).to_have_url(address)
    expect(finished(page)).to_contain_text("Yes.")
    act(page, "Delete", "Mackerel")
    page.get_by_role("link", name="Herring").click()
    expect(page).to_have_title("Herring · Tidegate")
    page.get_by_role("button", name="Undo").click()
    expect(listed(page)).to_have_text(["Mackerel", "Herring"])
    expect(page).to_have_title("Herring · Tidegate")


def test_there_are_eight_seconds_to_undo_and_the_way_stands_over_the_chat(
    visit: Visiting, scripted: ScriptedService
) -> None:
    page = begun(visit, scripted, "Herring", "Mackerel")
    stand_still(page)
    act(page, "Delete", "Mackerel")
    undo = page.get_by_role("button", name="Undo")
    notice, chat = page.locator(".notice").bounding_box(), page.get_by_role("main").bounding_box()
    assert notice is not None
    assert chat is not None
    assert abs(notice["x"] + notice["width"] / 2 - chat["x"] - chat["width"] / 2) < 1
    expect(undo).to_be_focused()
    page.clock.run_for(8_000)
    expect(undo).to_be_visible()
    with page.expect_response(lambda response: response.request.method == "DELETE") as gone:
        page.clock.run_for(2_000)
    assert gone.value.status == 204
    expect(undo).to_have_count(0)
    assert titles(page) == ["Herring"]


def test_on_a_phone_every_conversation_is_renamed_and_deleted(visit: Visiting, scripted: ScriptedService) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = visit(scripted.base, **phone).page()
    email = sign_up(page)
    for title in ("Herring", "Mackerel"):
        scripted.store_conversation(email, title, [(title, "Yes.")])
    page.reload()
    expect(page.get_by_text("answers here")).to_be_visible()
    expect(page.get_by_text("Enter sends")).to_have_count(0)
    page.get_by_role("button", name="Conversations", exact=True).tap()
    for title in ("Herring", "Mackerel"):
        for what in ("Rename", "Delete"):
            button = page.get_by_role("button", name=f"{what} “{title}”")
            expect(button).to_be_visible()
            expect(button).to_have_css("opacity", "1")
    page.get_by_role("button", name="Rename “Herring”").tap()
    rename(page, "Herring", "Atlantic herring")
    page.get_by_role("button", name="Delete “Mackerel”").tap()
    expect(listed(page)).to_have_text(["Atlantic herring"])


def test_a_deleted_conversation_is_gone_for_good(visit: Visiting, scripted: ScriptedService) -> None:
    """When the time to undo is over, and also when one leaves before."""
    page = begun(visit, scripted, "Herring", "Mackerel", "Sprat")
    listed(page).first.click()
    expect(page).to_have_title("Sprat · Tidegate")
    address = page.url
    with page.expect_response(lambda response: response.request.method == "DELETE") as gone:
        act(page, "Delete", "Sprat")
        expect(page).to_have_url(scripted.base + "/chat")
    assert gone.value.status == 204
    act(page, "Delete", "Mackerel")
    page.reload()
    until(page, lambda: titles(page) == ["Herring"], "the service has one left")
    page.goto(address)
    expect(page.get_by_role("link", name="Begin a new chat")).to_be_visible()


def test_search_finds_a_word_in_an_old_conversation_and_opens_it_there(
    visit: Visiting, scripted: ScriptedService
) -> None:
    page = visit(scripted.base).page()
    email = sign_up(page)
    long_ago = [("What do eels eat?", "Worms."), ("Where do they spawn?", "In the **Sargasso** Sea, far away.")]
    path = scripted.store_conversation(email, "Eels", long_ago + [("More?", "Words. " * 900)] * 3, days_ago=300)
    page.reload()
    scripted.play(saying("No."))
    ask(page, "Anything new?")
    finished(page)
    field = page.get_by_role("searchbox", name="Search conversations")
    field.fill("sargasso")
    results = page.get_by_role("navigation", name="Search results")
    expect(results.get_by_role("status")).to_have_text("1 found")
    expect(results.locator("mark")).to_have_text("Sargasso")
    results.get_by_role("link").click()
    page.wait_for_url(f"**{path}#m-*")
    found = page.get_by_role("article", name="Answer").nth(1)
    expect(found).to_contain_text("Sargasso")
    expect(found).to_be_in_viewport()
    expect(found).to_be_focused()
    field.press("Escape")
    expect(results).to_have_count(0)
    expect(listed(page)).to_have_text(["Anything new?", "Eels"])
    expect(found).to_be_visible()
    field.fill("no such word anywhere")
    expect(results.get_by_role("status")).to_have_text("Nothing found.")
