"""The operator reads in words whether answers are still the pinned model's, and can pin another."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.http.asgi import Visit
from tests.http.conftest import Service
from tidegate.core.identifiers import Replica, RequestId
from tidegate.core.models.pin import NotComparableReason, Part
from tidegate.core.models.sameness import Answering, Sameness
from tidegate.http.control import pin as pin_control
from tidegate.http.doors import open_door
from tidegate.http.exchange import Exchange
from tidegate.http.operator.routes import TABLE as OPERATOR_TABLE
from tidegate.http.operator.routes import OperatorRoom
from tidegate.http.operator.sameness import words_of, words_of_one
from tidegate.http.routes import bind, router
from tidegate.services.lookout import NotPinned, Pinnings
from tidegate.services.looks import PinError, Pinned, SamenessReport

AT_S = 1_795_000_000.0  # 2026-11-18 11:06:40 UTC


def report(answering: Answering, *, part: Part | None = None, is_same_file: bool | None = True) -> SamenessReport:
    sameness = Sameness(answering=answering, since_s=AT_S, judged_at_s=AT_S, distance=0.5, part=part)
    return SamenessReport(model="tide-1", sameness=sameness, pinned_at_s=AT_S, is_same_file=is_same_file)


HERE, THERE = Replica("127.0.0.1:8001"), Replica("10.0.0.5:8000")


def elsewhere(answering: Answering, replica: Replica = HERE, **more: Any) -> SamenessReport:
    told = report(answering, part=Part.TEMPLATE, is_same_file=None)
    return msgspec.structs.replace(told, replica=replica, **more)


def served(table: Any, room: Any) -> Any:
    """The routes of a table alone, as they stand within the frame."""
    routes = router(bind(table, room, open_door))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        exchange = Exchange(id=RequestId.of(b"12345678"))
        await routes({**scope, "state": {"exchange": exchange}}, receive, send)

    return app


class Watching:
    """Stands for the service in front of which the pages are: only its answers matter here."""

    def __init__(self, *told: SamenessReport, fault: PinError | None = None) -> None:
        self.told, self.fault = list(told), fault
        self.asked: list[str | None] = []

    def reports(self) -> list[SamenessReport]:
        return self.told

    async def pin(self, replica: str | None = None) -> Pinnings:
        self.asked.append(replica)
        if self.fault is not None:
            raise self.fault
        return Pinnings(
            pinned=[Pinned(model="tide-1", replica=HERE, pinned_at_s=AT_S)],
            not_pinned=[NotPinned(model="tide-1", replica=THERE, why="it is away")],
        )


def operator(service: Service, watching: Any) -> Any:
    room = OperatorRoom(
        engine=service.engine,
        admission=service.admission,
        lifecycle=service.lifecycle,
        exposition=lambda: b"",
        lookout=watching,
    )
    return served(OPERATOR_TABLE, room)


@pytest.mark.parametrize(
    ("part", "says"), [(Part.WEIGHTS, "another quantisation"), (Part.TEMPLATE, "look at the template"), (None, "")]
)
async def test_another_model_is_said_in_words_with_when_and_what_to_do(
    service: Service, part: Part | None, says: str
) -> None:
    watcher = Watching(report(Answering.DIFFERENT, part=part, is_same_file=False))
    page = (await Visit(operator(service, watcher), "GET", "/").ask()).body.decode()

    assert "no longer those of the pinned model since <time" in page
    assert ">2026-11-18 11:06 UTC</time>" in page
    assert says in page
    assert "not the one that was pinned" in page
    assert "<pre>tidegate models pin</pre>" in page
    assert "<pre>tidegate models verify tide-1</pre>" in page
    assert 'class="verdict critical"' in page
    vitals = (await Visit(operator(service, watcher), "GET", "/api/vitals").ask()).json()
    assert vitals["sameness"][0]["sameness"]["answering"] == "different"


async def test_it_stays_ready(service: Service) -> None:
    """Another model is told and nobody is refused for it: to go on is a person's decision."""
    assert (await Visit(service.apps.public, "GET", "/readyz", headers={"host": "localhost"}).ask()).status == 200


@pytest.mark.parametrize("answering", Answering)
def test_every_state_has_a_sentence_of_its_own(answering: Answering) -> None:
    sentences = {words_of_one(report(one)).sentence for one in Answering}

    assert len(sentences) == len(Answering)
    assert "  " not in words_of_one(report(answering)).sentence


def test_looks_that_nobody_answered_make_no_word_of_today() -> None:
    """Silence must not read as an assurance."""
    silent = msgspec.structs.replace(report(Answering.SAME), unanswered=3)

    words = words_of_one(silent)
    assert words.indicator == "minor"
    assert words.more == ("The last 3 looks were not answered: whether this is still so is not known.",)
    assert words_of_one(msgspec.structs.replace(silent, unanswered=2)).indicator == "none"
    alarm = msgspec.structs.replace(report(Answering.DIFFERENT), unanswered=3)
    assert words_of_one(alarm).indicator == "critical"


async def test_where_nobody_looks_nothing_is_said(service: Service) -> None:
    page = (await Visit(operator(service, None), "GET", "/").ask()).body.decode()

    assert "model" not in page
    assert "/metrics" in page


# ---------------------------------------------------------------- one of several


async def test_of_several_engines_the_one_that_is_another_is_named_first_with_what_to_do(service: Service) -> None:
    watching = Watching(elsewhere(Answering.SAME), elsewhere(Answering.DIFFERENT, THERE))
    page = (await Visit(operator(service, watching), "GET", "/").ask()).body.decode()

    assert "The models</h2>" in page
    assert "tide-1 at 10.0.0.5:8000: answers are no longer those of the pinned model since <time" in page
    assert "<pre>tidegate models pin --engine 10.0.0.5:8000</pre>" in page
    assert "<pre>tidegate policy reload</pre>" in page
    assert "tide-1 at 127.0.0.1:8001: answers are those of the model as it was pinned: <time" in page
    assert page.index("10.0.0.5:8000: answers") < page.index("127.0.0.1:8001: answers")


def test_an_engine_that_never_was_like_the_others_is_told_from_one_that_changed() -> None:
    words = words_of_one(elsewhere(Answering.DIFFERENT, pinned_at_s=None))

    assert "are not those of this model's other engines" in words.sentence
    assert words.steps[0][0].startswith("If it is right as it is, of another make or quantisation")


@pytest.mark.parametrize(
    ("why", "says"),
    [(NotComparableReason.NO_LOGPROBS, "no log-probabilities"), (NotComparableReason.UNSTEADY, "not answer the same")],
)
def test_an_engine_that_cannot_be_looked_at_is_said_to_be_and_is_no_alarm(why: NotComparableReason, says: str) -> None:
    told = elsewhere(Answering.NOT_COMPARABLE)
    words = words_of_one(msgspec.structs.replace(told, sameness=msgspec.structs.replace(told.sameness, why=why)))

    assert "cannot be looked at" in words.sentence
    assert says in words.sentence
    assert words.indicator == "none"


def test_what_nobody_has_used_yet_says_that_it_is_looked_at_then() -> None:
    assert words_of_one(elsewhere(Answering.UNKNOWN, on_use=True)).more == ("It is looked at only while it is used.",)
    assert words_of_one(elsewhere(Answering.UNKNOWN)).more == ()


def test_of_very_many_engines_only_those_that_are_not_well_are_named() -> None:
    many = [elsewhere(Answering.SAME, Replica(f"10.0.0.{number}:8000")) for number in range(30)]
    many[7] = elsewhere(Answering.DRIFTED, THERE)

    words = words_of(many)
    assert [one.indicator for one in words] == ["minor", "none"]
    assert "10.0.0.5" in words[0].sentence
    assert words[1].sentence.startswith("29 more")


# ---------------------------------------------------------------- the command line's way in


async def _pin(watching: Any, method: str = "POST", body: bytes = b"") -> Visit:
    return await Visit(served(pin_control.TABLE, pin_control.PinRoom(watching)), method, "/pin", body=body).ask()


async def test_the_operator_pins_what_answers_now() -> None:
    watching = Watching(report(Answering.SAME))
    visit = await _pin(watching)

    assert visit.status == 200
    assert visit.json()["pinned"] == [{"model": "tide-1", "replica": HERE, "pinned_at_s": AT_S}]
    assert visit.json()["not_pinned"] == [{"model": "tide-1", "replica": THERE, "why": "it is away"}]
    await _pin(watching, body=b'{"engine":"127.0.0.1:8001"}')
    assert watching.asked == [None, HERE]


async def test_the_command_line_is_told_the_same_words_as_the_page() -> None:
    visit = await _pin(Watching(elsewhere(Answering.DIFFERENT)), "GET")

    (one,) = visit.json()
    assert one["report"]["replica"] == HERE
    assert one["words"]["sentence"].startswith("tide-1 at 127.0.0.1:8001: answers are no longer")


@pytest.mark.parametrize(
    ("watching", "sentence"),
    [(Watching(fault=PinError("the engine is not ready: try again")), "not ready"), (None, "engine.fingerprint_s")],
)
async def test_what_cannot_be_pinned_is_answered_with_a_sentence(watching: Any, sentence: str) -> None:
    visit = await _pin(watching)

    assert visit.status == 409
    assert sentence in visit.json()["error"]["message"]


async def test_where_nobody_looks_there_is_nothing_to_show() -> None:
    visit = await _pin(None, "GET")

    assert visit.status == 409
    assert "engine.fingerprint_s" in visit.json()["error"]["message"]
