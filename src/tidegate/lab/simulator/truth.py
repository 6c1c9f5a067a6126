"""What a rehearsal's log does not say and its truth file does: what was going on when, and who was who."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tidegate.lab.acts import Group, Who
from tidegate.lab.scenario import Family, Fault, Oddity, Scenario
from tidegate.lab.simulator.log_lines import TruthLine
from tidegate.lab.simulator.serving import BASE_UNIX_S

_CAUSES: Final[dict[str, str]] = {
    Family.SLOW_CLIENTS.value: "request_flood",
    Family.SIGNUP_DRIP.value: "signup_wave",
    Family.EFFORT_INFLATER.value: "signup_wave",
    Family.JAILBREAK.value: "prompt_recon",
    Fault.ENGINE_SLOW.value: "backend_fault",
    Fault.ENGINE_DOWN.value: "backend_fault",
    Fault.REPLICA_BAD.value: "backend_fault",
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


def episodes(scenario: Scenario) -> Iterator[TruthLine]:
    """What was going on, in the order of the file."""
    for crowd in scenario.crowd:
        yield _episode(crowd.from_s, crowd.until_s, "organic_surge", crowd.load)
    for attack in scenario.attack:
        yield _episode(attack.from_s, attack.until_s, cause_of(attack.family.value), attack.intensity)
    for broken in scenario.fault:
        yield _episode(broken.from_s, broken.until_s, cause_of(broken.kind.value), 1.0 - broken.factor)
    for odd in scenario.odd:
        yield _episode(odd.from_s, odd.until_s, cause_of(odd.kind.value), odd.intensity)


def _episode(from_s: float, until_s: float, cause: str, intensity: float) -> TruthLine:
    return TruthLine(t0=BASE_UNIX_S + from_s, t1=BASE_UNIX_S + until_s, cause=cause, intensity=round(intensity, 4))
