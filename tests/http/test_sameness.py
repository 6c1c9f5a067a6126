"""The operator reads in words whether answers are still the pinned model's, and can pin another."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.http.asgi import Visit
from tests.http.conftest import Service
from tidegate.core.identifiers import RequestId
from tidegate.core.models.pin import Part
from tidegate.core.models.sameness import Answering, Sameness
from tidegate.http.control import pin as pin_control
from tidegate.http.doors import open_door
from tidegate.http.exchange import Exchange
from tidegate.http.operator.routes import TABLE as OPERATOR_TABLE
from tidegate.http.operator.routes import OperatorRoom
from tidegate.http.operator.sameness import words_of
from tidegate.http.routes import bind, router
from tidegate.services.sameness import PinError, Pinned, SamenessReport

AT_S = 1_795_000_000.0  # 2026-11-18 11:06:40 UTC


def report(answering: Answering, *, part: Part | None = None, is_same_file: bool | None = True) -> SamenessReport:
    sameness = Sameness(answering=answering, since_s=AT_S, judged_at_s=AT_S, distance=0.5, part=part)
    return SamenessReport(model="tide-1", sameness=sameness, pinned_at_s=AT_S, is_same_file=is_same_file)


def served(table: Any, room: Any) -> Any:
    """The routes of a table alone, as they stand within the frame."""
    routes = router(bind(table, room, open_door))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        exchange = Exchange(id=RequestId.of(b"12345678"))
        await routes({**scope, "state": {"exchange": exchange}}, receive, send)

    return app


class Watcher:
    """Stands for the service in front of which the pages are: only its answers matter here."""

    def __init__(self, told: SamenessReport, fault: PinError | None = None) -> None:
        self.told, self.fault = told, fault

    def report(self) -> SamenessReport:
        return self.told

    async def pin(self) -> Pinned:
        if self.fault is not None:
            raise self.fault
        return Pinned(model="tide-1", pinned_at_s=AT_S)


def operator(service: Service, watcher: Any) -> Any:
    room = OperatorRoom(
        engine=service.engine,
        admission=service.admission,
        lifecycle=service.lifecycle,
        exposition=lambda: b"",
        sameness=watcher,
    )
    return served(OPERATOR_TABLE, room)


@pytest.mark.parametrize(
    ("part", "says"), [(Part.WEIGHTS, "another quantisation"), (Part.TEMPLATE, "look at the template"), (None, "")]
)
async def test_another_model_is_said_in_words_with_when_and_what_to_do(
    service: Service, part: Part | None, says: str
) -> None:
    watcher = Watcher(report(Answering.DIFFERENT, part=part, is_same_file=False))
    page = (await Visit(operator(service, watcher), "GET", "/").ask()).body.decode()

    assert "no longer those of the pinned model since <time" in page
    assert ">2026-11-18 11:06 UTC</time>" in page
    assert says in page
    assert "not the one that was pinned" in page
    assert "<pre>tidegate models pin</pre>" in page
    assert "<pre>tidegate models verify tide-1</pre>" in page
    assert 'class="verdict critical"' in page
    vitals = (await Visit(operator(service, watcher), "GET", "/api/vitals").ask()).json()
    assert vitals["model"]["sameness"]["answering"] == "different"


async def test_it_stays_ready(service: Service) -> None:
    """Another model is told and nobody is refused for it: to go on is a person's decision."""
    assert (await Visit(service.apps.public, "GET", "/readyz", headers={"host": "localhost"}).ask()).status == 200


@pytest.mark.parametrize("answering", Answering)
def test_every_state_has_a_sentence_of_its_own(answering: Answering) -> None:
    sentences = {words_of(report(one)).sentence for one in Answering}

    assert len(sentences) == len(Answering)
    assert "  " not in words_of(report(answering)).sentence


def test_looks_that_nobody_answered_make_no_word_of_today() -> None:
    """Silence must not read as an assurance."""
    silent = msgspec.structs.replace(report(Answering.SAME), unanswered=3)

    words = words_of(silent)
    assert words.indicator == "minor"
    assert words.more == ("The last 3 looks were not answered: whether this is still so is not known.",)
    assert words_of(msgspec.structs.replace(silent, unanswered=2)).indicator == "none"
    alarm = msgspec.structs.replace(report(Answering.DIFFERENT), unanswered=3)
    assert words_of(alarm).indicator == "critical"


async def test_where_nobody_looks_nothing_is_said(service: Service) -> None:
    page = (await Visit(operator(service, None), "GET", "/").ask()).body.decode()

    assert "model" not in page
    assert "/metrics" in page


async def _pin(watcher: Any) -> Visit:
    return await Visit(served(pin_control.TABLE, pin_control.PinRoom(watcher)), "POST", "/pin").ask()


async def test_the_operator_pins_what_answers_now() -> None:
    visit = await _pin(Watcher(report(Answering.SAME)))

    assert (visit.status, visit.json()) == (200, {"model": "tide-1", "pinned_at_s": AT_S})


@pytest.mark.parametrize(
    ("watcher", "sentence"),
    [
        (Watcher(report(Answering.UNKNOWN), PinError("the engine is not ready: try again")), "not ready"),
        (None, "engine.fingerprint_s"),
    ],
)
async def test_what_cannot_be_pinned_is_answered_with_a_sentence(watcher: Any, sentence: str) -> None:
    visit = await _pin(watcher)

    assert visit.status == 409
    assert sentence in visit.json()["error"]["message"]
