"""What was refused at the gate is counted for the journal and felt by the pressure, however much it is."""

from __future__ import annotations

from tidegate.core.admission.facts import Lane
from tidegate.core.capacity.pressure import FLOOD, Pressure
from tidegate.core.events import Event, GateRefused
from tidegate.core.identifiers import Fingerprint
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.http.gate.telling import TOLD_AT_ONCE, Telling


class Journal:
    def __init__(self) -> None:
        self.told: list[Event] = []

    def record(self, event: Event) -> None:
        self.told.append(event)


def a_telling() -> tuple[Telling, Journal, Pressure]:
    journal, pressure = Journal(), Pressure()
    return Telling(journal, pressure, Fingerprint, lambda: 1.7e9, lambda: 5.0), journal, pressure


def refuse(telling: Telling, reason: Reason, times: int) -> None:
    for _ in range(times):
        telling.counted(reason, Standing.VISITOR, Lane.PAGE)


def test_a_flood_is_felt_while_it_comes() -> None:
    telling, _, pressure = a_telling()

    refuse(telling, Reason.SLOW_DOWN, int(FLOOD) + TOLD_AT_ONCE - 1)

    assert pressure.is_flooded(5.0)


def test_the_last_few_refusals_are_felt_when_the_journal_is_told() -> None:
    telling, _, pressure = a_telling()
    refuse(telling, Reason.SLOW_DOWN, TOLD_AT_ONCE + 3)

    telling.tell()
    telling.tell()

    assert pressure.level == TOLD_AT_ONCE + 3


def test_a_wrong_key_is_counted_and_no_sign_of_a_flood() -> None:
    telling, journal, pressure = a_telling()
    refuse(telling, Reason.INVALID_API_KEY, 2 * int(FLOOD))
    telling.spared(Reason.SLOW_DOWN)
    telling.spared(Reason.SLOW_DOWN)

    telling.tell()

    assert pressure.level == 0.0
    (told,) = journal.told
    assert isinstance(told, GateRefused)
    assert told.refused == {Reason.INVALID_API_KEY: 2 * int(FLOOD)}
    assert told.would == {Reason.SLOW_DOWN: 2}
