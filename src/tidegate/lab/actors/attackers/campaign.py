"""One campaign while it is played: what all of its actors share. Its memory does not grow with its bots.

Who comes when is thrown with dice of the arrivals (`arrivals.py`); what they then do, with one pair of dice for the
whole campaign. So who comes when is the same whatever the service answers.
"""

from __future__ import annotations

from math import exp, log
from typing import Final

from tidegate.core.admission.cost import CostPlan
from tidegate.lab.actors.attackers.chance import mixed, salt_of
from tidegate.lab.actors.attackers.seats import Seat, Seats
from tidegate.lab.actors.attackers.variants import manner_of
from tidegate.lab.actors.dice import dice
from tidegate.lab.acts import Who
from tidegate.lab.scenario import Attack, Family, Scenario, ScenarioError
from tidegate.lab.traces.lengths import lengths

MOST_ACTIVE: Final = 100_000
"""Visits of one campaign at once; who would be one more stays away. As if the bots' own sockets had run out."""
MOST_PER_S: Final = 1_000_000.0
"""Acts a second that one campaign may come to."""
PROMPT_WEIGHT: Final = CostPlan().decode_tok_s / CostPlan().prefill_tok_s
"""What reading a token costs, in tokens written, where nothing better is known."""

_SHARED: Final = frozenset(
    {
        Family.DISTILLATION,
        Family.EFFORT_INFLATER,
        Family.EXPENSIVE_QUERIES,
        Family.JAILBREAK,
        Family.PROMPT_RECON,
    }
)
_EVEN, _HUMAN = 0.05, 0.9  # Spread of pauses (sigma of the logarithm): a program's, a person's.
_EVENLY: Final = 0.5
_LONGEST: Final = 10.0
_QUICKEST: Final = 0.1
_BODY_BITS: Final = 48


class Campaign:
    """Attack `number` of a scenario. Raises ScenarioError for a variant that its family does not have."""

    def __init__(
        self,
        attack: Attack,
        number: int,
        asks_per_s: float,
        scenario: Scenario,
        seed: int,
        *,
        prompt_weight: float = PROMPT_WEIGHT,
    ) -> None:
        """`asks_per_s` are the questions a second that an engine load of 1 comes to, of people's mean lengths."""
        self.attack, self.number, self.asks_per_s, self.scenario, self.seed = attack, number, asks_per_s, scenario, seed
        self.manner = manner_of(attack, number)
        self.fleet = f"{attack.family.value}-{number}"
        self.lengths = lengths(scenario.people.lengths)
        self.seats = Seats(attack, self.fleet, self.manner, seed, shares_accounts=attack.family in _SHARED)
        self.dice = dice(seed, self.fleet, "done")
        self.active = 0
        self.prompt_weight = prompt_weight
        self._salt = salt_of(seed, f"{self.fleet}/texts")

    @property
    def span_s(self) -> float:
        """How long it lasts."""
        return self.attack.until_s - self.attack.from_s

    @property
    def mimicry(self) -> float:
        """That of its seats in the mean."""
        return _EVENLY if self.manner.is_mixed else self.attack.mimicry

    def rate(self, full: float) -> float:
        """What is left of `full` (acts a second) at this intensity. Raises ScenarioError beyond MOST_PER_S."""
        per_s = full * self.attack.intensity * self.manner.rate
        if per_s > MOST_PER_S:
            msg = f"attack[{self.number}].intensity: {per_s:.3g} acts a second, expected at most {MOST_PER_S:.0f}"
            raise ScenarioError(msg)
        return per_s

    def rate_by_cost(self, load: float, prompt_tokens: float, answer_tokens: float) -> float:
        """How many such questions a second come to `load` times what the engine can do, at this intensity."""
        usual = self.cost(self.lengths.mean_prompt, self.lengths.mean_answer)
        return self.rate(load * self.asks_per_s * usual / self.cost(prompt_tokens, answer_tokens))

    def cost(self, prompt_tokens: float, answer_tokens: float) -> float:
        """What a question costs, in tokens written."""
        return prompt_tokens * self.prompt_weight + answer_tokens

    def is_mimicking(self, seat: Seat) -> bool:
        """Whether a seat does as people do this time."""
        return self.dice.random() < seat.mimicry

    def moved(self, who: Who) -> Who:
        """Where `who` comes from for the next act: elsewhere each time if the variant rotates."""
        if not self.manner.is_rotating:
            return who
        return self.seats.elsewhere(who, self.dice.randrange(self.attack.bots))

    def pause_s(self, seat: Seat, machine_s: float, answer_tokens: float | None = None) -> float:
        """How long a seat waits before its next act.

        A program waits `machine_s`, evenly; a person as long as people of the scenario think, by how long the answer
        is, and very unevenly. Between them, by mimicry, in the logarithm.
        """
        mean = self.lengths.mean_answer
        read = 1.0 if answer_tokens is None else 0.5 + 0.5 * answer_tokens / mean
        think_s = self.scenario.people.think_s * max(_QUICKEST, read)
        median = between(machine_s, think_s, seat.mimicry)
        return min(_LONGEST * median, self.dice.lognormvariate(log(median), _spread(seat.mimicry)))

    def usual_pause_s(self, machine_s: float) -> float:
        """The mean pause of a seat with the campaign's mimicry."""
        spread = _spread(self.mimicry)
        return between(machine_s, self.scenario.people.think_s, self.mimicry) * exp(spread * spread / 2.0)

    def template(self, number: int) -> int:
        """The campaign's own template of that number: a mark that nobody else's prompts have."""
        return mixed(self._salt, number) >> (64 - _BODY_BITS)

    def fresh(self) -> int:
        """A mark of a text that nobody has written before."""
        return self.dice.getrandbits(_BODY_BITS)


def between(machine: float, human: float, mimicry: float) -> float:
    """What lies between a program's figure and a person's, both above 0, in the logarithm."""
    return exp((1.0 - mimicry) * log(machine) + mimicry * log(human))


def _spread(mimicry: float) -> float:
    return _EVEN + (_HUMAN - _EVEN) * mimicry
