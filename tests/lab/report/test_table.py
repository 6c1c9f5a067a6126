"""What the terminal shows: whole in a hundred columns, and nothing of it can command the terminal."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console, RenderableType

from tests.lab.staged import played, refused, scenario, who
from tidegate.lab.acts import Ask, Group, Page
from tidegate.lab.hearing import Happened
from tidegate.lab.judge import Findings, Judge, Run, Staging
from tidegate.lab.report.compare import compare
from tidegate.lab.report.sheets import course, sheets
from tidegate.lab.report.table import WIDTH, compared, console, shown


def printed(what: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=WIDTH, highlight=False, markup=False).print(what)
    return out.getvalue()


@pytest.fixture
def findings() -> Findings:
    return played(Judge(scenario())).findings(Staging())


def test_all_of_it_fits_in_a_hundred_columns_without_colours(findings: Findings) -> None:
    text = printed(shown(findings, Run(wall_s=3.2, requests_per_s=3000)))

    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert "\x1b" not in text
    words = " ".join(text.split())
    for said in (
        "A flood in a busy hour",
        "virtual world, gate tidegate, seed 1: 30 min, the first 2 min not judged; 5,310",
        "     97.6 %  of 1,680 questions of established people were good",
        "          Asked    Good  Complete  Refused  Left",
        "New       1,032  77.1 %       852      180     0",
        "request flood  2,400       120  8.7 %     12,000  6,000         0          0  source blocked 2,280",
        "6 min 44 s   open          throttled     auto  sign_up_rate",
    ):
        assert " ".join(said.split()) in words, said


def test_what_is_to_be_known_of_a_run_stands_above_its_figures(findings: Findings) -> None:
    text = printed(shown(findings, Run(notes=("ended early: requests, after 12 s", "\x1b[2Jodd"))))

    assert text.index("Note: ended early: requests, after 12 s") < text.index("97.6 %")
    assert "\x1b" not in text


def test_tables_that_have_nothing_to_say_are_left_out() -> None:
    empty = Judge(scenario()).findings(Staging())

    assert [sheet.title for sheet in sheets(empty)] == ["Incidents", "The service's word"]


def test_long_lists_end_with_how_much_more_there_is() -> None:
    judge = Judge(scenario())
    for number in range(70):
        judge.happened(Happened(at_s=float(number), what="mode", was="open", to="closed"))
        judge.asked(Ask(who(Group.NEW), Page()), refused(200.0, f"reason_{number}"))
    found = {sheet.title: sheet for sheet in sheets(judge.findings(Staging()))}

    assert len(found["Registration's modes"].rows) == 60
    assert found["Registration's modes"].about == "10 more changes are not shown."
    assert found["Why people were refused"].rows[0][2].endswith("reason 18 1, ...")


def test_names_from_a_file_command_no_terminal(findings: Findings) -> None:
    nasty = msgspec.structs.replace(
        findings, title="\x1b[2Jgone [red]", attackers={"\x1b[1A": findings.attackers["request_flood"]}
    )

    text = printed(shown(nasty, Run()))

    assert "\x1b" not in text
    assert "\\x1b[2Jgone [red]" in text


def test_differences_are_shown_with_which_is_better(findings: Findings) -> None:
    other = Judge(scenario()).findings(Staging())

    text = printed(compared(compare(findings, other), "with", "without"))

    assert "with  without" in text
    assert "worse" in text
    assert "better" in text


def test_the_course_is_a_table_of_few_rows(findings: Findings) -> None:
    sheet = course(findings)

    assert len(sheet.rows) <= 24
    assert all(len(row) == len(sheet.columns) for row in sheet.rows)
    assert sheet.rows[0][:4] == ("0 s", "210", "210", "210")
    assert sheet.rows[-1][-1] == "open"
    flood = next(row for row in sheet.rows if row[0] == "15 min")
    assert flood[4:6] == ("46.7 %", "46.7 %")  # forty of its 75 seconds were bad


def test_where_there_is_no_terminal_a_hundred_columns_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert console().width == WIDTH
