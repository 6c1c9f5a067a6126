"""Pages for people say the truth, the same on every port."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.http.asgi import Visit
from tests.http.conftest import Service
from tidegate.core.capacity.health import EngineState
from tidegate.http.status.verdict import verdict

LOCAL = {"host": "127.0.0.1:1"}


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
    assert "verdict" not in page


async def test_each_line_of_the_example_fits_a_phone_from_the_body_on(service: Service) -> None:
    """A phone shows some 36 columns of code; a line that wraps inside the JSON is hard to copy by eye."""
    page = (await _page(service.apps.public)).body.decode()

    example = re.search(r"<pre><code>(.*?)</code></pre>", page, re.DOTALL)
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
