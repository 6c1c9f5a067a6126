"""What a request costs, in cost tokens: the engine's time for one token of output.

Reading a prompt token costs `prompt_weight` of that, learned from the rates that
the engine reports of itself. How many tokens a prompt has is learned from how
many its bytes turned out to be: only the engine's tokenizer knows, and asking it
for every request that will be refused would be what a flood wants.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.core.admission.claims import Spent

_WEIGHT_OF_NEW: Final = 0.1
_LEAST_WEIGHT: Final = 0.01
_MOST_WEIGHT: Final = 2.0
_LEAST_BYTES: Final = 1.0
_MOST_BYTES: Final = 16.0
_TELLING_TOKENS: Final = 16  # A shorter prompt is mostly the template around it.


class CostPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed before anything was measured.

    `prefill_tok_s` and `decode_tok_s` are of the whole engine, all answers
    together. The defaults are of a small model on one CPU core, where reading
    is hardly cheaper than writing; on a GPU the first few answers teach better.
    """

    bytes_per_token: float = 3.5
    prefill_tok_s: float = 110.0
    decode_tok_s: float = 75.0


class CostModel:
    """Turns bytes and tokens into cost tokens, and learns from what requests came to."""

    def __init__(self, plan: CostPlan) -> None:
        """Believe the plan."""
        self.prompt_weight = plan.decode_tok_s / plan.prefill_tok_s
        self.bytes_per_token = plan.bytes_per_token
        self.prefill_tok_s = plan.prefill_tok_s
        self.decode_tok_s = plan.decode_tok_s

    def prompt_tokens(self, size_bytes: int) -> int:
        """How many tokens a prompt of this size probably has; at least one."""
        return max(1, round(size_bytes / self.bytes_per_token))

    def cost(self, prompt_tokens: float, output_tokens: float) -> float:
        """Cost tokens of reading and writing so many."""
        return prompt_tokens * self.prompt_weight + output_tokens

    def prefill_s(self, prompt_tokens: float) -> float:
        """How long a prompt of so many unknown tokens is read."""
        return prompt_tokens / self.prefill_tok_s

    def learn(self, spent: Spent, prompt_bytes: int, running: int) -> None:
        """Take what a request came to; `running` answers shared the engine at its end."""
        if spent.prompt_tokens >= _TELLING_TOKENS and prompt_bytes > 0:
            seen = min(_MOST_BYTES, max(_LEAST_BYTES, prompt_bytes / spent.prompt_tokens))
            self.bytes_per_token += _WEIGHT_OF_NEW * (seen - self.bytes_per_token)
        fresh = spent.prompt_tokens - spent.cached_tokens
        if spent.prefill_tok_s > 0 and fresh >= _TELLING_TOKENS:
            self.prefill_tok_s += _WEIGHT_OF_NEW * (spent.prefill_tok_s - self.prefill_tok_s)
        if spent.decode_tok_s > 0 and spent.output_tokens >= _TELLING_TOKENS:
            together = spent.decode_tok_s * max(1, running)
            self.decode_tok_s += _WEIGHT_OF_NEW * (together - self.decode_tok_s)
        weight = self.decode_tok_s / self.prefill_tok_s
        self.prompt_weight = min(_MOST_WEIGHT, max(_LEAST_WEIGHT, weight))
