"""A store that fails is said to be ours to mend, to programs, to the chat and to people, and worth another try."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from tests.http.asgi import Visit
from tests.http.browsing import HTML, text
from tests.http.chatting import Page
from tests.http.conftest import CHAT, CHAT_PATH, Service
from tidegate.core.events import Level, RequestCrashed, RequestFinished
from tidegate.core.reasons import Reason
from tidegate.ports.storage import StorageUnavailableError

PRIVATE = "the database /var/lib/tidegate.db cannot be used (database is locked)"


async def _fails(*_: object, **__: object) -> NoReturn:
    raise StorageUnavailableError(PRIVATE)


@pytest.fixture
async def ana(service: Service) -> Page:
    return await Page.of(service, "ana@example.org")


@pytest.fixture(autouse=True)
def broken(service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be asked of either store, from when everybody is signed in."""
    assert ana.owner
    for store in (service.accounts, service.conversations):
        for name in dir(store):
            if not name.startswith("_") and name != "calls":
                monkeypatch.setattr(store, name, _fails)
    monkeypatch.setattr(service.keyring, "live_key", _fails)


def _assert_ours(service: Service, visit: Visit) -> None:
    assert (visit.status, visit.headers["retry-after"]) == (503, "5")
    assert PRIVATE not in visit.body.decode()
    line = service.journal.of(RequestFinished)[-1]
    assert (line.reason, line.status, line.level) == (Reason.STORAGE_UNAVAILABLE, 503, Level.ERROR)
    assert service.journal.of(RequestCrashed) == []


async def test_a_program_is_told_to_come_back(service: Service) -> None:
    visit = await service.visit("POST", CHAT_PATH, CHAT).ask()

    _assert_ours(service, visit)
    assert (visit.error["code"], visit.error["type"]) == ("storage_unavailable", "service_unavailable_error")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/session", b""),
        ("GET", "/api/conversations", b""),
        ("GET", "/api/search?q=tide", b""),
        ("POST", "/api/conversations", {"content": "Why?"}),
    ],
)
async def test_a_call_of_the_chat_is_told_to_come_back(
    service: Service, ana: Page, method: str, path: str, body: Any
) -> None:
    visit = await ana.call(method, path, body)

    _assert_ours(service, visit)
    assert visit.error["code"] == "storage_unavailable"


async def test_a_store_that_fails_behind_the_door_is_told_of_alike(
    service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(*_: object) -> object:
        return ana.signed_in.user, ana.signed_in.session

    monkeypatch.setattr(service.accounts, "live_session", found)

    for method, path, body in (("GET", "/api/conversations", b""), ("POST", "/api/conversations", {"content": "Why?"})):
        _assert_ours(service, await ana.call(method, path, body))


@pytest.mark.parametrize("path", ["/account", "/sign-in"])
async def test_a_person_reads_a_page(service: Service, ana: Page, path: str) -> None:
    visit = await ana.call("GET", path, accept=HTML)

    _assert_ours(service, visit)
    assert "Not right now" in text(visit)
    assert "Please wait 5 seconds" in text(visit)
    assert visit.set_cookies == []


async def test_who_signs_out_is_forgotten_by_their_browser_all_the_same(service: Service, ana: Page) -> None:
    visit = await ana.call("POST", "/sign-out", accept=HTML)

    _assert_ours(service, visit)
    cleared = [line for line in visit.set_cookies if "session=" in line]
    assert len(cleared) == 2
    assert all("Max-Age=0" in line for line in cleared)


async def test_another_site_signs_nobody_out(service: Service, ana: Page) -> None:
    visit = await ana.call("POST", "/sign-out", accept=HTML, sec_fetch_site="cross-site")

    _assert_ours(service, visit)
    assert visit.set_cookies == []
