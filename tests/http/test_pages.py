"""Pages for people say the truth, the same on every port."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tests.http.asgi import Visit
from tests.http.browsing import HTML, Browser, House, text
from tests.http.conftest import Service, fingerprint
from tidegate.core.capacity.health import EngineState
from tidegate.core.events import RequestFinished
from tidegate.core.reasons import Reason
from tidegate.http import front, pages
from tidegate.http.answering import Answering
from tidegate.http.frame import Frame
from tidegate.http.pages.looks import ICON, STYLE
from tidegate.http.refusals import WIRE, Refusal
from tidegate.http.status.verdict import verdict
from tidegate.testing.engine import FakeEngine

LOCAL = {"host": "127.0.0.1:1"}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = await House().open()
    yield made
    await made.close()


async def _page(app: Any, path: str = "/") -> Visit:
    return await Visit(app, "GET", path, headers=LOCAL).ask()


@pytest.mark.parametrize("state", EngineState)
async def test_the_front_page_and_the_operators_say_what_the_status_page_says(
    service: Service, state: EngineState
) -> None:
    service.engine.state = state
    said = verdict(state, is_draining=False)

    for app in (service.apps.public, service.apps.status, service.apps.operator):
        assert said.description in (await _page(app)).body.decode()


@pytest.mark.parametrize("state", [state for state in EngineState if state is not EngineState.READY])
async def test_the_front_page_shows_trouble_in_a_box(service: Service, state: EngineState) -> None:
    service.engine.state = state

    page = (await _page(service.apps.public)).body.decode()

    assert f'class="verdict {verdict(state, is_draining=False).indicator}" role="status"' in page


async def test_the_front_page_makes_no_fuss_while_all_is_well(service: Service) -> None:
    service.engine.state = EngineState.READY

    page = (await _page(service.apps.public)).body.decode()

    assert "All systems operational" in page
    assert 'class="verdict' not in page


async def test_each_line_of_the_example_fits_a_phone_from_the_body_on(service: Service) -> None:
    """A phone shows some 36 columns of code; a line that wraps inside the JSON is hard to copy by eye."""
    page = (await _page(service.apps.public)).body.decode()

    example = re.search(r"<pre [^>]*><code>(.*?)</code></pre>", page, re.DOTALL)
    assert example is not None
    _, found, body = example.group(1).partition("  -d '")
    assert found
    assert [line for line in body.splitlines() if len(line) > 36] == []
    assert '"content": "Hello"' in body


async def test_the_operator_finds_the_figures_from_the_front_page_of_the_port(service: Service) -> None:
    page = (await _page(service.apps.operator)).body.decode()

    links = re.findall(r'<a href="([^"]+)">', page)
    assert links == ["/metrics", "/api/vitals", "/readyz"]
    assert [(await _page(service.apps.operator, link)).status for link in links] == [200, 200, 200]


async def test_the_operators_page_tells_of_a_stop(service: Service) -> None:
    service.lifecycle.is_draining = True

    assert "being stopped or restarted" in (await _page(service.apps.operator)).body.decode()


# Refusals as pages


def _refusing(house: House, refusal: Exception) -> Frame:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        raise refusal

    answering = Answering(app=refuse, journal=house.journal, lifecycle=house.lifecycle, clock=house.clock)
    return Frame(app=answering, journal=house.journal, fingerprint=fingerprint, clock=house.clock, ticks=house.clock)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.CLIENT_LEFT])
async def test_every_refusal_is_a_page_for_people_with_the_same_status(house: House, reason: Reason) -> None:
    app = _refusing(house, Refusal(reason, "It is <so>.", retry_after_s=1.5))

    visit = await Visit(app, "GET", "/", headers={"accept": HTML}).ask()

    assert visit.status == WIRE[reason].status
    assert visit.headers["content-type"] == "text/html; charset=utf-8"
    assert visit.headers["retry-after"] == "2"
    assert "It is <so>." in text(visit)
    assert "Please wait 2 seconds" in text(visit)
    assert reason.value in text(visit)
    assert visit.headers["x-request-id"] in text(visit)
    assert house.journal.of(RequestFinished)[-1].reason is reason


@pytest.mark.parametrize("accept", ["", "*/*", "application/json"])
async def test_programs_get_the_error_object(house: House, accept: str) -> None:
    visit = await Browser(house).get("/nothing", accept=accept)

    assert (visit.status, visit.error["code"]) == (404, "route_not_found")


async def test_what_is_not_there_is_said_with_a_way_on(house: House) -> None:
    visit = await Browser(house).get("/<script>alert(1)</script>")

    assert visit.status == 404
    assert b"<script" not in visit.body
    assert 'href="/">To the front page</a>' in visit.body.decode()


async def test_a_defect_of_ours_is_a_page_too_and_tells_nothing_of_itself(house: House) -> None:
    visit = await Visit(_refusing(house, RuntimeError("inside")), "GET", "/", headers={"accept": HTML}).ask()

    assert visit.status == 500
    assert "inside" not in text(visit)
    assert f"Quote {visit.headers['x-request-id']} to the operator" in text(visit)


async def test_a_stop_is_said_as_a_page_with_a_time_to_come_back(house: House) -> None:
    house.lifecycle.is_draining = True
    house.lifecycle.drain_s = 7.0

    visit = await Browser(house).get("/sign-in")

    assert (visit.status, visit.headers["retry-after"]) == (503, "7")
    assert "being stopped or restarted" in text(visit)


async def test_a_form_that_is_not_read_to_its_end_closes_the_connection(house: House) -> None:
    visit = await Browser(house).post("/nothing")

    assert (visit.status, visit.headers["connection"]) == (404, "close")


@pytest.mark.parametrize(
    ("reason", "heading"),
    [
        (Reason.SIGN_UP_CLOSED, "Registration is closed"),
        (Reason.OPERATORS_ONLY, "For operators only"),
        (Reason.STORAGE_FULL, "This is not possible"),
        (Reason.INVALID_VALUE, "This did not work"),
    ],
)
async def test_a_refusal_is_headed_by_what_it_is_about(house: House, reason: Reason, heading: str) -> None:
    visit = await Visit(_refusing(house, Refusal(reason, "So.")), "GET", "/", headers={"accept": HTML}).ask()

    assert f"<h1>{heading}</h1>" in visit.body.decode()
    assert f"<title>{heading} - Tidegate</title>" in visit.body.decode()


async def test_whoever_forgot_their_password_is_told_who_can_help(house: House) -> None:
    assert "Forgotten your password? The operator of this service" in text(await Browser(house).get("/sign-in"))


# The style


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_a_page_is_as_light_as_its_reader_chose_in_the_chat(house: House, theme: str) -> None:
    for path in ("/", "/sign-in", "/nowhere"):
        page = (await Browser(house).get(path, cookie=f"tidegate-theme={theme}")).body.decode()
        assert f'<html lang="en" data-theme="{theme}">' in page


@pytest.mark.parametrize(
    "cookie",
    ["", "tidegate-theme=", "tidegate-theme=auto", "tidegate-theme=DARK", 'tidegate-theme="><script>alert(1)</script>'],
)
async def test_a_theme_that_nobody_can_choose_changes_nothing(house: House, cookie: str) -> None:
    page = (await Browser(house).get("/sign-in", cookie=cookie)).body.decode()

    assert '<html lang="en">' in page
    assert "script" not in page


def test_both_themes_can_be_chosen_by_name() -> None:
    for theme in ("light", "dark"):
        assert f':root[data-theme="{theme}"] {{ color-scheme: {theme}; }}' in STYLE
    assert {"ink", "paper", "card", "accent", "danger-soft"} <= _tokens()["dark"].keys()


async def test_a_page_needs_nothing_but_itself_to_look_as_it_should(house: House) -> None:
    """In a crowd it would come, and a style sheet that is asked for after it would not."""
    for path in ("/", "/sign-in", "/sign-up", "/nothing-here"):
        visit = await Browser(house).get(path, accept="text/html")
        page = visit.body.decode()
        (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
        assert style == STYLE
        digest = b64encode(sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}';" in visit.headers["content-security-policy"]
        sources = re.findall(r'<(?:link|img) [^>]*(?:href|src)="([^"]+)"', page)
        assert sources == [f"data:image/svg+xml;base64,{b64encode(ICON).decode()}"] * 2
        assert "img-src data:;" in visit.headers["content-security-policy"]


async def test_the_sign_is_fetched_once_and_asked_for_anew_when_it_changes(house: House) -> None:
    first = await Browser(house).get("/icon.svg")
    assert (first.status, first.headers["content-type"]) == (200, "image/svg+xml")
    assert first.headers["cache-control"] == "max-age=3600"
    again = await Browser(house).get("/icon.svg", **{"if-none-match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert (await Browser(house).get("/icon.svg", **{"if-none-match": '"other"'})).status == 200


async def test_the_front_page_leads_to_the_status_page_where_that_is_known(service: Service) -> None:
    page = (await _page(service.apps.public)).body.decode()

    found = re.search(r'<a href="([^"]+)">Status</a>', page)
    assert found is not None
    assert found.group(1).startswith("http")


def _tokens() -> dict[str, dict[str, str]]:
    sheet = (Path(pages.__file__).parent / "tokens.css").read_text()
    pairs = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", sheet)
    return {"light": {name: light for name, light, _ in pairs}, "dark": {name: dark for name, _, dark in pairs}}


def _luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "papers", "least"),
    [
        ("ink", ("paper", "card", "sunken", "accent-soft", "danger-soft"), 4.5),
        ("quiet", ("paper", "card", "sunken"), 4.5),
        ("link", ("paper", "card", "accent-soft"), 4.5),
        ("accent-ink", ("accent", "accent-strong"), 4.5),
        ("danger", ("card", "paper", "danger-soft"), 4.5),
        ("warning", ("warning-soft",), 4.5),
        ("edge", ("card", "paper"), 3.0),
        ("focus", ("card", "paper"), 3.0),
    ],
)
def test_colours_can_be_read_by_everybody(theme: str, ink: str, papers: tuple[str, ...], least: float) -> None:
    """WCAG 2.2 AA: 4.5:1 for text (1.4.3), 3:1 for what only has to be seen (1.4.11)."""
    colours = _tokens()[theme]

    for paper in papers:
        darker, lighter = sorted((_luminance(colours[ink]), _luminance(colours[paper])))
        assert (lighter + 0.05) / (darker + 0.05) >= least, f"{ink} on {paper}"


def test_a_template_that_mentions_what_nobody_gives_is_an_error() -> None:
    """A page with a hole in it would look as if all were well."""
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
    with pytest.raises(jinja2.UndefinedError):
        pages.render(request, "front.html", verdict=verdict(EngineState.READY, is_draining=False))


@pytest.mark.parametrize(
    ("host", "status_url", "is_linked"),
    [
        ("127.0.0.1:8080", None, "http://127.0.0.1:8081"),
        ("chat.example.org", None, None),
        ("chat.example.org", "https://status.example.org/", "https://status.example.org/"),
    ],
)
async def test_the_front_page_links_to_a_status_page_that_its_reader_can_open(
    host: str, status_url: str | None, is_linked: str | None
) -> None:
    room = front.FrontRoom(FakeEngine(), "tide-1", status_url=status_url, local_status_url="http://127.0.0.1:8081")
    request = Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/",
            "scheme": "http",
            "query_string": b"",
            "state": {},
            "headers": [(b"host", host.encode())],
        }
    )
    page = bytes((await front.front_page(room, request)).body).decode()

    assert (re.findall(r'href="(https?://[^"]*)"', page) or [None]) == [is_linked]
