"""Several servers as one: who is asked, who is asked instead, and that nothing of it is left when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.adapters.engines.behind import (
    DONE,
    EVENTS,
    PATIENT,
    QUICK,
    WHOLE,
    WORD,
    Behaviour,
    Behind,
    Gate,
    Line,
    answer,
    chunk,
    cutting,
    gate,
    listening,
    saying,
    stream,
)
from tidegate.adapters.engines.upstream import UpstreamPlan
from tidegate.core.capacity.pool import MemberState, Telemetry
from tidegate.core.generation.call import Usage
from tidegate.ports.engine import EngineUnavailableError
from tidegate.ports.upstream import UnknownModelError, UpstreamBrokeError, UpstreamBusyError, UpstreamFailedError
from tidegate.testing.clock import until

GOOD = stream(WORD, WORD, DONE)
PAGE = answer(b"<html>It works!</html>", "text/html")


@contextlib.asynccontextmanager
async def two(first: Behaviour, plan: UpstreamPlan = PATIENT) -> AsyncIterator[tuple[Gate, Behind, Behind]]:
    """A gate before a server that behaves like this, asked first, and one that is well."""
    one, other = Behind(first), Behind(saying(GOOD))
    async with listening(one, other), gate(one, other, plan=plan) as between:
        yield between, one, other
        # What is idle may stay open; what was not read to its end may not.
        await until(lambda: one.open <= 1 and other.open <= 1, 0.01)


async def test_a_stream_is_passed_on_as_it_is_and_counted() -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'
    behind = Behind(saying(stream(WORD[:9], WORD[9:] + WORD, usage + DONE)))
    async with listening(behind), gate(behind) as between:
        whole = await between.ask()
        assert whole.data == WORD + WORD + usage + DONE
        assert (whole.head.status, whole.head.attempts, whole.head.replica) == (200, 1, between.names[0])
        assert whole.usage == Usage(prompt_tokens=5, completion_tokens=2)
        assert (await between.ask(hides_usage=True)).data == WORD + WORD + DONE
        assert between.state() is MemberState.UP
        assert behind.open == 1, "the connection is used again"


@pytest.mark.parametrize("is_stream", [True, False])
async def test_an_answer_in_one_piece_is_passed_on_as_it_is(*, is_stream: bool) -> None:
    behind = Behind(saying(answer()))
    async with listening(behind), gate(behind) as between:
        whole = await between.ask(is_stream=is_stream)
    assert (whole.data, whole.usage) == (WHOLE, Usage(prompt_tokens=5, completion_tokens=2))


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "404 Not Found", "422 No", "302 Found"])
async def test_what_a_server_says_no_to_is_its_answer_and_no_fault_of_it(status: str) -> None:
    said = answer(b'{"error":{"message":"no"}}', status=status)
    async with two(saying(said)) as (between, one, other):
        for _ in range(8):
            await between.ask(is_stream=False)
        assert len(one.asked) >= 4
        assert len(one.asked) + len(other.asked) == 8, "nobody was asked twice"
        assert between.state(0) is MemberState.UP


async def test_an_answer_without_a_body_is_one() -> None:
    behind = Behind(saying(b"HTTP/1.1 204 No Content\r\n\r\n"))
    async with listening(behind), gate(behind) as between:
        whole = await between.ask(is_stream=False)
        assert (whole.head.status, whole.data) == (204, b"")


FAULTS: dict[str, Behaviour] = {
    "closes": cutting,
    "half a head": saying(b"HTTP/1.1 200 O", ends=True),
    "garbage": saying(b"SSH-2.0-OpenSSH\r\n\r\n", ends=True),
    "a page": saying(PAGE),
    "a page in a stream's place": saying(answer(b"<html>", "text/event-stream")),
    "no type": saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK"),
    "not JSON": saying(answer(b'{"choices": [')),
    "nothing at all": saying(answer(b"")),
    "an empty stream": saying(answer(b"", "text/event-stream")),
    "half an answer": saying(answer()[:-9], ends=True),
    "a stream cut before its first event": saying(EVENTS, ends=True),
    "a huge header": saying(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", ends=True),
    "502": saying(answer(b"{}", status="502 Bad Gateway")),
    "503": saying(answer(b"{}", status="503 Unavailable", more="retry-after: 9\r\n")),
    "504": saying(answer(b"{}", status="504 Timeout")),
    "429": saying(answer(b"{}", status="429 Too Many")),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_while_nothing_was_passed_on_another_server_answers_instead(fault: str) -> None:
    async with two(FAULTS[fault]) as (between, one, other):
        whole = await between.ask()
        assert whole.data == WORD + WORD + DONE
        assert (whole.head.attempts, whole.head.replica) == (2, between.names[1])
        assert (len(one.asked), len(other.asked)) == (1, 1)


@pytest.mark.parametrize("begun", [b"", EVENTS, EVENTS + chunk(WORD[:9]), b"HTTP/1.1 200 OK\r\n"], ids=len)
async def test_a_frozen_server_is_given_up_and_another_answers(begun: bytes) -> None:
    async with two(cutting, plan=QUICK) as (between, one, _):
        one.behave = lambda line: one.frozen(line, begun)
        whole = await between.ask()
        assert whole.head.attempts == 2
        await asyncio.wait_for(one.left.wait(), 5)


async def test_a_server_that_is_not_there_is_no_loss_and_is_soon_not_asked_any_more() -> None:
    gone, other = Behind(cutting), Behind(saying(GOOD))
    async with listening(gone):
        pass
    async with listening(other), gate(gone, other) as between:
        attempts = [(await between.ask()).head.attempts for _ in range(10)]
        assert attempts.count(2) == 3
        assert between.state(0) is MemberState.BROKEN
        assert between.engines.places("") == 64


@pytest.mark.parametrize("fault", [name for name in FAULTS if not name.isdigit()])
async def test_when_no_server_answers_it_is_said_once_each_was_asked(fault: str) -> None:
    one, other = Behind(FAULTS[fault]), Behind(FAULTS[fault])
    async with listening(one, other), gate(one, other) as between:
        with pytest.raises(UpstreamFailedError) as caught:
            await between.ask()
        assert caught.value.retry_after_s >= 1.0
        assert (len(one.asked), len(other.asked)) == (1, 1)
        await until(lambda: one.open <= 1 and other.open <= 1, 0.01)


@pytest.mark.parametrize("status", ["429 Too Many", "503 Unavailable", "500 Oops"])
async def test_what_the_last_server_says_is_passed_on_when_there_is_no_other(status: str) -> None:
    said = saying(answer(b'{"error":"later"}', status=status, more="retry-after: 9\r\n"))
    one, other = Behind(said), Behind(said)
    async with listening(one, other), gate(one, other) as between:
        whole = await between.ask()
        assert whole.head.status == int(status[:3])
        assert whole.data == b'{"error":"later"}'
        assert (b"retry-after", b"9") in whole.head.headers
        assert whole.head.attempts == (1 if status.startswith("500") else 2)


@pytest.mark.parametrize("fault", ["cut", "frozen", "garbage", "an endless event"])
async def test_once_a_byte_was_passed_on_nobody_else_is_asked(fault: str) -> None:
    then = {"cut": b"", "garbage": b"zz\r\n", "an endless event": chunk(b"data: " * 200_000)}
    is_heard, heard = asyncio.Event(), b""

    async def breaking(line: Line) -> None:
        await line.write(EVENTS + chunk(WORD))
        await is_heard.wait()
        if fault == "frozen":
            await line.gone()
        await line.write(then[fault])
        line.cut()

    async with two(breaking, plan=QUICK if fault == "frozen" else PATIENT) as (between, one, other):
        pieces = between.pieces()
        while heard != WORD:
            heard += (await anext(pieces)).data
        is_heard.set()
        with pytest.raises(UpstreamBrokeError):
            await anext(pieces)
        assert (len(one.asked), len(other.asked)) == (1, 0)
        await until(lambda: one.open == 0, 0.01)


async def test_a_server_that_cuts_every_answer_in_the_middle_is_left_alone_after_a_few() -> None:
    async with two(saying(EVENTS + chunk(WORD), ends=True)) as (between, one, _):
        broken = 0
        for _ in range(20):
            try:
                await between.ask()
            except UpstreamBrokeError:
                broken += 1
        assert broken == len(one.asked) <= 4
        assert between.state(0) is MemberState.BROKEN


async def test_whoever_asks_for_what_a_server_fails_at_breaks_it_for_nobody() -> None:
    """One that answers everybody else is up, and the only one there is stays it in any case."""

    async def poisoned(line: Line) -> None:
        await line.write(answer(b"{}", status="500 Oops") if b"poison" in line.asked.body else GOOD)

    only = Behind(poisoned)
    async with listening(only), gate(only) as between:
        for _ in range(20):
            assert (await between.ask(body=b"poison")).head.status == 500
        assert between.state() is not MemberState.BROKEN
        assert (await between.ask()).head.status == 200


async def test_whose_requests_every_server_fails_at_has_none_of_them_left_alone_under_whatever_names() -> None:
    """Nobody else asks meanwhile, so no answer says that the servers are well."""
    servers = [Behind(saying(answer(b"{}", status="500 Oops"))) for _ in range(3)]
    async with listening(*servers), gate(*servers) as between:
        for _ in range(24):
            assert (await between.ask("net:a")).head.status == 500
            assert all(between.state(number) is not MemberState.BROKEN for number in range(3))
        for number in range(9):
            await between.ask(f"usr{number}")
        assert sum(between.state(number) is MemberState.BROKEN for number in range(3)) == 2, "all of them say so"


async def test_a_connection_that_was_closed_while_idle_costs_nobody_an_answer() -> None:
    only = Behind(saying(GOOD))
    async with listening(only), gate(only) as between:
        await between.ask()

        async def once(line: Line) -> None:
            only.behave = saying(GOOD)
            line.cut()

        only.behave = once
        whole = await between.ask()
        assert (whole.head.status, whole.head.attempts) == (200, 2)
        only.behave = cutting
        with pytest.raises(UpstreamFailedError):
            await between.ask()
        assert len(only.asked) == 5, "once more, and not for ever"


async def test_an_answer_compressed_against_our_wish_goes_on_as_it_came() -> None:
    packed = gzip.compress(WHOLE)
    behind = Behind(saying(answer(packed, more="content-encoding: gzip\r\n")))
    async with listening(behind), gate(behind) as between:
        whole = await between.ask(is_stream=False)
    assert (whole.data, whole.usage) == (packed, None)


@pytest.mark.parametrize("kind", ["audio/mpeg", "text/plain; charset=utf-8", "text/vtt", "application/octet-stream"])
async def test_sounds_and_their_texts_are_answers(kind: str) -> None:
    behind = Behind(saying(answer(b"\x00Hello", kind)))
    async with listening(behind), gate(behind) as between:
        assert (await between.ask(is_stream=False)).data == b"\x00Hello"


async def test_what_is_no_request_for_an_answer_may_be_a_page() -> None:
    behind = Behind(saying(PAGE))
    async with listening(behind), gate(behind) as between:
        whole = await between.ask(method="GET", target="/docs", body=b"", is_stream=False, is_answer=False)
    assert whole.data == b"<html>It works!</html>"


async def test_an_answer_larger_than_is_looked_through_is_passed_on_whole() -> None:
    large = b'{"data":"' + b"x" * (9 << 20) + b'"}'
    behind = Behind(saying(answer(large)))
    async with listening(behind), gate(behind, plan=PATIENT) as between:
        assert (await between.ask(is_stream=False)).data == large


async def test_an_answer_in_one_piece_that_drips_is_given_up_in_time() -> None:
    async def dripping(line: Line) -> None:
        await line.write(answer(b"x" * 1000)[:-1000])
        while True:
            await line.write(b"x")
            await asyncio.sleep(0.02)

    behind = Behind(dripping)
    async with listening(behind), gate(behind, plan=QUICK) as between:
        began = time.monotonic()
        with pytest.raises(UpstreamFailedError):
            await between.ask(is_stream=False)
        assert time.monotonic() - began < PATIENT.whole_s


@pytest.mark.parametrize("phase", ["before the head", "after the head", "in the middle", "in one piece"])
async def test_a_caller_that_leaves_frees_the_server_at_once(phase: str) -> None:
    begun = {"before the head": b"", "after the head": EVENTS, "in the middle": EVENTS + chunk(WORD)}
    behind = Behind(cutting)
    behind.behave = lambda line: behind.frozen(line, begun.get(phase, b""))
    async with listening(behind), gate(behind, plan=PATIENT) as asked:
        asking = asyncio.create_task(asked.ask(is_stream=phase != "in one piece"))
        await asyncio.wait_for(behind.begun.wait(), 5)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert asked.outstanding == 0
        assert asked.state() is not MemberState.BROKEN
        assert asked.engines.report()[0].failures == 0, "it is not to blame"
        await asyncio.wait_for(behind.left.wait(), 5)
        await until(lambda: behind.open == 0, 0.01)


async def test_no_more_is_asked_of_servers_than_they_have_places_and_one_more_waits_for_one() -> None:
    behind = Behind(cutting)
    behind.behave = behind.frozen
    async with listening(behind), gate(behind, plan=PATIENT) as between:
        places = between.engines.places("")
        asking = [asyncio.create_task(between.ask()) for _ in range(places + 1)]
        await until(lambda: len(behind.asked) == places, 0.01)
        assert between.outstanding == places
        asking[0].cancel()
        await until(lambda: len(behind.asked) == places + 1, 0.01)
        assert between.outstanding == places
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def test_who_finds_no_place_for_too_long_is_told_that_there_is_none() -> None:
    behind = Behind(cutting)
    behind.behave = behind.frozen
    plan = msgspec.structs.replace(PATIENT, first_s=0.2)
    async with listening(behind), gate(behind, plan=plan) as between:
        between.pool.told(between.names[0], Telemetry(running=1, places=1), time.monotonic())
        whole = asyncio.create_task(between.ask(is_stream=False))
        await until(lambda: between.outstanding == 1, 0.01)
        with pytest.raises(UpstreamBusyError):
            await between.ask()
        whole.cancel()
        await asyncio.gather(whole, return_exceptions=True)


async def test_servers_are_probed_and_those_that_come_back_are_asked_again() -> None:
    behind = Behind(saying(GOOD))
    async with listening(behind), gate(behind) as between:
        looking = asyncio.create_task(between.probing.look_after())
        try:
            await until(lambda: between.state() is MemberState.UP, 0.01)
            assert between.engines.places("") == 64
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
    async with gate(behind) as between:
        looking = asyncio.create_task(between.probing.look_after())
        try:
            await until(lambda: between.state() is MemberState.BROKEN, 0.01)
            assert between.engines.places("") == 0
            async with listening(behind):
                await until(lambda: between.state() is MemberState.UP, 0.01)
                assert (await between.ask()).head.status == 200
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


async def test_a_server_that_says_it_is_broken_when_probed_is() -> None:
    behind = Behind(saying(GOOD))
    behind.probe = saying(answer(b"{}", status="500 Oops"))
    async with listening(behind), gate(behind) as between:
        looking = asyncio.create_task(between.probing.look_after())
        try:
            await until(lambda: between.state() is MemberState.BROKEN, 0.01)
            with pytest.raises(EngineUnavailableError, match="no server answers"):
                await between.ask()
            assert between.probing.causes == {between.names[0]: "status 500 at /v1/models"}
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


@pytest.mark.parametrize(
    ("status", "key", "why"),
    [
        ("401 No", None, ""),
        ("401 No", "own", "refuses the gate's key"),
        ("404 No", None, "status 404 at /v1/models"),
        ("405 No", None, ""),
        ("200 OK", None, ""),
    ],
)
async def test_what_lists_no_models_is_no_server_of_models_unless_it_only_wants_a_callers_key(
    status: str, key: str | None, why: str
) -> None:
    behind = Behind(saying(GOOD))
    behind.probe = saying(answer(b"{}", status=status))
    async with listening(behind), gate(behind, key=key) as between:
        looking = asyncio.create_task(between.probing.look_after())
        await until(lambda: between.probing.causes == {between.names[0]: why}, 0.01)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def test_a_page_is_no_list_of_models() -> None:
    behind = Behind(saying(GOOD))
    behind.probe = saying(answer(b"<html>welcome</html>", kind="text/html"))
    async with listening(behind), gate(behind) as between:
        looking = asyncio.create_task(between.probing.look_after())
        why = "something that is no list of models at /v1/models"
        await until(lambda: between.probing.causes == {between.names[0]: why}, 0.01)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def test_a_model_that_no_server_has_is_said_to_be_unknown_and_nobody_is_asked() -> None:
    behind = Behind(saying(GOOD))
    async with listening(behind), gate(behind, models=frozenset({"here"})) as between:
        with pytest.raises(UnknownModelError, match="elsewhere"):
            await between.ask(model="elsewhere")
        assert (await between.ask(model="here")).head.status == 200
    assert len(behind.asked) == 1


async def test_the_mark_at_a_streams_end_is_the_last_piece_whatever_comes_behind_it() -> None:
    """Callers leave there: what is told later would look as if they had left in the middle."""
    held = asyncio.Event()

    async def lingering(line: Line) -> None:
        await line.write(EVENTS + chunk(WORD) + chunk(b"data: [DONE]\n\n"))
        await held.wait()

    behind = Behind(lingering)
    async with listening(behind), gate(behind, plan=PATIENT) as between:
        whole = await asyncio.wait_for(between.ask(), 5)
        assert whole.data.endswith(b"data: [DONE]\n\n")
        held.set()


async def test_who_waits_for_a_whole_answer_of_a_server_that_answers_no_probe_is_answered_by_another() -> None:
    async with two(cutting, plan=PATIENT) as (between, one, other):
        one.behave = one.frozen
        other.behave = saying(answer())
        asking = asyncio.create_task(between.ask(is_stream=False))
        await asyncio.wait_for(one.begun.wait(), 5)
        for _ in range(3):
            between.pool.probed(between.names[0], is_well=False, now=time.monotonic())
        looking = asyncio.create_task(between.probing.look_after())
        whole = await asyncio.wait_for(asking, 5)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        assert (whole.data, whole.head.attempts) == (WHOLE, 2)
        await asyncio.wait_for(one.left.wait(), 5)


async def test_a_server_that_closes_every_connection_after_all_is_broken() -> None:
    async with two(saying(GOOD)) as (between, one, _):
        while not one.asked:
            await between.ask()
        one.behave = cutting
        async with asyncio.timeout(10):
            while between.state(0) is not MemberState.BROKEN:
                assert (await between.ask()).head.status == 200
