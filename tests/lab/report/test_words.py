"""Figures are said as they are, never rounder than they may be."""

from __future__ import annotations

import msgspec
import pytest

from tests.lab.staged import TEXT, played, scenario
from tidegate.lab.judge import Findings, Judge, Staging
from tidegate.lab.judge.figures import Recovery
from tidegate.lab.report.sheets import sheets
from tidegate.lab.report.words import NONE, Tone, count, headlines, percent, recovered, seconds, sentences


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (None, NONE),
        (0, "0 %"),
        (0.0001, "< 0.1 %"),
        (0.5, "50 %"),
        (0.991, "99.1 %"),
        (0.9999, "> 99.9 %"),
        (1, "100 %"),
    ],
)
def test_a_part_is_never_said_to_be_all_or_nothing_when_it_is_not(part: float | None, said: str) -> None:
    assert percent(part) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *(
            (None, NONE),
            (0.0, "0 s"),
            (0.004, "< 0.01 s"),
            (0.4, "0.4 s"),
            (2.25, "2.25 s"),
            (40.0, "40 s"),
            (59.94, "59.9 s"),
        ),
        *((60.0, "1 min"), (104.5, "1 min 44 s"), (3600.0, "1 h"), (5400.0, "1 h 30 min")),
    ],
)
def test_times_are_said_as_people_say_them(value: float | None, said: str) -> None:
    assert seconds(value) == said


def test_thousands_stand_apart() -> None:
    assert count(1234567) == "1,234,567"


@pytest.fixture
def findings() -> Findings:
    return played(Judge(scenario())).findings(Staging())


def test_the_headlines_say_what_each_group_got_and_what_attackers_took(findings: Findings) -> None:
    said = {line.label: (line.value, line.tone) for line in headlines(findings)}

    assert said == {
        "of 1,680 questions of established people were good": ("97.6 %", Tone.GOOD),
        "of 1,032 questions of new people were good": ("77.1 %", Tone.DANGER),
        "of all work was for attackers, who tried 2,400 times": ("8.7 %", Tone.WARNING),
        "false alarms": ("0", Tone.GOOD),
    }


def test_a_calm_rehearsal_speaks_of_no_attackers() -> None:
    calm = TEXT.partition("[[crowd]]")[0]
    findings = Judge(scenario(calm)).findings(Staging())

    assert [line.label for line in headlines(findings)] == ["false alarms"]
    assert sentences(findings) == []


def test_one_false_alarm_is_one_and_a_fair_part_is_a_warning(findings: Findings) -> None:
    alarms = msgspec.structs.replace(findings.alarms, false_alarms=1)
    fair = msgspec.structs.replace(findings.people["new"], goodput=0.9)
    unknown = msgspec.structs.replace(findings.people["established"], goodput=None)
    changed = msgspec.structs.replace(findings, alarms=alarms, people={"established": unknown, "new": fair})

    assert [line.tone for line in headlines(changed)] == [Tone.PLAIN, Tone.WARNING, Tone.WARNING, Tone.DANGER]
    assert headlines(changed)[-1].label == "false alarm"


def test_each_incident_is_told_in_a_sentence(findings: Findings) -> None:
    told = "\n".join(sentences(findings))

    assert "The crowd from 5 min to 10 min: noticed after 1 min 44 s (mode throttled); " in told
    assert "established people's goodput was back after 40 s; all as before 1 min after its end." in told
    assert "nothing rose because of it; established people's goodput never fell; all as before when it ended." in told
    assert "Of 185 waits that were told first, 100 % took no longer." in told
    assert "Attackers made 0 accounts for themselves and got into 0 of others." in told


def test_what_did_not_come_back_is_said(findings: Findings) -> None:
    lost = msgspec.structs.replace(
        findings.incidents[1], mitigate_s=None, recover_s=None, recovery=Recovery.NOT_RECOVERED
    )
    told = sentences(msgspec.structs.replace(findings, incidents=(lost,)))

    assert any("did not come back while it was watched; not all as before" in sentence for sentence in told)
    assert recovered(lost) == "not recovered"


def test_what_nobody_could_see_is_not_said_to_have_failed(findings: Findings) -> None:
    unseen = msgspec.structs.replace(findings.incidents[1], recover_s=None, recovery=Recovery.NOT_OBSERVED)
    changed = msgspec.structs.replace(findings, incidents=(unseen,))

    assert any(sentence.endswith("whether all was as before was not observed.") for sentence in sentences(changed))
    (sheet,) = [one for one in sheets(changed) if one.title == "Incidents"]
    assert [row[-1] for row in sheet.rows] == ["not observed"]
