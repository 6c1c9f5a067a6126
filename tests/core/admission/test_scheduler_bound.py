"""Known people first, as a number: what any crowd of strangers can cost somebody established.

The bounds are reckoned here from the plan and from what the engine has really to
do, batch by batch, never from a forecast of the scheduler's.
"""

from __future__ import annotations

from math import ceil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.admission.engine_model import EngineModel, Job, claim
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.standing.classes import Standing

CONTEXT_TOKENS = 4096
STRANGERS = [Standing.NEWCOMER, Standing.VISITOR, Standing.SUSPECT]

strangers = st.lists(
    st.tuples(
        st.sampled_from(STRANGERS),
        st.integers(1, CONTEXT_TOKENS // 2),  # tokens of prompt
        st.integers(1, CONTEXT_TOKENS // 2),  # tokens of answer
        st.integers(0, 40),  # batches until the next
        st.integers(0, 5),  # which cohort
    ),
    max_size=50,
)
known = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 120)), max_size=5)
plans = st.sampled_from([AdmissionPlan(slots=2), AdmissionPlan(slots=4), AdmissionPlan(slots=8, batch_tokens=4)])


def established(name: str, prompt_tokens: int, output_tokens: int) -> dict[str, object]:
    return {
        "principal": name,
        "standing": Standing.ESTABLISHED,
        "prompt_bytes": prompt_tokens * 4,
        "output_tokens": output_tokens,
        "patience_s": 1e9,
    }


def ask_known(model: EngineModel, name: str, prompt_tokens: int, output_tokens: int) -> Job:
    return model.ask(claim(**established(name, prompt_tokens, output_tokens)), prompt_tokens, output_tokens)  # type: ignore[arg-type] # names of the fields


def ask_stranger(model: EngineModel, number: int, asks: tuple[Standing, int, int, int, int]) -> Job:
    standing, prompt_tokens, output_tokens, _, cohort = asks
    stranger = claim(
        f"stranger{number}",
        standing,
        cohort=f"cohort{cohort}",
        prompt_bytes=prompt_tokens * 4,
        output_tokens=output_tokens,
        patience_s=1e9,
    )
    return model.ask(stranger, prompt_tokens, output_tokens)


def batch_s(model: EngineModel) -> float:
    """The longest that a batch takes."""
    return (model.plan.slots + model.plan.batch_tokens) / min(model.rate, model.prefill_rate)


def insisted(plan: AdmissionPlan) -> int:
    """The places that the established may insist on when all classes ask: their share of them, rounded down."""
    return int(plan.shares[Standing.ESTABLISHED] * plan.slots + 1e-9)


def bound_s(model: EngineModel, ahead: list[Job], delay_s: float) -> float:
    """See "The bound" at the head of scheduler.py."""
    plan = model.plan
    stuck = ceil(plan.prefill_s * model.prefill_rate / plan.batch_tokens)
    reading = sum(ceil((job.prompt_tokens - job.read) / plan.batch_tokens) + 1 for job in ahead)
    writing = ceil(sum(job.output_tokens - job.told for job in ahead) / insisted(plan))
    batches = reading + writing + stuck * (len(ahead) + 1) + 1
    return batches * batch_s(model) + delay_s * (len(ahead) + 1)


def run_until_begun(model: EngineModel, job: Job, more: list[tuple[Standing, int, int, int, int]]) -> None:
    """Let strangers come on and on until a job's first token is there."""
    number = 1000
    while job.first_token_at is None:
        for asks in more:
            number += 1
            ask_stranger(model, number, asks)
            for _ in range(asks[3]):
                model.step()
        model.step()


@settings(max_examples=60)
@given(plans, strangers, known, strangers, st.sampled_from([0.0, 0.3]))
def test_an_established_person_waits_no_longer_than_the_bound_whatever_strangers_do(
    plan: AdmissionPlan,
    before: list[tuple[Standing, int, int, int, int]],
    ahead: list[tuple[int, int]],
    after: list[tuple[Standing, int, int, int, int]],
    delay_s: float,
) -> None:
    model = EngineModel(plan, delay_s=delay_s)
    for number, asks in enumerate(before):
        ask_stranger(model, number, asks)
        for _ in range(asks[3]):
            model.step()
    others = [ask_known(model, f"other{number}", *tokens) for number, tokens in enumerate(ahead)]
    job = ask_known(model, "ana", 64, 40)

    start_s = bound_s(model, others, delay_s)
    first_s = start_s + bound_s(model, [], delay_s) + (ceil(64 / plan.batch_tokens) + 1) * batch_s(model)
    run_until_begun(model, job, after)

    assert job.started_at is not None
    assert job.started_at - job.asked_at <= start_s
    assert job.first_token_at is not None
    assert job.first_token_at - job.asked_at <= first_s


@settings(max_examples=40)
@given(plans, strangers)
def test_strangers_cost_one_established_person_no_more_than_their_tokens_in_each_batch(
    plan: AdmissionPlan, crowd: list[tuple[Standing, int, int, int, int]]
) -> None:
    """With nobody else known in, the first token comes later only by what strangers write beside it, and one cut."""
    alone = EngineModel(plan)
    undisturbed = ask_known(alone, "ana", 96, 40)
    run_until_begun(alone, undisturbed, [])

    model = EngineModel(plan)
    for number, asks in enumerate(crowd):
        ask_stranger(model, number, asks)
        for _ in range(asks[3]):
            model.step()
    job = ask_known(model, "ana", 96, 40)
    run_until_begun(model, job, crowd)

    assert job.started_at == job.asked_at
    assert job.cuts == 0
    assert undisturbed.first_token_at is not None
    assert job.first_token_at is not None
    stuck = ceil(plan.prefill_s * model.prefill_rate / plan.batch_tokens)
    batches = ceil(96 / plan.batch_tokens) + stuck + 1
    written_s = batches * (plan.slots - 1) / model.rate
    later_s = (job.first_token_at - job.asked_at) - undisturbed.first_token_at
    assert later_s <= written_s + stuck * batch_s(model)


def test_with_one_place_an_established_person_waits_for_one_slice_of_strangers_at_most() -> None:
    """A single place cannot be divided: it goes by cost tokens, and a stranger who began costs the more of them."""
    model = EngineModel(AdmissionPlan(slots=1))
    for number in range(50):
        ask_stranger(model, number, (Standing.NEWCOMER, 200, 1000, 0, number))
    for asked in range(5):
        job = ask_known(model, "ana", 64, 40)
        run_until_begun(model, job, [(Standing.NEWCOMER, 2000, 1000, 0, asked)])
        assert job.first_token_at is not None
        slice_s = model.plan.slice_tokens / model.rate + 200 / model.prefill_rate
        assert job.first_token_at - job.asked_at <= slice_s + 64 / model.prefill_rate + 4 * batch_s(model)
        model.run(5.0)


@pytest.mark.slow
@pytest.mark.parametrize("standing", STRANGERS)
def test_a_hundred_thousand_new_accounts_cost_established_people_no_more_than_fifty(standing: Standing) -> None:
    """The delay is that of the engine's batches, and knows nothing of how many strangers there are."""
    few, many = (worst_wait_s(standing, crowd) for crowd in (50, 100_000))
    assert many <= few + batch_s(EngineModel(AdmissionPlan()))


def worst_wait_s(standing: Standing, crowd: int) -> float:
    """Of established people who ask now and then while so many strangers come."""
    model = EngineModel(AdmissionPlan())
    jobs = []
    for number in range(crowd):
        ask_stranger(model, number, (standing, 400, 400, 0, number))
        if number % (crowd // 50) == 0:
            jobs.append(ask_known(model, f"known{number % 7}", 64, 20))
            model.run(4.0)
    model.run(30.0)
    waits = [job.first_token_at - job.asked_at for job in jobs if job.first_token_at is not None]
    assert len(waits) == len(jobs)
    return max(waits)


def served(seed: int, attackers: int, standing: Standing, prompt_tokens: int) -> list[float]:
    """Times to first token of established people who ask at random, while attackers ask again and again."""
    draw, other = Random(seed), Random(seed + 1)
    model = EngineModel(AdmissionPlan(), delay_s=0.15)
    jobs: list[Job] = []
    hammering: dict[int, Job] = {}
    next_at = 0.0
    while model.now < 60.0:
        for number in range(attackers):
            job = hammering.get(number)
            if job is None or (job.how not in {"waiting", "running"} and other.random() < 0.2):
                hammering[number] = ask_stranger(model, number, (standing, prompt_tokens, 400, 0, number))
        while next_at <= model.now:
            next_at += draw.expovariate(0.3)
            jobs.append(ask_known(model, f"known{draw.randrange(20)}", draw.randint(40, 128), 40))
        model.step()
    model.run(30.0)
    assert all(job.how == "served" for job in jobs)
    return sorted(job.first_token_at - job.asked_at for job in jobs if job.first_token_at is not None)


@pytest.mark.parametrize(("standing", "prompt_tokens"), list(zip(STRANGERS, [20, 3000, 400], strict=True)))
def test_the_time_to_first_token_hardly_changes_when_strangers_hammer(standing: Standing, prompt_tokens: int) -> None:
    """The same people ask the same, with and without: at most twice as long, a cut and two batches."""
    calm = served(prompt_tokens, 0, standing, prompt_tokens)
    flooded = served(prompt_tokens, 40, standing, prompt_tokens)
    for part in (0.5, 0.9):
        place = int(len(calm) * part)
        assert flooded[place] <= calm[place] * 2 + 0.15 + 2 * 12 / 75.0
