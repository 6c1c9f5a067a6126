"""Two rehearsals side by side: what differs, for whom, and which is better."""

from __future__ import annotations

import msgspec
import pytest

from tests.lab.staged import TEXT, played, scenario
from tidegate.lab.judge import Findings, Judge, Staging
from tidegate.lab.report.compare import IncomparableError, Verdict, compare


@pytest.fixture(scope="module")
def findings() -> Findings:
    return played(Judge(scenario())).findings(Staging())


def test_the_same_differ_in_nothing(findings: Findings) -> None:
    assert compare(findings, findings) == []


def test_each_difference_says_whose_it_is_and_which_is_better(findings: Findings) -> None:
    new = msgspec.structs.replace(findings.people["new"], goodput=0.9, refused=200, needs=1040)
    flood = msgspec.structs.replace(findings.attackers["request_flood"], cost_share=0.0864)
    wave = msgspec.structs.replace(findings.incidents[1], detect_s=None, mitigate_s=10.0)
    other = msgspec.structs.replace(
        findings,
        people={**findings.people, "new": new},
        attackers={"request_flood": flood},
        incidents=(findings.incidents[0], wave, findings.incidents[2]),
    )

    found = {(one.whose, one.what): one for one in compare(findings, other)}

    assert {key: one.verdict for key, one in found.items()} == {
        ("new", "goodput"): Verdict.BETTER,
        ("new", "questions"): Verdict.OTHER,
        ("new", "refused"): Verdict.WORSE,
        ("attack: request flood", "part of all work"): Verdict.BETTER,
        ("attack 2: request flood", "detected after"): Verdict.OTHER,
        ("attack 2: request flood", "mitigated after"): Verdict.BETTER,
    }
    goodput = found["new", "goodput"]
    assert (goodput.one_said, goodput.another_said, goodput.change_said) == ("77.1 %", "90 %", "+12.9 points")
    assert found["attack: request flood", "part of all work"].change_said == "-< 0.1 points"
    assert found["attack 2: request flood", "mitigated after"].change_said == "-30 s"
    assert found["attack 2: request flood", "detected after"].change_said == ""
    assert found["new", "refused"].change_said == "+20"


def test_what_only_one_of_them_has_is_shown_too(findings: Findings) -> None:
    without = msgspec.structs.replace(findings, attackers={})

    for pair in ((findings, without), (without, findings)):
        found = [one for one in compare(*pair) if one.whose == "attack: request flood"]
        assert {one.what for one in found} >= {"admitted", "part of all work"}
        assert all(one.verdict is Verdict.OTHER for one in found)


def test_different_scenarios_are_not_compared_unless_it_is_wanted(findings: Findings) -> None:
    changed = Judge(scenario(TEXT.replace("1800", "1801"))).findings(Staging())
    renamed = Judge(scenario(TEXT.replace("staged-flood", "other"))).findings(Staging())

    with pytest.raises(IncomparableError, match="'staged-flood' was changed between these two"):
        compare(findings, changed)
    with pytest.raises(IncomparableError, match="'staged-flood' and 'other'"):
        compare(findings, renamed)
    assert compare(findings, changed, anyway=True)


def test_what_attackers_of_two_versions_did_is_not_compared_unless_it_is_wanted(findings: Findings) -> None:
    newer = msgspec.structs.replace(findings.staging, families=findings.staging.families + 1)
    others = msgspec.structs.replace(findings, staging=newer)

    with pytest.raises(IncomparableError, match="their attackers are of different versions, 1 and 2"):
        compare(findings, others)
    assert compare(findings, others, anyway=True) == []
