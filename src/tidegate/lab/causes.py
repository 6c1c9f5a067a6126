"""What something truly was, in the words of the event log's truth file: the same in both worlds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from tidegate.lab.acts import Group, Who
from tidegate.lab.scenario import Family, Fault, Oddity, Scenario

_CAUSES: Final[dict[str, str]] = {
    Family.SLOW_CLIENTS.value: "request_flood",
    Family.SIGNUP_DRIP.value: "signup_wave",
    Family.EFFORT_INFLATER.value: "signup_wave",
    Family.JAILBREAK.value: "prompt_recon",
    Fault.ENGINE_SLOW.value: "backend_fault",
    Fault.ENGINE_DOWN.value: "backend_fault",
    Fault.REPLICA_BAD.value: "backend_fault",
    Fault.CLOCK_STEP.value: "backend_fault",
    Fault.CONFIGURATION.value: "backend_fault",
    Oddity.SDK_RETRY_BUG.value: "retry_storm",
    Oddity.VIRAL_PROMPT.value: "organic_surge",
    Oddity.CLASSROOM.value: "organic_surge",
    Oddity.PASSWORD_RESET.value: "organic_surge",
    Oddity.NEW_REGION.value: "organic_surge",
    Oddity.SHARED_KEY.value: "organic_surge",
}
"""What an episode is called in the log's vocabulary, where that is not its own name."""


def cause_of(name: str) -> str:
    """The cause that a family, a fault or an oddity is."""
    return _CAUSES.get(name, name)


def truth_of(who: Who) -> str:
    """What somebody is: `human` for all whom the service is for, else which attack they are of."""
    if who.group is not Group.ATTACKER:
        return "human"
    return cause_of(who.family) if who.family else "bot"


class Episode(msgspec.Struct, frozen=True):
    """Something that went on for a while, in seconds since the beginning."""

    from_s: float
    until_s: float
    cause: str
    intensity: float


def episodes(scenario: Scenario) -> Iterator[Episode]:
    """What was going on, in the order of the file."""
    for crowd in scenario.crowd:
        yield Episode(crowd.from_s, crowd.until_s, "organic_surge", crowd.load)
    for attack in scenario.attack:
        yield Episode(attack.from_s, attack.until_s, cause_of(attack.family.value), attack.intensity)
    for broken in scenario.fault:
        yield Episode(broken.from_s, broken.until_s, cause_of(broken.kind.value), 1.0 - broken.factor)
    for odd in scenario.odd:
        yield Episode(odd.from_s, odd.until_s, cause_of(odd.kind.value), odd.intensity)
