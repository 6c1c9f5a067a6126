"""Single measurements of a real engine, asked as callers ask it: gaps between tokens, time to the first one.

On a shared machine a core's speed changes by half within seconds. So the engine's core is measured before and after
each probe, times are told as of one speed, and a probe during which the speed changed does not count.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

import msgspec

from tidegate.lab.acts import Chat
from tidegate.lab.live import processes
from tidegate.lab.live.heard import Heard
from tidegate.lab.live.lines import Lines, Request
from tidegate.lab.live.prompts import Prompts
from tidegate.lab.live.questions import chat_request
from tidegate.lab.live.service import LiveError

STEADY: Final = 0.12
"""So much of its speed may a core change within a probe."""
OWN_SHARE: Final = 0.85
"""The part of its core that the engine must have had in a probe, through all of which it has work."""
LIMIT_S: Final = 60.0
_LEAST_GAPS: Final = 8
_CUT_AFTER_S: Final = 0.5
_LOOK_EVERY_S: Final = 0.005


_Moment = tuple[float, float, float, float, float]


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What a measurement came to, in seconds as measured, and how fast the core was (additions a second)."""

    speed: float
    is_steady: bool
    share: float = 0.0
    gap_s: float = 0.0
    spread: float = 0.0
    first_s: float = 0.0
    tokens: int = 0
    bytes_per_token: float = 0.0

    def at(self, seconds: float, speed: float) -> float:
        """A time of this probe, as it would be on a core of that speed, and of the engine's own.

        Where others had a part of the core, only the engine's part of the time counts: that is the best that is known.
        """
        own = self.share if 0.0 < self.share < OWN_SHARE else 1.0
        return seconds * own * self.speed / speed


class Prober:
    """Asks one service, each caller from an address of their own."""

    def __init__(
        self, lines: Lines, model: str, key: str, prompts: Prompts, core: int | None, engine: int | None
    ) -> None:
        """`core` is that of the `engine`, which is a process: None where it is not pinned, or not ours."""
        self._lines = lines
        self._model = model
        self._key = key
        self._prompts = prompts
        self._core = core
        self._engine = engine
        self.known_tokens = prompts.around

    async def write(self, at_once: int, tokens: int, prompt_tokens: int) -> Probe:
        """The gap while so many answers are written, and nobody reads a prompt."""
        before = await self._speed()
        heard = await asyncio.gather(*(self.ask(prompt_tokens, tokens, number) for number in range(at_once)))
        after = await self._speed()
        gaps = gaps_together(heard)
        if len(gaps) < _LEAST_GAPS:
            return Probe(speed=before[0], is_steady=False)
        mean_s = statistics.fmean(gaps)
        return self._probe(before, after, gap_s=mean_s, spread=statistics.pstdev(gaps) / mean_s)

    async def beside(self, writing: int, tokens: int, prompt_tokens: int) -> Probe:
        """The gap of so many answers while a prompt is read beside them."""
        before = await self._speed()
        first: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        writers = [
            Request(self._content(40, tokens), self._source(one), _unheard, LIMIT_S, LIMIT_S) for one in range(writing)
        ]
        heard = [self._lines.ask(writer) for writer in writers]
        while not all(one.arrived for one in heard):  # noqa: ASYNC110 - all must write before anybody reads
            await asyncio.sleep(_LOOK_EVERY_S)
        asked_at = monotonic()
        self._lines.ask(
            Request(self._content(prompt_tokens, 2), self._source(writing), first.set_result, LIMIT_S, LIMIT_S)
        )
        read = await first
        for writer in writers:
            self._lines.cut(writer)
        after = await self._speed()
        until = read.arrived[0] if read.arrived else asked_at
        gaps = [
            later - sooner
            for one in heard
            for sooner, later in itertools.pairwise(one.arrived)
            if sooner >= asked_at and later <= until
        ]
        if len(gaps) < _LEAST_GAPS:
            return Probe(speed=before[0], is_steady=False)
        return self._probe(before, after, gap_s=statistics.median(gaps))

    async def read(self, prompt_tokens: int) -> Probe:
        """When a prompt that is alone has its first token."""
        before = await self._speed()
        heard = await self.ask(prompt_tokens, 4, 0)
        after = await self._speed()
        usage, first_s = heard.usage, heard.first_s
        assert usage is not None
        assert first_s is not None
        return self._probe(before, after, first_s=first_s, tokens=usage.prompt_tokens - usage.cached_tokens)

    async def follow(self, prompt_tokens: int, *, is_cut: bool) -> Probe:
        """Where there is one place: from the end of an answer, or from a cut, to the first token of who waits."""
        before = await self._speed()
        first: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        begun = Request(self._content(60, 400 if is_cut else 24), self._source(0), first.set_result, LIMIT_S, LIMIT_S)
        heard = self._lines.ask(begun)
        while not heard.arrived and not first.done():  # noqa: ASYNC110 - who waits must not be there first
            await asyncio.sleep(_LOOK_EVERY_S)
        waits = asyncio.create_task(self.ask(prompt_tokens, 4, 1))
        if is_cut:
            await asyncio.sleep(_CUT_AFTER_S)
            self._lines.cut(begun)
        freed_at = (await first).ended_at
        heard = await waits
        after = await self._speed()
        usage = heard.usage
        assert usage is not None
        assert heard.arrived
        tokens = usage.prompt_tokens - usage.cached_tokens
        return self._probe(before, after, first_s=heard.arrived[0] - freed_at, tokens=tokens)

    async def ask(self, prompt_tokens: int, answer_tokens: int, number: int) -> Heard:
        """One answer, whole. Raises LiveError for what is none."""
        return await self._answer(self._content(prompt_tokens, answer_tokens), number)

    async def _answer(self, content: bytes, number: int) -> Heard:
        over: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        self._lines.ask(Request(content, self._source(number), over.set_result, LIMIT_S, LIMIT_S))
        heard = await over
        if heard.usage is None or not heard.arrived:
            msg = f"a question was answered with {heard.status} {heard.reason}"
            raise LiveError(msg)
        return heard

    async def look_at_prefix(self) -> tuple[float, bool, int]:
        """Bytes of a prompt for each of its tokens; whether a conversation's beginning is known when it goes on.

        And how many tokens of another question of the same caller's are.
        """
        words = self._prompts.text(Chat(prompt_tokens=200, answer_tokens=8))
        messages = [{"role": "user", "content": words}]
        first = await self._told(messages)
        more = [*messages, {"role": "assistant", "content": "".join(first.text)}, {"role": "user", "content": "tide"}]
        second = await self._told(more)
        assert first.usage is not None
        assert second.usage is not None
        other = self._prompts.text(Chat(prompt_tokens=60, answer_tokens=8))
        third = await self._told([{"role": "user", "content": other}])
        assert third.usage is not None
        return (
            len(words.encode()) / first.usage.prompt_tokens,
            second.usage.cached_tokens > 0,
            third.usage.cached_tokens,
        )

    async def _told(self, messages: list[dict[str, Any]]) -> Heard:
        chat = Chat(prompt_tokens=1, answer_tokens=8)
        return await self._answer(chat_request(self._model, chat, messages, self._key, "lab"), 0)

    def _content(self, prompt_tokens: int, answer_tokens: int) -> bytes:
        chat = Chat(prompt_tokens=prompt_tokens, answer_tokens=answer_tokens)
        messages = [{"role": "user", "content": self._prompts.text(chat)}]
        return chat_request(self._model, chat, messages, self._key, "lab")

    def _source(self, number: int) -> str:
        return f"127.1.{number}.9"

    def _probe(self, before: _Moment, after: _Moment, **measured: float) -> Probe:
        speed = (before[0] + after[0]) / 2.0
        share = 1.0 if self._engine is None else (after[1] - before[2]) / max(1e-9, after[3] - before[4])
        is_steady = abs(before[0] - after[0]) <= STEADY * speed and share >= OWN_SHARE
        return msgspec.convert({"speed": speed, "is_steady": is_steady, "share": share, **measured}, Probe)

    async def _speed(self) -> _Moment:
        """How fast the core is, and what the engine had used, and when, before and after it was looked at."""
        used_s, at = self._used_s(), monotonic()
        speed = await asyncio.to_thread(processes.speed_of_core, self._core)
        return speed, used_s, self._used_s(), at, monotonic()

    def _used_s(self) -> float:
        return 0.0 if self._engine is None else processes.cpu_s(self._engine)


def _unheard(heard: Heard) -> None:
    """Nobody waits for the end of an answer that is cut."""


def gaps_together(heard: Sequence[Heard]) -> list[float]:
    """The gaps while all of these answers were being written: after the last one began, before the first one ended."""
    since, until = max(one.arrived[0] for one in heard), min(one.arrived[-1] for one in heard)
    return [
        after - before
        for one in heard
        for before, after in zip(one.arrived, one.arrived[1:], strict=False)
        if before >= since and after <= until
    ]
