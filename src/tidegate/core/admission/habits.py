"""How long the answers of a principal usually are: what is reserved for the next one.

Mean and mean deviation are kept as TCP keeps round-trip times (Jacobson 1988,
"Congestion Avoidance and Control", appendix A). Bounded: the principal longest
unseen is forgotten, and then expected to be like anybody.
"""

from __future__ import annotations

from typing import Final

_MEAN_WEIGHT: Final = 0.2
_DEVIATIONS: Final = 1.5
_LEAST_TOKENS: Final = 16


class Habits:
    """Answers' lengths of at most `most` principals."""

    def __init__(self, most: int, *, usual_tokens: int = 256) -> None:
        """Know nobody; a stranger is expected to get `usual_tokens`."""
        self.most = most
        self._usual_tokens = usual_tokens
        self._known: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        """How many principals are known."""
        return len(self._known)

    def expected_tokens(self, principal: str, most_tokens: int) -> int:
        """What the next answer probably takes, at most `most_tokens`; six of seven take less."""
        known = self._known.get(principal)
        expected = self._usual_tokens if known is None else known[0] + _DEVIATIONS * known[1]
        return max(1, min(most_tokens, max(_LEAST_TOKENS, round(expected))))

    def learn(self, principal: str, output_tokens: int) -> None:
        """Take how long an answer was."""
        mean, deviation = self._known.pop(principal, (float(output_tokens), output_tokens / 2))
        error = output_tokens - mean
        self._known[principal] = (mean + _MEAN_WEIGHT * error, deviation + _MEAN_WEIGHT * (abs(error) - deviation))
        while len(self._known) > self.most:
            del self._known[next(iter(self._known))]
