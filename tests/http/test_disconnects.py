"""Whoever leaves, in whatever phase, gives everything back; whoever waits is served then."""

from __future__ import annotations

import pytest
from starlette.types import Message

from tests.http.conftest import CHAT, CHAT_PATH, Service
from tidegate.core.generation.call import Delta, Progress
from tidegate.core.reasons import Reason
from tidegate.testing.clock import until
from tidegate.testing.engine import Hold, saying

both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def _assert_left(service: Service) -> None:
    finished = service.finished()
    assert (finished.status, finished.reason, finished.abandoned) == (499, Reason.CLIENT_LEFT, True)
    service.assert_all_free()


async def test_leaving_in_the_middle_of_the_body_costs_nothing(service: Service) -> None:
    visit = service.visit("POST", CHAT_PATH, b'{"model":', is_body_whole=False)
    visit.leave()

    await visit.ask()

    assert visit.status == 0
    assert service.engine.calls == []
    _assert_left(service)


@both_ways
async def test_leaving_the_queue_frees_its_place_in_line(service: Service, *, stream: bool) -> None:
    hold = Hold()
    service.engine.script = [hold, *saying("One")]
    running = [service.visit("POST", CHAT_PATH, CHAT).start() for _ in range(2)]
    await until(lambda: service.engine.running == 2)
    waiting = service.visit("POST", CHAT_PATH, {**CHAT, "stream": stream}).start()
    await until(lambda: service.scheduler.waiting == 1)

    waiting.leave()
    await waiting.finish()

    assert (waiting.status, waiting.sent) == (0, [])
    assert (service.scheduler.waiting, len(service.engine.calls)) == (0, 2)
    hold.let.set()
    for visit in running:
        assert (await visit.finish()).status == 200


@both_ways
async def test_leaving_while_the_prompt_is_read_frees_the_engine(service: Service, *, stream: bool) -> None:
    hold = Hold()
    service.engine.script = [hold, *saying("One")]
    visit = service.visit("POST", CHAT_PATH, {**CHAT, "stream": stream}).start()
    await hold.reached.wait()

    visit.leave()
    await visit.finish()

    assert (visit.status, visit.sent) == (0, [])
    _assert_left(service)


@both_ways
async def test_leaving_while_the_rest_of_the_prompt_is_read_frees_the_engine(service: Service, *, stream: bool) -> None:
    hold = Hold()
    service.engine.script = [Progress(1, 9, 0), hold, *saying("One")]
    visit = service.visit("POST", CHAT_PATH, {**CHAT, "stream": stream}).start()
    await hold.reached.wait()

    visit.leave()
    await visit.finish()

    _assert_left(service)


@both_ways
async def test_leaving_in_the_middle_of_the_answer_frees_the_engine(service: Service, *, stream: bool) -> None:
    hold = Hold()
    service.engine.script = [Delta(content="One"), hold, *saying("two")]
    visit = service.visit("POST", CHAT_PATH, {**CHAT, "stream": stream}).start()
    await hold.reached.wait()

    visit.leave()
    await visit.finish()

    assert visit.status == (200 if stream else 0)
    assert service.finished().out_tok == 1
    _assert_left(service)


async def test_who_waits_is_served_when_somebody_leaves(service: Service) -> None:
    hold = Hold()
    service.engine.script = [Delta(content="One"), hold, *saying("two")]
    running = [service.visit("POST", CHAT_PATH, CHAT).start() for _ in range(2)]
    await hold.reached.wait()
    await until(lambda: service.engine.running == 2)
    waiting = service.visit("POST", CHAT_PATH, CHAT).start()
    await until(lambda: service.scheduler.waiting == 1)

    running[0].leave()
    await running[0].finish()
    await until(lambda: len(service.engine.calls) == 3)
    hold.let.set()

    assert (await waiting.finish()).status == 200
    await running[1].finish()


@pytest.mark.parametrize("pieces_sent", [0, 1, 2, 3])
async def test_a_server_that_cannot_write_any_more_frees_the_engine(service: Service, pieces_sent: int) -> None:
    """Some servers raise from `send`, and they may do so at the status line, the first chunk or any other."""
    visit = service.visit("POST", CHAT_PATH, {**CHAT, "stream": True})
    send, messages = visit.send, []

    async def failing(message: Message) -> None:
        messages.append(message)
        if len(messages) > pieces_sent:
            raise OSError(32, "Broken pipe")
        await send(message)

    visit.send = failing
    await visit.ask()

    service.assert_all_free()


async def test_a_caller_who_leaves_while_the_first_chunk_is_written_frees_the_engine(service: Service) -> None:
    visit = service.visit("POST", CHAT_PATH, {**CHAT, "stream": True})
    send, blocked = visit.send, Hold()

    async def slow(message: Message) -> None:
        await send(message)
        if message.get("body"):
            blocked.reached.set()
            await blocked.let.wait()

    visit.send = slow
    visit.start()
    await blocked.reached.wait()

    visit.leave()
    await visit.finish()

    _assert_left(service)
