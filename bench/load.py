"""People who ask at their own times, whatever becomes of what they asked before, and how well they were served."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time
from collections.abc import Sequence

import aiohttp
import msgspec
from service import MODEL

FIRST_S = 2.0
GAP_S = 0.2
STALL_S = 1.0
LEAVES_AFTER_S = 10.0  # Without a word of the answer; from then on it is only wasted work.
GIVES_UP_AFTER_S = 30.0
LAST = "2"  # SmolLM2's end-of-turn token: banned, so that every answer has its full length.
WORDS = (
    *("tide", "water", "moon", "shore", "boat", "wind", "stone", "light", "river", "gate"),
    *("sand", "wave", "harbour", "rope", "sail", "cloud", "night", "bird", "fish"),
)
_ETA = re.compile(rb"eta_s=([0-9]+(?:\.[0-9]+)?)")


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with an address, and where there are accounts, a key."""

    name: str
    address: str
    key: str = ""


class Question(msgspec.Struct, frozen=True):
    """What is asked, and when (seconds from the beginning)."""

    at_s: float
    words: str
    tokens: int


class Outcome(msgspec.Struct, kw_only=True):
    """What became of one question. `told_s` is when to come back, as a refusal says.

    `promised_s` is the wait that was promised to who was let wait, `came_s` the wait it came to.
    """

    person: str
    status: int = 0
    first_s: float | None = None
    gap_s: float = 0.0
    stall_s: float = 0.0
    is_complete: bool = False
    told_s: float | None = None
    promised_s: float | None = None
    came_s: float | None = None

    @property
    def is_good(self) -> bool:
        """Began soon, flowed, and was not cut."""
        return (
            self.is_complete
            and self.first_s is not None
            and self.first_s <= FIRST_S
            and self.gap_s <= GAP_S
            and self.stall_s <= STALL_S
        )


class _Chunk(msgspec.Struct):
    choices: list[dict[str, object]] = []
    error: object = None


_chunks = msgspec.json.Decoder(_Chunk)


def questions(rate: float, seconds: float, seed: int) -> list[Question]:
    """Poisson arrivals, given how many: the same for the same seed. 40 to 60 prompt tokens, 16 to 32 of answer."""
    dice = random.Random(seed)
    times = sorted(dice.uniform(0, seconds) for _ in range(max(1, round(rate * seconds))))
    return [
        Question(at_s, " ".join(dice.choice(WORDS) for _ in range(dice.randint(8, 24))), dice.randint(16, 32))
        for at_s in times
    ]


def body(words: str, tokens: int) -> bytes:
    """A streamed chat completion of exactly so many tokens."""
    wanted = {
        "model": MODEL,
        "messages": [{"role": "user", "content": words}],
        "max_tokens": tokens,
        "temperature": 0,
        "logit_bias": {LAST: -100},
        "stream": True,
    }
    return msgspec.json.encode(wanted)


async def offer(port: int, people: Sequence[Person], rate: float, seconds: float, seed: int) -> list[Outcome]:
    """Let these people together ask `rate` questions a second, without waiting for one another."""
    running: list[asyncio.Task[Outcome]] = []
    sessions = [_session(person) for person in people]
    began_at = time.perf_counter()
    try:
        for number, question in enumerate(questions(rate, seconds, seed)):
            await asyncio.sleep(began_at + question.at_s - time.perf_counter())
            who = number % len(people)
            running.append(asyncio.create_task(ask(sessions[who], port, people[who], question)))
        return list(await asyncio.gather(*running))
    finally:
        for session in sessions:
            await session.close()


async def closed_loop(port: int, people: Sequence[Person], at_once: int, seconds: float) -> float:
    """Answers a second when so many always ask: what the engine can do."""
    done, ends_at = 0, time.perf_counter() + seconds
    stock = iter(questions(1000.0, 10.0, seed=1))

    async def one(person: Person) -> None:
        nonlocal done
        async with _session(person) as session:
            while time.perf_counter() < ends_at:
                outcome = await ask(session, port, person, next(stock))
                done += outcome.is_complete and time.perf_counter() < ends_at

    await asyncio.gather(*(one(people[number % len(people)]) for number in range(at_once)))
    return done / seconds


async def ask(session: aiohttp.ClientSession, port: int, person: Person, question: Question) -> Outcome:
    """Ask once; when refused with a time to come back, come back then, once."""
    outcome, began_at = Outcome(person=person.name), time.perf_counter()
    try:
        async with asyncio.timeout(GIVES_UP_AFTER_S):
            await _try(session, port, question, outcome, began_at)
            if outcome.status in {429, 503} and outcome.told_s is not None and outcome.told_s < GIVES_UP_AFTER_S:
                await asyncio.sleep(began_at + outcome.told_s - time.perf_counter())
                await _try(session, port, question, outcome, began_at)
    except (TimeoutError, aiohttp.ClientError, ConnectionError):
        outcome.is_complete = False
    return outcome


async def _try(
    session: aiohttp.ClientSession, port: int, question: Question, outcome: Outcome, began_at: float
) -> None:
    asked_at = time.perf_counter()
    async with session.post(
        f"http://127.0.0.1:{port}/v1/chat/completions", data=body(question.words, question.tokens)
    ) as response:
        outcome.status = response.status
        if response.status != 200:
            told = response.headers.get("retry-after-ms")
            outcome.told_s = outcome.told_s or (None if told is None else float(told) / 1000)
            return
        arrived: list[float] = []
        async with asyncio.timeout(LEAVES_AFTER_S) as patience:
            async for line in response.content:
                _read(line, outcome, arrived)
                if arrived:
                    patience.reschedule(None)
    if arrived:
        outcome.came_s = arrived[0] - asked_at
    _judge(outcome, arrived, began_at)


def _read(line: bytes, outcome: Outcome, arrived: list[float]) -> None:
    if line.startswith(b":") and outcome.promised_s is None and not arrived:
        # What is said first while one waits is the promise.
        said = _ETA.search(line)
        outcome.promised_s = float(said[1]) if said else None
    if not line.startswith(b"data: {"):
        return
    chunk = _chunks.decode(line[6:])
    if chunk.error is not None:
        return
    for choice in chunk.choices:
        delta = choice.get("delta")
        if isinstance(delta, dict) and delta.get("content"):
            arrived.append(time.perf_counter())
        outcome.is_complete = outcome.is_complete or choice.get("finish_reason") in {"stop", "length"}


def _judge(outcome: Outcome, arrived: list[float], began_at: float) -> None:
    if not arrived:
        outcome.is_complete = False
        return
    outcome.first_s = arrived[0] - began_at
    gaps = sorted(after - before for before, after in itertools.pairwise(arrived))
    if gaps:
        outcome.gap_s, outcome.stall_s = quantile(gaps, 0.95), gaps[-1]


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which this part of them lies; 0.0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def _session(person: Person) -> aiohttp.ClientSession:
    headers = {"content-type": "application/json"}
    if person.key:
        headers["authorization"] = f"Bearer {person.key}"
    connector = aiohttp.TCPConnector(limit=0, local_addr=(person.address, 0))
    return aiohttp.ClientSession(headers=headers, connector=connector, timeout=aiohttp.ClientTimeout(total=None))
