"""The control socket of a gate does acts on its callers, and tells what cannot be done from what was said wrong."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from tests.http.asgi import Visit
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register
from tidegate.http.answering import Answering
from tidegate.http.control import callers as caller_control
from tidegate.http.doors import open_door
from tidegate.http.frame import Frame
from tidegate.http.routes import bind, router
from tidegate.services.callers import Callers
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.reputation import Reputation
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal
from tidegate.testing.standing import MemoryCallerStore

KNOWN, NEW = UserId.of(b"known   "), UserId.of(b"new     ")


def _fingerprint(text: str) -> Fingerprint:
    return Fingerprint(sha256(text.encode()).hexdigest()[:16])


class Control:
    """The room as it is served, over fakes."""

    def __init__(self) -> None:
        clock, journal, store = HandClock(), RecordingJournal(), MemoryCallerStore()
        reputation = Reputation(store, Register(StandingPlan(), 100), clock)
        reputation.register.change(Record.of_caller(KNOWN, clock()))
        room = Callers(
            reputation=reputation, recent=store.recent, journal=journal, fingerprint=_fingerprint, clock=clock
        )
        answering = Answering(
            app=router(bind(caller_control.TABLE, room, open_door)),
            journal=journal,
            lifecycle=Lifecycle(),
            clock=clock,
            stays_open=True,
        )
        self.app = Frame(
            app=answering, journal=journal, fingerprint=_fingerprint, clock=clock, ticks=clock, is_counted=False
        )

    async def act(self, act: dict[str, Any]) -> Visit:
        return await Visit(self.app, "POST", "/callers", body=json.dumps(act).encode(), client=None).ask()


@pytest.fixture
async def control() -> Control:
    return Control()


async def test_callers_are_listed_and_vouched_for(control: Control) -> None:
    listed = await control.act({"act": "list_callers"})
    vouched = await control.act({"act": "vouch_for_caller", "principal": KNOWN})
    made = await control.act({"act": "vouch_for_caller", "principal": NEW, "may_be_new": True})
    withdrawn = await control.act({"act": "vouch_for_caller", "principal": NEW, "is_withdrawn": True})

    assert [visit.status for visit in (listed, vouched, made, withdrawn)] == [200] * 4
    (known,) = listed.json()
    assert (known["principal"], known["standing"], known["last_served_at_s"]) == (KNOWN, "newcomer", None)
    assert vouched.json() == {**known, "standing": "established", "is_vouched": True}
    assert (made.json()["principal"], made.json()["standing"]) == (NEW, "established")
    after = (await control.act({"act": "list_callers", "limit": 2})).json()
    assert {caller["principal"]: caller["is_vouched"] for caller in after} == {KNOWN: True, NEW: False}


@pytest.mark.parametrize(
    ("act", "status"),
    [
        ({}, 400),
        ({"act": "burn"}, 400),
        ({"act": "list_callers", "limit": 0}, 400),
        ({"act": "list_callers", "limit": 10_001}, 400),
        ({"act": "vouch_for_caller"}, 400),
        ({"act": "vouch_for_caller", "principal": "sk-secret"}, 400),
        ({"act": "vouch_for_caller", "principal": NEW}, 409),
        ({"act": "vouch_for_caller", "principal": NEW, "is_withdrawn": True, "may_be_new": True}, 409),
        ({"act": "list_callers", "because": "x" * 5000}, 413),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_cannot_be_done_is_told_from_what_was_said_wrong(
    control: Control, act: dict[str, Any], status: int
) -> None:
    visit = await control.act(act)

    assert visit.status == status
    assert visit.json()["error"]["message"]
    assert b"sk-secret" not in visit.body
    assert [caller["principal"] for caller in (await control.act({"act": "list_callers"})).json()] == [KNOWN]
