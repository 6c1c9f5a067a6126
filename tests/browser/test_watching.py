"""The watch that every test of this room stands under sees what it is there for."""

from __future__ import annotations

import contextlib

import pytest
from playwright.sync_api import Error

from tests.browser.chatting import sign_up
from tests.browser.conftest import Visiting
from tests.browser.scripted import ScriptedService
from tests.browser.watching import until

FORBIDDEN = {
    "markup made of text": ("document.body.innerHTML = '<b>x</b>'", "require-trusted-types-for"),
    "a picture from elsewhere": (
        "document.body.append(new Image()), document.images[0].src = '//evil.test/'",
        "img-src",
    ),
    "a call to elsewhere": ("void fetch('https://evil.test/').catch(() => 0)", "connect-src"),
    "a script in the page": (
        "Object.assign(document.querySelector('a'), {href: 'javascript:1'}).click()",
        "script-src",
    ),
    "a window that asks": ("alert('hello')", "dialog: hello"),
    "an error on the console": ("console.error('broken')", "console: broken"),
    "an exception": ("setTimeout(() => { throw new Error('thrown') })", "exception: thrown"),
    "a way out": ("location.href = 'http://evil.test/words'", "request: http://evil.test/words"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_must_never_happen_is_noticed(what: str, visit: Visiting, scripted: ScriptedService) -> None:
    here = visit(scripted.base)
    page = here.page()
    sign_up(page)
    assert here.wrongs == []
    act, word = FORBIDDEN[what]
    # Trusted Types throw, and a page that leaves has no answer.
    with contextlib.suppress(Error):
        page.evaluate(f"() => {{ {act} }}")
    until(page, lambda: any(word in wrong for wrong in here.wrongs), what)
    page.close()
    here.wrongs.clear()
