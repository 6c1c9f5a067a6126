"""The service classes that standing leads to, the best first."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Standing(StrEnum):
    """How well somebody is known.

    `operator`: runs the service. `established`: was served on many days over
    weeks, or is vouched for by an operator. `member`: was served on a few days.
    `newcomer`: has an account. `visitor`: has none, or one that was made while
    a flood ran. `suspect`: there are findings against them, or just now they heed
    nothing that they are told.
    """

    OPERATOR = "operator"
    ESTABLISHED = "established"
    MEMBER = "member"
    NEWCOMER = "newcomer"
    VISITOR = "visitor"
    SUSPECT = "suspect"


RANK: Final = {standing: rank for rank, standing in enumerate(Standing)}
"""0 is the best."""

STRANGERS: Final = frozenset({Standing.NEWCOMER, Standing.VISITOR, Standing.SUSPECT})
"""Those without a history: they compete among themselves, in queues that many of them share."""
