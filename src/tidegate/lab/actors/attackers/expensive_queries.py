"""Expensive queries: few questions, each as much work as it can be.

In the field: sponge examples (Shumailov et al., EuroS&P 2021), OWASP LLM10 "resource-intensive queries" and
"continuous input overflow", MITRE ATLAS AML.T0034, OWASP OAT-003. Intensity 1 offers as much cost as the engine can
do, at people's mean lengths: for short ones that is about one question for twenty of theirs. Three kinds in
turn: a long prompt with a short answer; a short prompt with the longest answer; a tokenizer bomb, whose bytes
make a token each instead of one for four, so that it looks a quarter as long as it is.

Mimicry 0: the three kinds bluntly (prompts of 16 times the people's mean, answers of 12 times), a few templates,
answers pegged at `max_tokens`, programs in data centres. Mimicry 1: unique texts, half as long, no bombs, answers that
end before `max_tokens`, people's pauses, networks and browsers. Truth: `who.family`, `who.fleet`; no flags.
"""

from __future__ import annotations

from typing import Final

from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.seats import Seat
from tidegate.lab.actors.attackers.talking import PATIENCE_S, Talk, marks, talking
from tidegate.lab.acts import Chat, Life

LOAD: Final = 1.0
PROMPT_TIMES: Final = 16.0
ANSWER_TIMES: Final = 12.0
LONGEST_PROMPT: Final = 3_000
LONGEST_ANSWER: Final = 4_096
BOMB_BYTES_PER_TOKEN: Final = 1.0
_SHORT: Final = 24
_VISIT: Final = 6
_MACHINE_S: Final = 5.0
_TEMPLATES: Final = 3
_BOMB: Final = 2


def lives(campaign: Campaign) -> list[Life]:
    """The actors of one campaign."""
    mimicry, mean = campaign.mimicry, _sizes(campaign, 1.0)

    def compose(seat: Seat, number: int) -> Chat:
        is_human = campaign.is_mimicking(seat)
        kind = (seat.number + number) % 3
        prompt, answer = _sizes(campaign, 0.5 if is_human else 1.0)[kind]
        template, body = marks(campaign, _TEMPLATES)
        return Chat(
            prompt_tokens=prompt,
            answer_tokens=answer,
            max_tokens=min(LONGEST_ANSWER, 2 * answer) if is_human else answer,
            patience_s=PATIENCE_S,
            template=body if is_human else template,
            body=body,
            bytes_per_token=BOMB_BYTES_PER_TOKEN if kind == _BOMB and not is_human else None,
        )

    half = _sizes(campaign, 0.5)
    # A mixture of blunt and of half as long ones, by how many of each there are.
    prompt = sum((1.0 - mimicry) * full[0] + mimicry * less[0] for full, less in zip(mean, half, strict=True)) / 3
    answer = sum((1.0 - mimicry) * full[1] + mimicry * less[1] for full, less in zip(mean, half, strict=True)) / 3
    rate = campaign.rate_by_cost(LOAD, prompt, answer)
    return talking(campaign, rate, _VISIT, Talk(machine_s=_MACHINE_S, compose=compose))


def _sizes(campaign: Campaign, part: float) -> tuple[tuple[int, int], ...]:
    """Prompt and answer of each kind."""
    prompt = max(_SHORT, min(LONGEST_PROMPT, round(part * PROMPT_TIMES * campaign.lengths.mean_prompt)))
    answer = max(_SHORT, min(LONGEST_ANSWER, round(part * ANSWER_TIMES * campaign.lengths.mean_answer)))
    return (prompt, _SHORT), (_SHORT, answer), (prompt, _SHORT)
