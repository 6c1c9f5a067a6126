"""The first reading of a record: what each claim came to, what is usual, and how the engine slowed down with company.

A claim's line stands before the line of its end, so a record is read twice. The engine's pace is fitted as
a straight line, seconds for each token = a + b * (answers that ran at once), with neither below 0: a batch that holds
more answers takes longer (lab/calibration.py has the same form). Only how it bends counts, not where it lies: each
answer keeps its own recorded times, stretched by the pace at which it would have run elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from tidegate.core.decisions.lines import Answered, AnyLine, Began, Claimed, Counted, Ended, How, Judged, Lost
from tidegate.core.standing.classes import Standing
from tidegate.lab.replay.company import Company
from tidegate.lab.replay.reading import Source, lines

MOST_CLAIMS: Final = 2_000_000
"""Of one record: what each came to is kept, about 200 bytes."""

_TELLING_TOKENS: Final = 8
_FEWEST_ANSWERS: Final = 20
_LEAST_SPREAD: Final = 0.25
_MOST_SAMPLED: Final = 10_000
_LEAST_S: Final = 1e-4
_LONGEST_S: Final = 86_400.0
"""No answer takes longer than a day, whatever a record says."""

Key = tuple[int, int, int]
"""Which run, which engine's line, which ticket."""


class Work(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one claim asks of an engine: seconds of reading and writing beside `at_once` answers, itself one of them.

    It had its place from `placed_at` on, beside `company`; of a usual one neither is told. `is_left`: its caller gave
    up then. `waits_s`: where it never had a place, its caller gave up after that. `queue_s` and `was_cut` are what
    happened; `is_known` is false of one whose end is not told.
    """

    read_s: float
    write_s: float
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    prefill_tok_s: float = 0.0
    decode_tok_s: float = 0.0
    at_once: float = 1.0
    placed_at: float = 0.0
    company: Company | None = None
    is_left: bool = False
    waits_s: float | None = None
    queue_s: float = 0.0
    was_cut: bool = False
    is_known: bool = True


class Pace(msgspec.Struct, frozen=True):
    """How much longer everything takes with each answer more: `slope` of what one alone takes.

    Where too few answers tell, `is_assumed`: one engine that shares itself equally.
    """

    slope: float = 1.0
    is_assumed: bool = True

    def stretch(self, at_once: float) -> float:
        """How many times as long it takes beside so many, itself one of them, as alone."""
        return 1.0 + self.slope * max(0.0, at_once - 1.0)


class Survey(msgspec.Struct):
    """What the first reading found. `usual` is what a claim of each class comes to, `usual_of_all` of any."""

    works: dict[Key, Work]
    pace: Pace
    usual: dict[Standing, Work]
    usual_of_all: Work
    most_tokens: int
    prompt_bytes: int
    decisions: int = 0
    claims: int = 0
    refused_uncounted: int = 0
    lost_lines: int = 0
    torn_lines: int = 0
    unended: int = 0
    seconds: float = 0.0
    policies: tuple[str, ...] = ()


class _Ran(msgspec.Struct, gc=False):
    placed_at: float
    ended_at: float
    end: Ended


class _Gathered:
    """What stands in the lines, until it is reckoned."""

    def __init__(self) -> None:
        self.found = Survey({}, Pace(), {}, Work(read_s=0.5, write_s=2.0, output_tokens=50), 256, 0)
        self.claims: dict[Key, Claimed] = {}
        self.ends: dict[Key, tuple[float, Ended]] = {}
        self.policies: dict[str, None] = {}
        self._samples: list[tuple[int, int]] = []
        self._run = ""
        self._runs = 0
        self._longest_t = 0.0

    def take(self, line: AnyLine, source: Source) -> None:
        self._longest_t = max(self._longest_t, line.t)
        match line:
            case Began():
                self._begin(line)
            case Judged():
                self.found.decisions += 1
            case Claimed():
                self._claim(line, source)
            case Ended():
                key = self._runs, line.line, line.ticket
                if key in self.claims:  # Else its claim stood in a file that is gone.
                    self.ends[key] = line.t, line
            case Counted():
                self.found.refused_uncounted += line.number
            case Lost():
                self.found.lost_lines += line.number

    def _begin(self, line: Began) -> None:
        self.policies[line.policy] = None
        if line.run != self._run:
            self.close()
            self._run, self._runs = line.run, self._runs + 1

    def _claim(self, line: Claimed, source: Source) -> None:
        self.found.claims += 1
        if len(self._samples) < _MOST_SAMPLED:
            self._samples.append((line.output_tokens, line.prompt_bytes))
        if line.answered in {Answered.ADMITTED, Answered.WAITING}:
            if len(self.claims) >= MOST_CLAIMS:
                source.refuse(f"more than {MOST_CLAIMS} claims: replay a part of the record")
            self.claims[self._runs, line.line, line.ticket] = line

    def close(self) -> None:
        self.found.seconds += self._longest_t
        self._longest_t = 0.0
        if self._samples:
            self.found.most_tokens = round(median(tokens for tokens, _ in self._samples)) or 1
            self.found.prompt_bytes = round(median(size for _, size in self._samples))


def survey(path: Path) -> Survey:
    """Read a record once. Raises RecordError."""
    source, gathered = Source(), _Gathered()
    for line in lines(path, source):
        gathered.take(line, source)
    gathered.close()
    found = gathered.found
    found.torn_lines, found.policies = source.torn, tuple(gathered.policies)
    _reckon(found, gathered.claims, gathered.ends)
    return found


def _reckon(found: Survey, claims: dict[Key, Claimed], ends: dict[Key, tuple[float, Ended]]) -> None:
    """Make works of claims and their ends."""
    ran = _ran(claims, ends)
    beside: dict[Key, float] = {}
    companies: dict[tuple[int, int], Company] = {}
    for line in sorted({key[:2] for key in ran}):
        here = {key: one for key, one in ran.items() if key[:2] == line}
        company = companies[line] = Company((one.placed_at, one.ended_at) for one in here.values())
        beside |= {key: company.mean(one.placed_at, one.ended_at) for key, one in here.items()}
    found.pace = _fit((beside[key], one) for key, one in ran.items())
    works = {key: _work(one, beside[key], companies[key[:2]]) for key, one in ran.items()}
    settled: dict[Standing, list[Work]] = {}
    for key, one in ran.items():
        some = settled.setdefault(claims[key].standing, [])
        if one.end.how is How.SETTLED and len(some) < _MOST_SAMPLED:
            some.append(works[key])
    found.usual = {standing: _usual(some) for standing, some in settled.items() if some}
    everybody = [work for some in settled.values() for work in some]
    if everybody:
        found.usual_of_all = _usual(everybody)
    for key, claim in claims.items():
        usual = found.usual.get(claim.standing, found.usual_of_all)
        ended = ends.get(key)
        found.unended += ended is None
        if key not in works:
            waits_s = None if ended is None else max(0.0, ended[0] - claim.t)
            works[key] = msgspec.structs.replace(usual, waits_s=waits_s, is_known=ended is not None)
        elif ran[key].end.how is How.CUT:
            works[key] = _finished(works[key], usual)
    found.works = works


def _ran(claims: dict[Key, Claimed], ends: dict[Key, tuple[float, Ended]]) -> dict[Key, _Ran]:
    """Those that had a place, and whose end is told."""
    ran = {}
    for key, claim in claims.items():
        ended_at, end = ends.get(key, (0.0, None))
        if end is not None and end.queue_s is not None:
            ran[key] = _Ran(min(ended_at, claim.t + end.queue_s), ended_at, end)
    return ran


def _work(one: _Ran, at_once: float, company: Company) -> Work:
    end = one.end
    whole_s = min(_LONGEST_S, max(_LEAST_S, one.ended_at - one.placed_at))
    read_s = whole_s if end.first_s is None else min(whole_s, end.first_s)
    return Work(
        read_s=max(_LEAST_S, read_s),
        write_s=max(0.0, whole_s - read_s),
        prompt_tokens=end.prompt_tokens,
        cached_tokens=min(end.cached_tokens, end.prompt_tokens),
        output_tokens=end.output_tokens,
        prefill_tok_s=end.prefill_tok_s,
        decode_tok_s=end.decode_tok_s,
        at_once=at_once,
        placed_at=one.placed_at,
        company=company,
        is_left=end.how is How.LEFT,
        queue_s=end.queue_s or 0.0,
        was_cut=end.how is How.CUT,
    )


def _finished(work: Work, usual: Work) -> Work:
    """What one would have come to that was cut: at least what is usual, at the pace that it had."""
    tokens = max(work.output_tokens, usual.output_tokens, 1)
    each_s = work.write_s / work.output_tokens if work.output_tokens else usual.write_s / tokens
    return msgspec.structs.replace(work, output_tokens=tokens, write_s=each_s * tokens)


def _usual(works: list[Work]) -> Work:
    return Work(
        read_s=median(work.read_s for work in works),
        write_s=median(work.write_s for work in works),
        prompt_tokens=round(median(work.prompt_tokens for work in works)),
        cached_tokens=0,
        output_tokens=round(median(work.output_tokens for work in works)),
        at_once=median(work.at_once for work in works),
    )


def _fit(ran: Iterable[tuple[float, _Ran]]) -> Pace:
    """Least squares of seconds for each token over how many ran at once."""
    points = []
    for at_once, one in ran:
        tokens, first_s = one.end.output_tokens, one.end.first_s
        writing_s = one.ended_at - one.placed_at - (first_s or 0.0)
        if first_s is not None and tokens >= _TELLING_TOKENS and writing_s > 0:
            points.append((at_once, writing_s / tokens))
    if len(points) < _FEWEST_ANSWERS:
        return Pace()
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread / len(points) < _LEAST_SPREAD**2:
        return Pace()
    slope = max(0.0, sum((x - mean_x) * (y - mean_y) for x, y in points) / spread)
    alone = mean_y + slope * (1.0 - mean_x)
    # A fit that has one alone take no time at all has all of the time in the company.
    return Pace(min(1.0, slope / alone) if alone > 0 else 1.0, is_assumed=False)
