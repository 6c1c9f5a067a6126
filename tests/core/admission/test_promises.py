"""A wait that was promised is enough, for those who were promised it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.admission.engine_model import EngineModel, Job, claim
from tidegate.core.admission.claims import Admitted, Shed, Waiting
from tidegate.core.admission.cost import CostPlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.standing.classes import Standing

# Of answers alone: batches of prompts come and go, and with them the rate.
PLAN = AdmissionPlan(slots=4, cost=CostPlan(bytes_per_token=1.0, prefill_tok_s=75.0, decode_tok_s=75.0))
ROUNDING_S = 1e-9  # what sums of hundreds of batches differ by

arrivals = st.lists(st.tuples(st.integers(8, 60), st.integers(8, 256), st.integers(0, 30)), min_size=1, max_size=50)


def ask(model: EngineModel, number: int, standing: Standing, prompt_tokens: int, output_tokens: int) -> Job:
    one = claim(f"one{number}", standing, prompt_bytes=prompt_tokens, output_tokens=output_tokens, patience_s=120.0)
    return model.ask(one, prompt_tokens, output_tokens)


def late_s(model: EngineModel, job: Job) -> float:
    """By how much a promise was broken."""
    assert isinstance(job.answer, Waiting)
    waited_s = (model.now if job.started_at is None else job.started_at) - job.asked_at
    return waited_s - job.answer.wait_s


@settings(max_examples=40)
@given(st.sampled_from([Standing.ESTABLISHED, Standing.NEWCOMER, Standing.SUSPECT]), arrivals)
def test_a_promised_wait_is_enough_whoever_comes_later_in_the_same_class(
    standing: Standing, asks: list[tuple[int, int, int]]
) -> None:
    """As long as the engine keeps its rate, answers keep within what was reserved, and no other class asks for more."""
    model = EngineModel(PLAN, rate=75.0, prefill_rate=75.0)
    jobs = []
    for number, (prompt_tokens, output_tokens, batches) in enumerate(asks):
        jobs.append(ask(model, number, standing, prompt_tokens, output_tokens))
        for _ in range(batches):
            model.step()
    while model.scheduler.owners:
        model.step()

    batch_s = (PLAN.slots + PLAN.batch_tokens) / 75.0
    for job in jobs:
        if isinstance(job.answer, Waiting):
            assert job.started_at is not None, "everybody who was promised a wait starts"
            # Two batches may pass between a place and its heir; one promise in thousands was seen to need a third.
            assert late_s(model, job) <= 3 * batch_s + ROUNDING_S
        else:
            assert isinstance(job.answer, Admitted | Shed)
    assert model.idle_while_waiting == 0


@pytest.mark.slow
def test_most_promises_hold_while_those_better_known_come_and_go() -> None:
    """What nobody can promise: that no better class will ask. Nine in ten are kept all the same."""
    import random

    kept = broken = 0
    for seed in range(20):
        draw = random.Random(seed)
        model = EngineModel(AdmissionPlan())
        jobs: list[Job] = []
        next_known = next_new = 0.0
        while model.now < 120.0:
            while next_known <= model.now:
                busy = 0.2 if int(model.now / 30.0) % 2 else 0.5
                next_known += draw.expovariate(busy)
                jobs.append(
                    model.ask(
                        claim(f"known{draw.randrange(20)}", Standing.ESTABLISHED, prompt_bytes=280, output_tokens=60),
                        80,
                        draw.randint(10, 60),
                    )
                )
            while next_new <= model.now:
                next_new += draw.expovariate(0.3)
                jobs.append(
                    model.ask(
                        claim(f"new{draw.randrange(1000)}", prompt_bytes=280, output_tokens=60),
                        80,
                        draw.randint(10, 60),
                    )
                )
            model.step()
        for job in jobs:
            if isinstance(job.answer, Waiting):
                is_broken = late_s(model, job) > 0.2
                broken += is_broken
                kept += not is_broken
    assert broken * 10 <= kept + broken, (kept, broken)
