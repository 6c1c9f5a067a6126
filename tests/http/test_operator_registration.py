"""The operator sees how registration is, why, and what comes next."""

from __future__ import annotations

import pytest

from tests.http.asgi import Visit
from tests.http.browsing import text
from tests.http.conftest import Service
from tidegate.core.registration.machine import Machine
from tidegate.core.registration.modes import Cause, RegistrationMode
from tidegate.core.registration.plan import ModePlan
from tidegate.http.operator.registration import told, words_of_registration
from tidegate.services.registration import SAMPLE_EVERY_S, LineReport, Registration


def flooded(service: Service, seconds: float) -> Registration:
    room = service.joining.registration
    for _ in range(int(seconds / SAMPLE_EVERY_S)):
        service.clock.advance(SAMPLE_EVERY_S)
        room.came(2500)
        room.sample()
    return room


async def page(service: Service) -> str:
    return text(await Visit(service.apps.operator, "GET", "/", headers={"host": "localhost"}).ask())


async def test_a_flood_stands_on_the_operators_page_with_its_cause_and_what_comes_next(service: Service) -> None:
    assert "Registration is open." in await page(service)
    flooded(service, 40)
    shown = await page(service)
    assert "Registration is throttled" in shown
    assert "For more sign-ups than usual." in shown
    assert "Sign-ups tried: 20,000 in the last minute" in shown
    assert "Next: waiting room in" in shown
    flooded(service, 60)
    assert "newcomers stand in line. Since" in await page(service)


async def test_the_operators_own_word_is_told_apart_from_what_is_measured(service: Service) -> None:
    service.joining.registration.override(RegistrationMode.CLOSED, 3600.0, "a talk")
    shown = await page(service)
    assert "Registration is closed." in shown
    assert "By your word (a talk). By itself it would be: open." in shown
    assert "in 60 min, for the end of your word." in shown


async def test_a_setting_that_holds_the_mode_is_named_where_the_operators_word_is_for_more(service: Service) -> None:
    """And no move is promised that would change nothing."""
    room = service.joining.registration
    room.floor = RegistrationMode.INVITE
    room.override(RegistrationMode.OPEN, 3600.0)
    shown = await page(service)
    assert "Registration is by invitation only. " in shown
    assert "By itself it would be: invite." in shown
    assert 'accounts.sign_up = "invite" in the settings' in shown
    assert "Next:" not in shown


def test_the_line_and_its_promises_are_told(service: Service) -> None:
    room = flooded(service, 120)
    room.line = lambda: LineReport(places=1200, queue_s=119.0, kept=9, missed=1)
    more = words_of_registration(room.outlook()).more
    assert "1,200 in line; whoever comes last waits about 2 min." in more
    assert "Of 10 people who were told how long it takes, 9 were in by then." in more


def test_a_dry_run_says_what_it_would_be(service: Service) -> None:
    room = service.joining.registration
    room.machine = Machine(ModePlan(is_dry_run=True))
    more = words_of_registration(flooded(service, 120).outlook()).more
    assert any(one == "A dry run. Otherwise it would be: waiting room." for one in more)


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_words(cause: Cause) -> None:
    assert told((cause,)) not in {"", cause}
