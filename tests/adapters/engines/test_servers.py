"""A server that closes its connection behind each answer costs no caller anything."""

from __future__ import annotations

import asyncio

import pytest

from tests.adapters.engines.behind import Behind, Line, cutting, listening, saying, stream
from tidegate.adapters.engines.hearing import FailedError, HearingPlan, answer
from tidegate.adapters.engines.servers import Server, ServerPlan
from tidegate.core.generation.call import Delta

PLAN = HearingPlan(first_s=5.0, silence_s=5.0)
WORD = stream(
    b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n',
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
)


def a_server(behind: Behind) -> Server:
    return Server(ServerPlan(url=behind.url, models=frozenset({"tide"})))


async def ask(server: Server) -> str:
    return "".join(
        [event.content async for event in answer(server, "/v1/completions", b"{}", PLAN) if isinstance(event, Delta)]
    )


async def test_calls_close_upon_one_another_are_answered_by_a_server_that_closes_without_a_word() -> None:
    """As llama.cpp does when a stream has ended, though it has said that it would stay."""
    behind = Behind(saying(WORD, ends=True))
    async with listening(behind):
        server = a_server(behind)
        assert [await ask(server) for _ in range(40)] == ["Hi"] * 40
        assert len(behind.asked) == 40, "each came once"
        await server.retire()


async def test_a_server_that_cuts_every_call_is_given_up() -> None:
    tries = 0

    async def cut(line: Line) -> None:
        nonlocal tries
        tries += 1
        await cutting(line)

    behind = Behind(cut)
    async with listening(behind):
        server = a_server(behind)
        with pytest.raises(FailedError):
            await ask(server)
        assert tries == 1, "a connection that was new was not idle"
        behind.behave = saying(WORD)
        assert await ask(server) == "Hi"
        behind.behave = cut
        with pytest.raises(FailedError):
            await ask(server)
        assert tries <= 6
        await server.retire()


async def test_a_server_can_be_given_up_in_the_moment_in_which_somebodys_own_time_is_up() -> None:
    server = Server(ServerPlan(url="http://127.0.0.1:1", models=frozenset()))

    async def wait(within_s: float) -> None:
        async with asyncio.timeout(within_s) as waiting:
            with server.first_word(waiting):
                await asyncio.Event().wait()

    waits = [asyncio.create_task(wait(0.0)), asyncio.create_task(wait(600.0))]
    await asyncio.sleep(0)  # Both wait.
    await asyncio.sleep(0)  # The first one's time is up, and it does not know yet.
    server.give_up()
    assert [type(one) for one in await asyncio.gather(*waits, return_exceptions=True)] == [TimeoutError] * 2
