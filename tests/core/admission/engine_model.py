"""An engine in virtual time that works in batches, as llama.cpp does.

Every batch holds one token of each answer that is being written, and of prompts
as many as fit, those in the lowest places first. It takes as long as its tokens
take: measured on one core, reading is hardly cheaper than writing.
"""

from __future__ import annotations

from tidegate.core.admission.claims import Act, Admitted, Called, Claim, Crowded, Cut, Shed, Spent, Topped, Waiting
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.standing.classes import Standing

IDLE_S = 0.02


class Job:
    """One request and what became of it."""

    def __init__(self, number: int, claim: Claim, prompt_tokens: int, output_tokens: int, asked_at: float) -> None:
        self.number = number
        self.claim = claim
        self.prompt_tokens = prompt_tokens
        self.output_tokens = output_tokens
        self.asked_at = asked_at
        self.answer: Admitted | Waiting | Shed | Crowded | None = None
        self.started_at: float | None = None
        self.first_token_at: float | None = None
        self.told_at: list[float] = []
        self.ended_at: float | None = None
        self.how = "waiting"
        self.place = -1
        self.read = 0
        self.told = 0
        self.cuts = 0


class EngineModel:
    """Runs jobs under a scheduler.

    `rate` is output tokens a second, `prefill_rate` prompt tokens a second. The
    engine frees a place that is taken back after `delay_s`.
    """

    def __init__(
        self, plan: AdmissionPlan, *, rate: float = 75.0, prefill_rate: float = 110.0, delay_s: float = 0.0
    ) -> None:
        self.scheduler = Scheduler(plan)
        self.plan = plan
        self.rate = rate
        self.prefill_rate = prefill_rate
        self.delay_s = delay_s
        self.now = 0.0
        self.jobs: dict[int, Job] = {}
        self.running: list[Job] = []
        self.freeing: list[tuple[float, Job, bool]] = []
        self.idle_while_waiting = 0

    def ask(self, claim: Claim, prompt_tokens: int, output_tokens: int) -> Job:
        """Let a request in."""
        job = Job(len(self.jobs) + 1, claim, prompt_tokens, output_tokens, self.now)
        self.jobs[job.number] = job
        answer, acts = self.scheduler.enter(job.number, claim, self.now)
        job.answer = answer
        if isinstance(answer, Admitted):
            self._start(job, answer.place.number)
        elif not isinstance(answer, Waiting):
            job.how = "refused"
        self._carry_out(acts)
        return job

    def leave(self, job: Job) -> None:
        """Have the caller of a job leave."""
        if job in self.running:
            self.running.remove(job)
        if job.how in {"waiting", "running"}:
            job.how, job.ended_at = "left", self.now
        self._carry_out(self.scheduler.abandon(job.number, self.now))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.step()

    def step(self) -> None:
        """Let one batch be done, or a little time pass where there is none to do."""
        if not self.running and not self.freeing and self.scheduler.waiting:
            self.idle_while_waiting += 1
        writing = [job for job in self.running if job.read >= job.prompt_tokens]
        room = self.plan.slots + self.plan.batch_tokens - len(writing)
        read = []
        for job in sorted(self.running, key=lambda job: job.place):
            tokens = min(room, job.prompt_tokens - job.read)
            if tokens > 0:
                room -= tokens
                job.read += tokens
                read.append((job, tokens))
        passed_s = len(writing) / self.rate + sum(tokens for _, tokens in read) / self.prefill_rate
        self.now += passed_s or IDLE_S
        for job, _ in read:
            self.scheduler.progress(job.number, job.read, job.prompt_tokens, 0, self.now)
        for job in writing:
            self._tell(job)
        if self.scheduler.is_stirred:
            self._carry_out(self.scheduler.stir(self.now))
        self._free()

    def _tell(self, job: Job) -> None:
        if job not in self.running:
            return
        job.told += 1
        job.told_at.append(self.now)
        if job.told == 1:
            job.first_token_at = self.now
            self._carry_out(self.scheduler.began(job.number, self.now))
            if job not in self.running:
                return
        if self.scheduler.spend(job.number, 1, self.now) is Topped.ENDED:
            self._finish(job, "ended")
        elif job.told >= job.output_tokens:
            self._finish(job, "served")

    def _free(self) -> None:
        while self.freeing and self.freeing[0][0] <= self.now:
            _, job, is_returning = self.freeing.pop(0)
            end = self.scheduler.release if is_returning else self.scheduler.abandon
            self._carry_out(end(job.number, self.now))

    def _finish(self, job: Job, how: str) -> None:
        self.running.remove(job)
        job.how, job.ended_at = how, self.now
        spent = Spent(prompt_tokens=job.prompt_tokens, output_tokens=job.told)
        self._carry_out(self.scheduler.settle(job.number, spent, self.now))

    def _start(self, job: Job, place: int) -> None:
        job.place = place
        job.started_at = self.now if job.started_at is None else job.started_at
        job.how = "running"
        self.running.append(job)

    def _carry_out(self, acts: list[Act]) -> None:
        for act in acts:
            job = self.jobs[act.ticket]
            match act:
                case Called(place=place):
                    self._start(job, place.number)
                case Cut(is_returning=is_returning):
                    self.running.remove(job)
                    job.how, job.read = ("waiting", 0) if is_returning else ("cut", job.read)
                    job.cuts += 1
                    self.freeing.append((self.now + self.delay_s, job, is_returning))
        if not self.delay_s:
            self._free()


def claim(principal: str, standing: Standing = Standing.NEWCOMER, **given: object) -> Claim:
    """A claim of ordinary size."""
    usual = {"cohort": principal, "prompt_bytes": 350, "output_tokens": 400}
    return Claim(principal=principal, standing=standing, **{**usual, **given})  # type: ignore[arg-type] # test values
