"""The registration mode, through the control socket: shown, set for a while, given back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.http.asgi import Visit
from tests.http.conftest import Service
from tidegate.core.registration.modes import RegistrationMode


async def _ask(service: Service, method: str, path: str, body: object = None) -> Visit:
    content = b"" if body is None else json.dumps(body).encode()
    return await Visit(service.apps.control, method, path, headers={"host": "control"}, body=content).ask()


def _mode(service: Service) -> RegistrationMode:
    return service.joining.mode


async def test_the_mode_is_shown_set_and_given_back(service: Service) -> None:
    shown: dict[str, Any] = (await _ask(service, "GET", "/mode")).json()
    assert (shown["mode"], shown["said"], shown["line"]["places"]) == ("open", None, 0)

    told = (await _ask(service, "POST", "/mode", {"mode": "invite", "for_s": 60, "why": "a talk"})).json()
    assert (told["mode"], told["automatic"], told["said"]["why"]) == ("invite", "open", "a talk")
    assert _mode(service) is RegistrationMode.INVITE

    assert (await _ask(service, "POST", "/mode/auto")).json()["mode"] == "open"
    assert _mode(service) is RegistrationMode.OPEN


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"mode": "ajar", "for_s": 60}, "mode"),
        ({"mode": "invite", "for_s": 0}, "for"),
        ({"mode": "invite", "for_s": 60, "why": "x" * 301}, "why"),
        ({"mode": "invite"}, "for_s"),
    ],
)
async def test_what_cannot_be_set_is_refused_by_its_field(service: Service, body: object, param: str) -> None:
    visit = await _ask(service, "POST", "/mode", body)
    assert visit.status == 400
    assert visit.json()["error"]["param"] == param
    assert _mode(service) is RegistrationMode.OPEN
