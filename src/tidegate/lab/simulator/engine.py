"""An engine in virtual time: batch after batch, and work only where something changes.

The model is that of calibration.py. Each batch writes one token of every answer that is
being written, and fills up with tokens of prompts, one prompt after the other in a fixed
order. The batch that reads the last of a prompt also gives the first token of its answer,
as llama.cpp's does; so an answer of n tokens takes n - 1 batches more.

Between two changes (a prompt is read, an answer ends or comes to a mark, somebody comes or
is taken out) all batches are the same, so they are one step however many they are: the
engine's work grows with the number of changes, each O(log n), and not with tokens. Who comes
or is taken out while a batch runs does so when it ends, as in an engine.

What can never happen: a token told before its batch has ended; a job told anything after it
was taken out, or after its end; a batch that reads more than fits.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import ceil, floor, inf
from random import Random
from typing import Final

from tidegate.lab.calibration import Calibration, passes
from tidegate.lab.simulator.gaps import Gaps
from tidegate.lab.simulator.jobs import Job
from tidegate.lab.simulator.serving import Agenda

_ROUNDING: Final = 1e-9
"""Of a batch: a moment so close before its end is its end."""

_LEAST_NOISY: Final = 0.1
"""No batch is faster than this part of its usual time."""


class EngineModel:
    """One replica. Times are seconds since the rehearsal began; `seed` is of its noise, which 0.0 `spread` has none of.

    `speed` is what is left of its speed: set it with `slow`.
    """

    def __init__(self, calibration: Calibration, agenda: Agenda, *, seed: int = 0) -> None:
        """Idle."""
        self.calibration = calibration
        self.speed = 1.0
        self.gaps = Gaps()
        self.written_tokens = 0
        self.read_tokens = 0
        self._agenda = agenda
        self._dice = Random(seed)  # noqa: S311 - noise of a model, no secret
        self._reading: list[Job] = []
        self._marks: list[tuple[int, int, Job]] = []
        self._writing = 0
        self._places = 0  # Of those who write, as bits.
        self._batch = 0  # How many have ended.
        self._sequence = 0
        # The batches that run now, all alike: how many, how long each takes, what they read, whether of one prompt.
        self._many = 0
        self._batch_s = 0.0
        self._reads = 0
        self._is_mixed = False
        self._from_s = 0.0
        self._due_s = inf
        self._is_between = False
        self._coming: list[Job] = []
        self._going: list[tuple[Job, Callable[[float], None]]] = []

    # ------------------------------------------------------------ asking

    @property
    def inside(self) -> int:
        """How many jobs are read or written."""
        return len(self._reading) + self._writing + len(self._coming)

    def has_written(self, job: Job, now: float) -> int:
        """How many tokens of its answer are there."""
        if job.first_at_s == inf:
            return 0
        return min(job.answer_tokens, 1 + self._batch + self._passed(now) - job.since_batch)

    def has_read(self, job: Job, now: float) -> int:
        """How many tokens of its prompt have been read."""
        if not job.is_reading:
            return job.prompt_tokens - job.left_tokens
        passed = 0 if self._is_mixed or self._reading[0] is not job else self._passed(now) * self._reads
        return job.prompt_tokens - job.left_tokens + passed

    # ------------------------------------------------------------ working

    def begin(self, job: Job, now: float) -> None:
        """Take a job in with the next batch."""
        if self._is_between:
            self._take_in(job)
            return
        self._coming.append(job)
        self._break_off(now)

    def cut(self, job: Job, now: float, freed: Callable[[float], None]) -> None:
        """Take a job out when the batch that runs is over; `freed` is called with the time when its place is free.

        One that has ended, or is out already, is free at once.
        """
        if job.is_out:
            freed(now)
            return
        job.is_out = True
        if job in self._coming:
            self._coming.remove(job)
            self._free(freed, now, now)
            return
        if self._is_between:
            self._take_out(job)
            self._free(freed, now, now)
            return
        self._going.append((job, lambda at: self._free(freed, now, at)))
        self._break_off(now)

    def slow(self, speed: float, now: float) -> None:
        """Have so much of the speed from the next batch on."""
        self.speed = speed
        self._break_off(now)

    def drop(self, now: float) -> None:
        """Break: nothing of what is inside goes on, nobody is told. What is begun later is taken in."""
        for job in (*self._reading, *self._coming, *(job for _, _, job in self._marks)):
            job.is_out, job.is_reading = True, False
        going, self._going = self._going, []
        self._reading.clear()
        self._coming.clear()
        self._marks.clear()
        self._batch += self._passed(now)
        self._writing = self._many = self._places = 0
        self._due_s = inf
        for _, freed in going:
            freed(now)

    # ------------------------------------------------------------ batches

    def _passed(self, now: float) -> int:
        """How many of the batches that run have ended by now."""
        if self._due_s == inf or self._is_between:
            return 0
        return min(self._many, max(0, floor((now - self._from_s) / self._batch_s + _ROUNDING)))

    def _break_off(self, now: float) -> None:
        """Look again when the batch that runs is over."""
        if self._is_between:
            return
        if self._due_s == inf:
            self._between(now)
            return
        many = min(self._many, max(0, ceil((now - self._from_s) / self._batch_s - _ROUNDING)))
        if many < self._many:
            self._many = many
            self._due_s = max(now, self._from_s + many * self._batch_s)
            self._agenda.at(self._due_s, self._due)

    def _due(self, now: float) -> None:
        if now == self._due_s:
            self._between(now)

    def _between(self, now: float) -> None:
        """A batch has ended: tell what it brought, let in and out who came and went, and begin the next."""
        self._is_between = True
        begun = self._did(now) if self._due_s < inf else []
        self._due_s = inf
        going, self._going = self._going, []
        for job, _ in going:
            self._take_out(job)
        for job in begun:
            self._begin_writing(job, now)
        marks = self._marks
        while marks and marks[0][0] <= self._batch:
            self._come_to(heappop(marks), now)
        for _, freed in going:
            freed(now)
        coming, self._coming = self._coming, []
        for job in coming:
            self._take_in(job)
        self._is_between = False
        self._plan(now)

    def _did(self, now: float) -> list[Job]:
        """Count the batches that have ended; answers whose prompts are read."""
        many = self._many
        self._batch += many
        if not many:
            return []
        self.gaps.took(self._batch_s, many)
        self.written_tokens += many * self._writing
        self.read_tokens += many * self._reads
        if not self._reads:
            return []
        reading = self._reading
        if not self._is_mixed:
            reading[0].left_tokens -= many * self._reads
            return []
        left, done = self._reads, 0
        for job in reading:
            if not left:
                break
            job.read_from_s = min(job.read_from_s, now - self._batch_s)
            tokens = min(left, job.left_tokens)
            left -= tokens
            job.left_tokens -= tokens
            if job.left_tokens:
                break
            done += 1
        begun = reading[:done]
        del reading[:done]
        return begun

    def _begin_writing(self, job: Job, now: float) -> None:
        job.is_reading = False
        if job.is_out:
            return
        job.since_batch = self._batch
        job.first_at_s = now
        job.gaps_mark = self.gaps.mark()
        self._writing += 1
        self._places |= 1 << job.order if self.calibration.is_split else 0
        self.written_tokens += 1
        self._note(job, job.began(now))

    def _come_to(self, marked: tuple[int, int, Job], now: float) -> None:
        job = marked[2]
        if job.is_out:
            return
        if job.mark < job.answer_tokens:
            self._note(job, job.marked(now))
            return
        job.is_out = True
        self._leave(job)
        job.ended(now)

    def _note(self, job: Job, mark: int) -> None:
        """Tell a job again when so many of its tokens are there, and at its end at the latest."""
        if job.is_out:
            return
        had = 1 + self._batch - job.since_batch
        job.mark = min(job.answer_tokens, max(mark, had + 1))
        self._sequence += 1
        heappush(self._marks, (job.since_batch + job.mark - 1, self._sequence, job))

    def _take_in(self, job: Job) -> None:
        job.is_reading = True
        insort(self._reading, job)

    def _take_out(self, job: Job) -> None:
        if job.is_reading:
            job.is_reading = False
            if job in self._reading:
                self._reading.remove(job)
        elif job.first_at_s < inf:
            self._leave(job)
            if len(self._marks) > 2 * (self._writing + 8):
                self._marks = [marked for marked in self._marks if not marked[2].is_out]
                heapify(self._marks)

    def _leave(self, job: Job) -> None:
        self._writing -= 1
        if self.calibration.is_split:
            self._places &= ~(1 << job.order)

    def _passes(self, reads: int) -> int:
        """How often a batch goes through the model that reads so many tokens."""
        places, left = 0, reads
        for job in self._reading:
            if left <= 0:
                break
            places |= 1 << job.order
            left -= job.left_tokens
        return passes(self._places, places, is_more_read=reads > places.bit_count())

    def _plan(self, now: float) -> None:
        """Begin as many batches as will all be alike."""
        reading, writing = self._reading, self._writing
        reads = many = 0
        self._is_mixed = False
        if reading:
            room = max(1, self.calibration.most_tokens - writing)
            head = reading[0]
            if many := (head.left_tokens - 1) // room:
                reads = room
                head.read_from_s = min(head.read_from_s, now)
            else:
                self._is_mixed, many = True, 1
                for job in reading:
                    reads += job.left_tokens
                    if reads >= room:
                        reads = room
                        break
        if writing:
            while self._marks and self._marks[0][2].is_out:
                heappop(self._marks)
            left = self._marks[0][0] - self._batch
            many = min(many, left) if many else left
        if not many:
            return
        calibration = self.calibration
        batch_s = calibration.step_s(writing, reads, self._passes(reads) if calibration.is_split else 1) / self.speed
        if calibration.spread:
            noise = self._dice.gauss(0.0, calibration.spread / many**0.5)
            batch_s *= max(_LEAST_NOISY, 1.0 + noise)
        self._many, self._batch_s, self._reads, self._from_s = many, batch_s, reads, now
        self._due_s = now + many * batch_s
        self._agenda.at(self._due_s, self._due)

    def _free(self, freed: Callable[[float], None], asked_s: float, now: float) -> None:
        free_at_s = asked_s + self.calibration.free_s
        if free_at_s > now:
            self._agenda.at(free_at_s, freed)
        else:
            freed(now)
