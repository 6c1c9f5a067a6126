"""What a request costs, learned from what requests came to."""

from __future__ import annotations

import pytest

from tidegate.core.admission.claims import Spent
from tidegate.core.admission.cost import CostModel, CostPlan


def test_a_prompt_costs_what_reading_takes_of_the_engines_time() -> None:
    cost = CostModel(CostPlan(bytes_per_token=4.0, prefill_tok_s=100.0, decode_tok_s=50.0))
    assert cost.prompt_tokens(400) == 100
    assert cost.prompt_tokens(0) == 1
    assert cost.cost(100, 10) == 60.0
    assert cost.prefill_s(50) == 0.5


def test_rates_and_lengths_are_learned_from_answers() -> None:
    cost = CostModel(CostPlan(bytes_per_token=4.0, prefill_tok_s=100.0, decode_tok_s=50.0))
    for _ in range(200):
        cost.learn(Spent(prompt_tokens=100, output_tokens=50, prefill_tok_s=1000.0, decode_tok_s=25.0), 250, running=4)
    assert cost.bytes_per_token == pytest.approx(2.5, rel=0.01)
    assert cost.prefill_tok_s == pytest.approx(1000.0, rel=0.01)
    assert cost.decode_tok_s == pytest.approx(100.0, rel=0.01)
    assert cost.prompt_weight == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize(
    "spent",
    [
        Spent(prompt_tokens=3, output_tokens=3, prefill_tok_s=9.0, decode_tok_s=9.0),
        Spent(prompt_tokens=100, cached_tokens=95, output_tokens=100),
    ],
)
def test_what_says_nothing_teaches_nothing_of_rates(spent: Spent) -> None:
    """A few tokens, or an engine that does not tell."""
    cost = CostModel(CostPlan())
    cost.learn(spent, 0, running=1)
    assert (cost.prefill_tok_s, cost.decode_tok_s, cost.bytes_per_token) == (110.0, 75.0, 3.5)


def test_no_answer_however_odd_makes_prompts_free_or_dear_beyond_measure() -> None:
    cost = CostModel(CostPlan())
    for _ in range(300):
        cost.learn(Spent(prompt_tokens=16, output_tokens=16, prefill_tok_s=1e9, decode_tok_s=0.001), 10**9, running=0)
    assert cost.prompt_weight == 0.01
    assert cost.bytes_per_token <= 16.0
    for _ in range(300):
        cost.learn(Spent(prompt_tokens=10**6, output_tokens=16, prefill_tok_s=0.001, decode_tok_s=1e9), 1, running=9)
    assert cost.prompt_weight == 2.0
    assert cost.bytes_per_token >= 1.0
