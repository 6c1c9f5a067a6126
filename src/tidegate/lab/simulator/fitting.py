"""The plan of a line for the engine behind it, as the service makes it of what it is told and finds."""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.core.admission.cost import CostPlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.lab.calibration import Calibration

_ELSEWHERE: Final = CostPlan(prefill_tok_s=2000.0, decode_tok_s=300.0)
_ELSEWHERE_BATCH_TOKENS: Final = 512
_PLACES_A_READER: Final = 4
_SMALL: Final = 128
"""Whose batches read no more is an engine as the service starts its own: it reads one prompt after the other."""


def is_own(calibration: Calibration, replicas: int) -> bool:
    """Whether it is one engine of the service's own, which reads prompts in the order of its places."""
    return replicas == 1 and calibration.most_tokens - calibration.slots <= _SMALL


def fitted(plan: AdmissionPlan, calibration: Calibration, replicas: int, places: int) -> AdmissionPlan:
    """The plan for so many places of such engines. Of engines elsewhere it believes what the service believes."""
    if is_own(calibration, replicas):
        batch_tokens = max(1, calibration.most_tokens - calibration.slots)
        return msgspec.structs.replace(plan, slots=places, readers=1, batch_tokens=batch_tokens)
    return msgspec.structs.replace(
        plan,
        slots=places,
        readers=max(2, places // _PLACES_A_READER),
        batch_tokens=_ELSEWHERE_BATCH_TOKENS,
        cost=_ELSEWHERE,
    )
