"""The engine's shortcuts against the same engine played batch by batch."""

from __future__ import annotations

from math import inf

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.simulator.agendas import HandAgenda
from tidegate.lab.calibration import Calibration
from tidegate.lab.simulator.engine import EngineModel
from tidegate.lab.simulator.jobs import Job

FLAT = Calibration(
    name="flat",
    about="for tests",
    slots=4,
    most_tokens=10,
    batch_s=0.01,
    write_s=0.002,
    read_s=0.001,
    keeps_prefix=True,
)


class Noted(Job):
    """A job that notes what it is told."""

    __slots__ = ("cut_at_s", "ended_at_s", "every", "freed_at_s", "marks", "start_s")

    def __init__(self, order: int, prompt: int, answer: int, start_s: float = 0.0, cut_at_s: float = inf) -> None:
        super().__init__(order, prompt, answer)
        self.start_s = start_s
        self.cut_at_s = cut_at_s
        self.ended_at_s = inf
        self.freed_at_s = inf
        self.every = answer
        self.marks: list[tuple[float, int]] = []

    def began(self, now: float) -> int:
        del now
        return self.every

    def marked(self, now: float) -> int:
        self.marks.append((now, self.mark))
        return self.mark + self.every

    def ended(self, now: float) -> None:
        self.ended_at_s = now

    def freed(self, now: float) -> None:
        self.freed_at_s = now


def played(jobs: list[Noted], calibration: Calibration = FLAT, seed: int = 0) -> EngineModel:
    agenda = HandAgenda()
    engine = EngineModel(calibration, agenda, seed=seed)
    for job in jobs:
        agenda.at(job.start_s, lambda now, job=job: engine.begin(job, now))  # type: ignore[misc] # mypy: a default
        if job.cut_at_s < inf:
            agenda.at(job.cut_at_s, lambda now, job=job: engine.cut(job, now, job.freed))  # type: ignore[misc] # as above
    agenda.run()
    return engine


def batch_by_batch(jobs: list[Noted], calibration: Calibration = FLAT) -> dict[int, tuple[float, float]]:
    """When each job's first token and its end come, where every batch is played by itself."""
    told: dict[int, tuple[float, float]] = {}
    left = {job.order: job.prompt_tokens for job in jobs}
    had = {job.order: 0 for job in jobs}
    first: dict[int, float] = {}
    out: set[int] = set()
    now = 0.0
    while len(out) < len(jobs):
        out |= {job.order for job in jobs if job.cut_at_s <= now and job.start_s <= now}
        inside = sorted((job for job in jobs if job.start_s <= now and job.order not in out), key=lambda job: job.order)
        if not inside:
            coming = [job.start_s for job in jobs if job.start_s > now and job.order not in out]
            if not coming:
                break
            now = min(coming)
            continue
        writing = [job for job in inside if not left[job.order]]
        room = max(1, calibration.most_tokens - len(writing))
        reads, reading = 0, []
        for job in inside:
            tokens = min(room - reads, left[job.order])
            reading += [job] if tokens else []
            left[job.order] -= tokens
            reads += tokens
        now += calibration.step_s(len(writing), reads, gone_through(writing, reading, reads, calibration))
        for job in inside:
            if left[job.order]:
                continue
            if not had[job.order]:
                first[job.order] = now
            had[job.order] += 1
            is_cut = job.cut_at_s <= now - 1e-12
            if had[job.order] == job.answer_tokens and not is_cut:
                told[job.order] = (first[job.order], now)
                out.add(job.order)
    return told


def gone_through(writing: list[Noted], reading: list[Noted], reads: int, calibration: Calibration) -> int:
    """Passes of one batch: runs of neighbours, and one more for the rest of a prompt beside an answer."""
    if not calibration.is_split:
        return 1
    written, read = {job.order for job in writing}, {job.order for job in reading}
    runs = sum(place - 1 not in written | read for place in written | read)
    is_beside = any(place + 1 in written or place - 1 in written for place in read)
    return max(1, runs + (is_beside and reads > len(read)))


@st.composite
def some_jobs(draw: st.DrawFn) -> list[Noted]:
    jobs = []
    for order in range(draw(st.integers(1, 6))):
        start_s = draw(st.integers(0, 400)) / 997.0
        cut_s = draw(st.one_of(st.just(inf), st.integers(1, 400).map(lambda steps: steps / 991.0)))
        jobs.append(Noted(order, draw(st.integers(1, 40)), draw(st.integers(1, 30)), start_s, start_s + cut_s))
    return jobs


@given(some_jobs(), st.booleans())
def test_it_tells_what_an_engine_tells_that_is_played_batch_by_batch(
    jobs: list[Noted],
    is_split: bool,
) -> None:
    """
    First tokens and ends come at the same moments, whoever comes or is taken out in between.
    """
    calibration = msgspec.structs.replace(FLAT, is_split=is_split, mixed_s=0.003 * is_split)
    engine = played(jobs, calibration)
    expected = batch_by_batch(jobs, calibration)
    had = {job.order: (job.first_at_s, job.ended_at_s) for job in jobs if job.ended_at_s < inf}
    assert set(had) == set(expected)
    for order, times in had.items():
        assert times == pytest.approx(expected[order], abs=1e-6)
    assert engine.inside == 0
    assert all(job.freed_at_s < inf for job in jobs if job.cut_at_s < inf)


def test_a_mark_is_told_when_that_many_tokens_are_there() -> None:
    """
    Each mark costs one look, and comes with the batch that writes that token.
    """
    job = Noted(0, 10, 100)
    job.every = 32
    played([job])
    begun_s = FLAT.step_s(0, 10)
    assert [tokens for _, tokens in job.marks] == [32, 64, 96]
    assert [at_s for at_s, _ in job.marks] == pytest.approx(
        [begun_s + (tokens - 1) * FLAT.step_s(1, 0) for tokens in (32, 64, 96)]
    )
    assert job.ended_at_s == pytest.approx(begun_s + 99 * FLAT.step_s(1, 0))


def test_how_far_a_job_is_can_be_asked_at_any_moment() -> None:
    """
    Tokens count when their batch is over, and not before.
    """
    agenda = HandAgenda()
    engine = EngineModel(FLAT, agenda)
    job = Noted(0, 35, 20)
    engine.begin(job, 0.0)
    agenda.run(FLAT.step_s(0, 10) * 2.5)
    assert (engine.has_read(job, agenda.now), engine.has_written(job, agenda.now)) == (20, 0)
    agenda.run(FLAT.step_s(0, 10) * 3 + FLAT.step_s(0, 5) + FLAT.step_s(1, 0) * 4.5)
    assert (engine.has_read(job, agenda.now), engine.has_written(job, agenda.now)) == (35, 5)


def test_a_slower_engine_takes_as_much_longer() -> None:
    """
    From the next batch on, for what runs, too.
    """
    agenda = HandAgenda()
    engine = EngineModel(FLAT, agenda)
    job = Noted(0, 10, 101)
    engine.begin(job, 0.0)
    at_s = FLAT.step_s(0, 10) + 49.5 * FLAT.step_s(1, 0)
    agenda.run(at_s)
    engine.slow(0.25, agenda.now)
    agenda.run()
    assert job.ended_at_s == pytest.approx(FLAT.step_s(0, 10) + 50 * FLAT.step_s(1, 0) + 50 * 4 * FLAT.step_s(1, 0))


def test_what_a_broken_engine_had_inside_hears_nothing_more() -> None:
    """
    And it works again for whoever comes later.
    """
    agenda = HandAgenda()
    engine = EngineModel(FLAT, agenda)
    lost, later = Noted(0, 10, 50), Noted(1, 10, 5)
    cut = Noted(2, 10, 50)
    engine.begin(lost, 0.0)
    engine.begin(cut, 0.0)
    agenda.run(0.1)
    engine.cut(cut, agenda.now, cut.freed)
    engine.drop(agenda.now)
    assert cut.freed_at_s == agenda.now
    assert engine.inside == 0
    engine.begin(later, agenda.now)
    agenda.run()
    assert lost.ended_at_s == inf
    assert later.ended_at_s < inf


def test_a_place_is_free_when_the_engine_has_let_go_of_it() -> None:
    """
    Not before the batch is over, nor before the time that it takes by measurement; twice does no harm.
    """
    agenda = HandAgenda()
    slow = msgspec.structs.replace(FLAT, free_s=0.5)
    engine = EngineModel(slow, agenda)
    job = Noted(0, 10, 50)
    engine.begin(job, 0.0)
    agenda.run(0.1)
    engine.cut(job, agenda.now, job.freed)
    agenda.run()
    assert job.freed_at_s == pytest.approx(0.6)
    engine.cut(job, 3.0, job.freed)
    assert job.freed_at_s == 3.0


def test_batches_of_noise_take_as_long_in_the_mean() -> None:
    """
    The same seed makes the same noise; its size is what was asked for.
    """
    noisy = msgspec.structs.replace(FLAT, spread=0.3)
    ends = []
    for seed in (1, 1, 2):
        jobs = [Noted(order, 20, 50 + order, 0.3 * order) for order in range(4)]
        played(jobs, noisy, seed=seed)
        ends.append([job.ended_at_s for job in jobs])
    assert ends[0] == ends[1] != ends[2]
    calm = [Noted(order, 20, 50 + order, 0.3 * order) for order in range(4)]
    played(calm)
    assert ends[0][-1] == pytest.approx(calm[-1].ended_at_s, rel=0.3)


def test_gaps_are_those_of_the_batches_that_wrote() -> None:
    """
    An answer that is written beside a long prompt has a few long gaps: its longest shows them, to 5 %.
    """
    alone = Noted(0, 10, 100)
    other = Noted(1, 90, 1, start_s=0.5)
    engine = played([alone, other])
    p95_s, longest_s = engine.gaps.since(alone.gaps_mark)
    assert longest_s == pytest.approx(FLAT.step_s(1, 9), rel=0.05)
    assert p95_s == pytest.approx(FLAT.step_s(1, 9), rel=0.05)
    assert engine.gaps.since(engine.gaps.mark()) == (0.0, 0.0)


def test_a_job_that_hears_nothing_is_done_all_the_same() -> None:
    """
    And a mark that is behind is told with the next token.
    """
    agenda = HandAgenda()
    engine = EngineModel(FLAT, agenda)
    deaf, backward = Job(0, 0, 0), Noted(1, 5, 4)
    backward.every = 0
    engine.begin(deaf, 0.0)
    engine.begin(backward, 0.0)
    agenda.run()
    assert (deaf.prompt_tokens, deaf.answer_tokens, deaf.is_out) == (1, 1, True)
    assert [tokens for _, tokens in backward.marks] == [2, 3]
    assert deaf.began(0.0) == deaf.marked(0.0) == 1


def test_one_that_was_taken_out_before_its_first_batch_was_never_in() -> None:
    """
    It may come and go while a batch runs.
    """
    agenda = HandAgenda()
    engine = EngineModel(FLAT, agenda)
    first, passing = Noted(0, 10, 5), Noted(1, 10, 5)
    engine.begin(first, 0.0)
    agenda.run(0.001)
    engine.begin(passing, agenda.now)
    assert engine.inside == 2
    engine.cut(passing, agenda.now, passing.freed)
    assert passing.freed_at_s == agenda.now
    agenda.run()
    assert passing.first_at_s == inf
    assert first.ended_at_s < inf


def test_those_who_are_taken_out_are_forgotten() -> None:
    """
    However many: what an engine remembers is bounded by what it has inside.
    """
    agenda = HandAgenda()
    engine = EngineModel(FLAT, agenda)
    stays = Noted(0, 1, 1_000)
    engine.begin(stays, 0.0)
    for number in range(100):
        job = Noted(number, 1, 5_000)
        engine.begin(job, agenda.now)
        agenda.run(agenda.now + 0.1)
        engine.cut(job, agenda.now, job.freed)
    agenda.run(agenda.now + 0.1)
    assert len(engine._marks) < 30
    agenda.run()
    assert stays.ended_at_s < inf
