"""Challenges and their answers, worked out once: by web/challenge in Node, and those of sha256 by the command line."""

from __future__ import annotations

from typing import Final

from tidegate.core.challenge.challenges import Challenges, Scope
from tidegate.core.challenge.plan import ChallengePlan
from tidegate.core.challenge.puzzles import PuzzleName

MASTER: Final = bytes(range(32))
SUBJECT: Final = b"seed-of-a-form"
NOW: Final = 1_800_000_000.25

WAGNER_3: Final = (
    "00000000000010990001420a000119c10003e8430000a82200034bd60001042e0001f1c6000000000000381d00009544000101360001"
    "b2c10000cccc0003b58f000202a400021c66000000010000164a0001717a000101a40003ffc5000029920002580c00007737000278f9"
)
WAGNER_1: Final = "0000000000000a1a00021e340000900600024a8e0000b8340002af570001c2200002aec9"
SHA256_1: Final = (
    "00000000000034cc000000000000a8d90000000000003a270000000000002e05000000000000051c0000000000005b07000000000002"
    "6b6f00000000000246a2"
)
SHA256_2: Final = (
    "0000000000022e3a000000000000d845000000000001327f0000000000026c7d000000000000771c0000000000001a9b000000000000"
    "6fae0000000000005c5700000000000117d1000000000000a6100000000000003d0b0000000000004c2e000000000000dea100000000"
    "0001439300000000000145bb000000000002e777"
)

ANSWERS: Final = {
    (PuzzleName.WAGNER, 3): WAGNER_3,
    (PuzzleName.WAGNER, 1): WAGNER_1,
    (PuzzleName.SHA256, 1): SHA256_1,
    (PuzzleName.SHA256, 2): SHA256_2,
}


def begin(plan: ChallengePlan | None = None) -> Challenges:
    """Challenges under the secret that the answers belong to."""
    return Challenges(MASTER, plan or ChallengePlan())


def issue(challenges: Challenges, puzzle: PuzzleName = PuzzleName.WAGNER, effort: int = 1) -> tuple[str, str]:
    """A challenge and its answer."""
    entropy = bytes([list(ANSWERS).index((puzzle, effort))]) * 16
    text = challenges.issue(Scope.SIGN_UP, SUBJECT, effort, puzzle, NOW, entropy)
    return text, ANSWERS[puzzle, effort]
