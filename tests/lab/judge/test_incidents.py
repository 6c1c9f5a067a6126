"""When an attack was noticed, borne and over, and whether anything was called one that is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab.staged import answer, played, question, scenario, who
from tidegate.lab.acts import Group
from tidegate.lab.hearing import Happened
from tidegate.lab.judge import Judge, Staging
from tidegate.lab.judge.figures import AlarmFigures, IncidentFigures, Recovery
from tidegate.lab.judge.incidents import MOST_MOVES

TEXT = """
version = 1
name = "one-attack"
title = "One attack"
about = "An attack."
duration_s = 1440
warm_s = 60
[[attack]]
family = "signup_wave"
from_s = 400
until_s = 800
"""
CROWD = "[[crowd]]\nfrom_s = 1000\nuntil_s = 1100\n"


def course(first_s: Callable[[float], float], text: str = TEXT, until_s: int = 1440) -> Judge:
    """Ten questions of established people every two seconds, which are good up to a first token at 2 s."""
    judge = Judge(scenario(text))
    for at in range(0, until_s, 2):
        for number in range(10):
            question(judge, who(Group.ESTABLISHED, number), answer(at + number / 100, first_s(at + number / 100)))
    return judge


def incident(judge: Judge) -> IncidentFigures:
    return judge.findings(Staging()).incidents[0]


def alarms(judge: Judge) -> AlarmFigures:
    return judge.findings(Staging()).alarms


def test_a_goodput_that_never_fell_was_borne_at_once() -> None:
    found = incident(course(lambda at_s: 0.5))

    assert (found.level, found.lowest, found.mitigate_s, found.recover_s) == (1.0, 1.0, 0.0, 0.0)
    assert (found.detect_s, found.detected_by) == (None, "")


def test_mitigation_is_the_first_of_three_good_steps_in_a_row() -> None:
    bad = [(420.0, 440.0), (448.0, 452.0)]

    found = incident(course(lambda at_s: 5.0 if any(a <= at_s < b for a, b in bad) else 0.5))

    assert found.lowest == 0.0
    assert found.mitigate_s == 52.0
    assert found.recover_s == 0.0


def test_what_stays_down_is_neither_borne_nor_over() -> None:
    found = incident(course(lambda at_s: 5.0 if at_s >= 420 else 0.5))

    assert (found.mitigate_s, found.recover_s) == (None, None)


def test_recovery_waits_for_goodput() -> None:
    found = incident(course(lambda at_s: 5.0 if 420 <= at_s < 900 else 0.5))

    assert (found.mitigate_s, found.recover_s) == (500.0, 100.0)


def test_recovery_waits_for_the_mode_that_was_before() -> None:
    judge = course(lambda at_s: 0.5)
    for at_s, was, to in (
        (100.0, "open", "throttled"),
        (410.0, "throttled", "closed"),
        (1000.0, "closed", "throttled"),
    ):
        judge.happened(Happened(at_s=at_s, what="mode", was=was, to=to))

    assert incident(judge).recover_s == 200.0


def test_a_mode_that_stays_closed_is_never_over() -> None:
    judge = course(lambda at_s: 0.5)
    judge.happened(Happened(at_s=410.0, what="mode", was="open", to="closed"))

    assert incident(judge).recover_s is None


def test_what_the_next_one_does_is_not_this_ones() -> None:
    found = incident(course(lambda at_s: 5.0 if 1010 <= at_s < 1200 else 0.5, TEXT + CROWD))

    assert (found.lowest, found.mitigate_s, found.recover_s) == (1.0, 0.0, 0.0)


def test_what_ends_with_the_rehearsal_was_not_seen_to_be_over() -> None:
    """
    Neither that it recovered nor that it did not: nobody looked.
    """
    lasting = TEXT.replace("until_s = 800", "until_s = 1440")
    assert lasting != TEXT
    found = incident(course(lambda at_s: 0.5, lasting))

    assert (found.mitigate_s, found.recover_s, found.recovery) == (0.0, None, Recovery.NOT_OBSERVED)


def test_what_the_next_one_follows_at_once_was_not_seen_to_be_over() -> None:
    found = incident(course(lambda at_s: 0.5, TEXT + CROWD.replace("from_s = 1000", "from_s = 800")))

    assert (found.recover_s, found.recovery) == (None, Recovery.NOT_OBSERVED)


def test_where_nobody_asks_after_it_nothing_was_observed() -> None:
    found = incident(course(lambda at_s: 0.5, until_s=800))

    assert (found.lowest, found.recover_s, found.recovery) == (1.0, None, Recovery.NOT_OBSERVED)


def test_what_was_watched_and_not_as_before_has_not_recovered() -> None:
    found = incident(course(lambda at_s: 5.0 if at_s >= 420 else 0.5))

    assert found.recovery is Recovery.NOT_RECOVERED
    assert incident(course(lambda at_s: 0.5)).recovery is Recovery.RECOVERED


def test_one_question_less_than_good_is_chance() -> None:
    found = incident(course(lambda at_s: 5.0 if round(at_s % 4, 2) == 0.05 else 0.5))

    assert found.level == 0.95
    assert (found.lowest, found.mitigate_s) == (0.95, 0.0)


def test_with_nobody_before_the_level_is_everything() -> None:
    assert incident(Judge(scenario(TEXT))).level == 1.0


def test_an_attack_from_the_first_second_has_nothing_before_it() -> None:
    found = incident(course(lambda at_s: 0.5, TEXT.replace("from_s = 400", "from_s = 0")))

    assert (found.level, found.recover_s) == (1.0, 0.0)


# ---------------------------------------------------------------- signals


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        (Happened(at_s=412.5, what="mode", was="open", to="throttled"), "mode throttled"),
        (Happened(at_s=412.5, what="suspicion", to="guessing"), "suspicion guessing"),
        (Happened(at_s=412.5, what="handover"), "handover"),
    ],
)
def test_the_first_signal_after_the_onset_detects_it(happened: Happened, said: str) -> None:
    judge = Judge(scenario(TEXT))
    judge.happened(Happened(at_s=390.0, what="suspicion", to="early"))
    judge.happened(happened)
    judge.happened(Happened(at_s=420.0, what="suspicion", to="later"))

    assert (incident(judge).detect_s, incident(judge).detected_by) == (12.5, said)


@pytest.mark.parametrize(
    "happened",
    [
        Happened(at_s=410.0, what="mode", was="closed", to="open"),
        Happened(at_s=410.0, what="mode", was="open", to="closed", by="operator"),
        Happened(at_s=410.0, what="handover", by="operator"),
        Happened(at_s=410.0, what="engine", to="down"),
        Happened(at_s=860.0, what="suspicion"),
    ],
)
def test_no_signal_is_what_lowers_comes_from_the_operator_or_long_after(happened: Happened) -> None:
    judge = Judge(scenario(TEXT))
    judge.happened(happened)

    assert incident(judge).detect_s is None


def test_alarms_without_an_attack_are_false_and_counted_one_by_one() -> None:
    judge = Judge(scenario(TEXT))
    for at_s in (30.0, 399.9, 400.0, 799.9, 800.0, 859.9, 860.0):
        judge.happened(Happened(at_s=at_s, what="suspicion", to="guessing"))
    judge.happened(Happened(at_s=900.0, what="handover", to="pressing"))
    judge.happened(Happened(at_s=910.0, what="handover", to="pressing", by="operator"))

    found = alarms(judge)
    assert found.false_alarms == 4
    assert found.false_by == {"suspicion guessing": 3, "handover pressing": 1}
    assert (found.true, found.late) == (2, 2)


def test_closing_in_calm_is_told_and_calls_nobody_an_attacker() -> None:
    judge = Judge(scenario(TEXT))
    for at_s in (100.0, 500.0):
        judge.happened(Happened(at_s=at_s, what="mode", was="open", to="throttled"))
        judge.happened(Happened(at_s=at_s + 5, what="mode", was="throttled", to="open"))

    assert (alarms(judge).raised_in_calm, alarms(judge).false_alarms) == (1, 0)


# ---------------------------------------------------------------- moves, cells


def test_every_move_is_told_up_to_a_bound_and_the_rest_is_counted() -> None:
    judge = Judge(scenario(TEXT))
    for number in range(MOST_MOVES + 5):
        judge.happened(Happened(at_s=float(number), what="mode", was="open", to="open", detail="x"))
    findings = judge.findings(Staging())

    assert (len(findings.moves), findings.moves_left_out) == (MOST_MOVES, 5)
    assert (findings.moves[1].at_s, findings.moves[1].detail) == (1.0, "x")


def test_cells_add_their_signals_moves_and_alarms() -> None:
    one, another = Judge(scenario(TEXT)), Judge(scenario(TEXT), cell=1)
    one.happened(Happened(at_s=450.0, what="mode", was="open", to="closed"))
    another.happened(Happened(at_s=430.0, what="mode", was="open", to="throttled"))
    another.happened(Happened(at_s=820.0, what="suspicion"))
    another.happened(Happened(at_s=1200.0, what="suspicion"))
    one.merge(another)
    findings = one.findings(Staging())

    assert (findings.incidents[0].detect_s, findings.incidents[0].detected_by) == (30.0, "mode throttled")
    assert [(move.at_s, move.cell) for move in findings.moves] == [(430.0, 1), (450.0, 0)]
    assert (findings.alarms.false_alarms, findings.alarms.late) == (1, 1)


def test_the_staged_rehearsal_is_seen_as_it_was_staged() -> None:
    crowd, attack, fault = played(Judge(scenario())).findings(Staging()).incidents

    assert (crowd.kind, crowd.detect_s, crowd.mitigate_s) == ("crowd", 104.5, 0.0)
    assert (attack.name, attack.detect_s, attack.mitigate_s, attack.recover_s) == ("request_flood", 9.5, 40.0, 60.0)
    assert (fault.name, fault.detect_s, fault.mitigate_s) == ("engine_slow", None, 0.0)


def test_a_suspicion_that_ceases_and_a_dry_run_are_no_alarms() -> None:
    """
    Nothing was called an attack by them, and nothing was noticed.
    """
    judge = course(lambda at_s: 0.5)
    for happened in (
        Happened(at_s=390.0, what="suspicion", to="guessing"),
        Happened(at_s=410.0, what="suspicion", was="guessing", to=""),
        Happened(at_s=420.0, what="handover", to="dry_run"),
        Happened(at_s=1300.0, what="suspicion", was="guessing", to=""),
    ):
        judge.happened(happened)

    found = alarms(judge)

    assert (found.false_alarms, found.true, found.late) == (1, 0, 0)
    assert incident(judge).detect_s is None
