"""Waiting is promised and told on a stream, silent and short elsewhere; what must make room ends with a clean error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.admitting import claim_of
from tests.http.asgi import Visit
from tests.http.conftest import CHAT, CHAT_PATH, Service
from tidegate.core.generation.call import Delta, Progress
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.ports.engine import EngineUnavailableError
from tidegate.services.admission import Patience
from tidegate.testing.clock import until
from tidegate.testing.engine import Hold, saying

both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def _stranger(service: Service) -> None:
    """From now on those who call are newcomers."""
    service.admission.claimant = lambda user: (Standing.NEWCOMER, user.id, 2)


@pytest.fixture
async def single() -> AsyncIterator[Service]:
    """A service with one place, and strangers who call."""
    made = await Service(slots=1, max_waiting=4).open()
    _stranger(made)
    yield made
    await made.finish_later()
    made.clerk.passwords.close()
    made.assert_all_free()


def is_over(visit: Visit) -> bool:
    """Whether the whole answer was given."""
    return visit.task is not None and visit.task.done()


class Sleep:
    """Time passes when a test lets it: then it has passed for everybody who sleeps."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._passed = asyncio.Event()
        service.admission._sleep = self

    async def __call__(self, seconds: float) -> None:
        await self._passed.wait()

    def pass_by(self, seconds: float) -> None:
        self._service.clock.advance(seconds)
        passed, self._passed = self._passed, asyncio.Event()
        passed.set()


async def test_who_waits_for_a_stream_is_told_where_it_stands_and_then_answered(service: Service) -> None:
    sleep, hold = Sleep(service), Hold()
    service.engine.script = [Delta(content="One"), hold, *saying("two")]
    running = [service.visit("POST", CHAT_PATH, CHAT).start() for _ in range(2)]
    await until(lambda: service.engine.running == 2)
    await hold.reached.wait()
    waiting = service.visit("POST", CHAT_PATH, {**CHAT, "stream": True}).start()
    await until(lambda: service.scheduler.waiting == 1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert waiting.sent == [], "a refusal must still be able to be one"

    sleep.pass_by(1.0)
    await until(lambda: waiting.body.count(b": waiting") == 1)
    told = waiting.body
    assert waiting.status == 200
    assert told.startswith(b": waiting position=1 eta_s=")
    for _ in range(5):
        for _ in range(20):
            await asyncio.sleep(0)
        sleep.pass_by(1.0)
    await until(lambda: waiting.body.count(b": waiting") >= 2)
    hold.let.set()

    await waiting.finish()
    assert [event["choices"][0]["delta"].get("content") for event in waiting.events()[:3]] == ["", "One", "two"]
    assert waiting.body.endswith(b"data: [DONE]\n\n")
    for visit in running:
        assert (await visit.finish()).status == 200


@both_ways
async def test_a_wait_ends_with_patience(service: Service, *, stream: bool) -> None:
    sleep, hold = Sleep(service), Hold()
    service.admission.patience = Patience(streamed_s=60.0, whole_s=20.0)
    service.engine.script = [Delta(content="One"), hold, *saying("two")]
    running = [service.visit("POST", CHAT_PATH, CHAT).start() for _ in range(2)]
    await until(lambda: service.engine.running == 2)
    waiting = service.visit("POST", CHAT_PATH, {**CHAT, "stream": stream}).start()
    await until(lambda: service.scheduler.waiting == 1)

    for _ in range(61 if stream else 20):
        for _ in range(20):
            await asyncio.sleep(0)
        sleep.pass_by(1.0 if stream else 20.0)
        if is_over(waiting):
            break

    await waiting.finish()
    error = waiting.events()[-1]["error"] if stream else waiting.error
    assert (waiting.status, error["code"]) == (200 if stream else 503, Reason.SERVER_IS_OVERLOADED)
    if stream:
        assert error["retry_after_s"] > 0
    else:
        assert int(waiting.headers["retry-after"]) >= 1
    line = service.finished()
    assert (line.reason, line.standing, line.service_s) == (Reason.SERVER_IS_OVERLOADED, Standing.ESTABLISHED, None)
    assert line.queue_s == (60.0 if stream else 20.0)
    hold.let.set()
    for visit in running:
        await visit.finish()


async def test_an_engine_that_refuses_after_a_promise_says_so_on_the_stream(service: Service) -> None:
    sleep, hold = Sleep(service), Hold()
    service.engine.script = [Delta(content="One"), hold, *saying("two")]
    running = [service.visit("POST", CHAT_PATH, CHAT).start() for _ in range(2)]
    await until(lambda: service.engine.running == 2)
    waiting = service.visit("POST", CHAT_PATH, {**CHAT, "stream": True}).start()
    await until(lambda: service.scheduler.waiting == 1)
    for _ in range(20):
        await asyncio.sleep(0)
    sleep.pass_by(1.0)
    await until(lambda: b": waiting" in waiting.body)

    service.engine.script = [EngineUnavailableError("restarting", 3.0)]
    hold.let.set()
    await waiting.finish()

    assert waiting.events()[-1]["error"]["code"] == Reason.ENGINE_UNAVAILABLE
    assert waiting.events()[-1]["error"]["retry_after_s"] == 3.0
    for visit in running:
        await visit.finish()


@both_ways
async def test_an_answer_that_must_make_room_ends_with_its_reason(service: Service, *, stream: bool) -> None:
    hold = Hold()
    _stranger(service)
    service.engine.script = [Delta(content="Half"), hold]
    visits = [service.visit("POST", CHAT_PATH, {**CHAT, "stream": stream}).start() for _ in range(2)]
    await until(lambda: service.engine.running == 2)
    await hold.reached.wait()

    known = service.admission.take(claim_of("ana"))
    await until(lambda: any(is_over(visit) for visit in visits))

    cut = next(visit for visit in visits if is_over(visit))
    error = cut.events()[-1]["error"] if stream else cut.error
    assert (cut.status, error["code"]) == (200 if stream else 503, Reason.INSUFFICIENT_SYSTEM_RESOURCE)
    assert cut.is_complete
    if stream:
        assert error["retry_after_s"] >= 1.0
        assert b"[DONE]" not in cut.body
    else:
        assert int(cut.headers["retry-after"]) >= 1
    assert len(error["message"]) > 20
    line = service.finished()
    assert (line.reason, line.standing, line.cost) == (
        Reason.INSUFFICIENT_SYSTEM_RESOURCE,
        Standing.NEWCOMER,
        service.admission.cost(0, 1),
    )
    service.admission.leave(known)
    for visit in visits:
        visit.leave()
        await visit.finish()


async def test_a_caller_that_takes_nothing_loses_its_place_all_the_same(single: Service) -> None:
    """The engine is freed while the server still tries to send: the place is for those who are known."""
    hold, blocked = Hold(), Hold()
    single.engine.script = [Delta(content="Half"), hold]
    visit = single.visit("POST", CHAT_PATH, {**CHAT, "stream": True})
    send = visit.send

    async def slow(message):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - as the server's
        await send(message)
        if b"Half" in message.get("body", b""):
            blocked.reached.set()
            await blocked.let.wait()

    visit.send = slow
    visit.start()
    await blocked.reached.wait()

    known = single.admission.take(claim_of("ana"))

    assert await single.admission.place(known) is not None
    assert (single.engine.running, visit.is_complete) == (0, False)
    blocked.let.set()
    await visit.finish()
    assert visit.events()[-1]["error"]["code"] == Reason.INSUFFICIENT_SYSTEM_RESOURCE
    single.admission.leave(known)


@both_ways
async def test_a_prompt_that_is_set_aside_is_answered_later_as_if_nothing_had_been(
    single: Service, *, stream: bool
) -> None:
    hold = Hold()
    single.engine.script = [Progress(1, 9, 0), hold, *saying("first try")]
    visit = single.visit("POST", CHAT_PATH, {**CHAT, "stream": stream}).start()
    await hold.reached.wait()
    known = single.admission.take(claim_of("ana"))
    await until(lambda: single.engine.running == 0)
    single.engine.script = saying("second", " try")

    single.admission.leave(known)
    await visit.finish()

    if stream:
        said = [one["choices"][0]["delta"].get("content") for one in visit.events()[:3]]
        assert said == ["", "second", " try"]
    else:
        assert visit.json()["choices"][0]["message"]["content"] == "second try"
    assert single.finished().reason is None
    assert len(single.engine.calls) == 2


async def test_one_stream_among_many_costs_what_was_said_of_it(service: Service) -> None:
    await service.chat()

    line = service.finished()

    assert (line.standing, line.cost) == (Standing.ESTABLISHED, service.admission.cost(5, 3))
