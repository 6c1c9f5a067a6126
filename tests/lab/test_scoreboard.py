"""The scoreboard sets gates side by side, says what figures mean, and fails on a false alarm where nobody attacks."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.lab.staged import TEXT, played, scenario
from tidegate.lab.gates import GateKind
from tidegate.lab.judge import Findings, Judge, Staging, definitions
from tidegate.lab.library import find, names
from tools import scoreboard
from tools.scoreboard import Head, Large, beginning, page
from tools.scoreboard_tables import Table, calm, false_alarms, tables, written

CALM_TEXT = TEXT.replace("[[attack]]\nfamily", "[[odd]]\nkind").replace("request_flood", "classroom")
HEAD = Head(commit="abc", date="2025-01-01", machine="a laptop")


def findings(text: str = TEXT, gate: GateKind = GateKind.TIDEGATE, seconds: int = 1800) -> Findings:
    staging = Staging(gate=gate, seed=7, calibration="one-gpu")
    return played(Judge(scenario(text)), seconds=seconds).findings(staging)


@pytest.fixture(scope="module")
def board() -> dict[str, dict[GateKind, Findings]]:
    attacked = {gate: findings(gate=gate, seconds=1200 + 300 * place) for place, gate in enumerate(GateKind)}
    return {"attacked": attacked, "alone": {GateKind.TIDEGATE: findings(CALM_TEXT, seconds=600)}}


def table(board: dict[str, dict[GateKind, Findings]], asked: str) -> Table:
    return next(one for one in tables(board) if asked in one.question)


def test_the_gates_stand_side_by_side(board: dict[str, dict[GateKind, Findings]]) -> None:
    shown = table(board, "were there before")

    assert shown.columns[2:] == ("Goodput: tidegate", "Goodput: off", "Goodput: by-address")
    assert shown.rows == (
        ("attacked", "1,080", "96.3 %", "97.1 %", "97.6 %"),
        ("alone", "480", "100 %", "\N{EN DASH}", "\N{EN DASH}"),
    )


def test_what_attackers_took_stands_by_family_and_gate(board: dict[str, dict[GateKind, Findings]]) -> None:
    (row,) = table(board, "work is for attackers").rows

    assert row[:5] == ("attacked", "request flood", "2,400", "2,400", "2,400")
    assert all(said.endswith(" %") for said in row[5:])


def test_what_nobody_won_is_not_told(board: dict[str, dict[GateKind, Findings]]) -> None:
    assert all("What else" not in one.question for one in tables(board))

    attackers = {
        name: msgspec.structs.replace(one, accounts_won=3)
        for name, one in board["attacked"][GateKind.OFF].attackers.items()
    }
    won = {"attacked": {GateKind.OFF: msgspec.structs.replace(board["attacked"][GateKind.OFF], attackers=attackers)}}

    assert table(won, "What else").rows[0][2:5] == ("\N{EN DASH}", "3", "\N{EN DASH}")


def test_every_table_says_what_its_figures_mean_in_the_words_of_the_reference(
    board: dict[str, dict[GateKind, Findings]],
) -> None:
    says = {(one.table, one.field): one.says for one in definitions()}

    for one in tables(board):
        text = written(one)
        assert one.figures
        assert all(f"`{name}.{field}`): {says[name, field]}" in text for name, field in one.figures)
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) == 1
        assert all(len(row) == len(one.columns) for row in one.rows)


def test_each_incident_is_told_with_how_low_it_was_without_the_gate(board: dict[str, dict[GateKind, Findings]]) -> None:
    rows = table(board, "noticed, borne").rows

    assert [row[1] for row in rows[:3]] == ["crowd", "attack: request flood", "fault: engine slow"]
    assert rows[1][4:6] == ("9.5 s", "suspicion pressing")
    assert "\N{EN DASH}" not in rows[1][-2:]


def test_a_mode_that_changed_often_is_told_by_its_first_changes(board: dict[str, dict[GateKind, Findings]]) -> None:
    attacked = board["attacked"][GateKind.TIDEGATE]
    restless = msgspec.structs.replace(attacked, moves=attacked.moves * 5, moves_left_out=2)
    row = table({"restless": {GateKind.TIDEGATE: restless}}, "change its mode").rows[0]

    assert row[1] == str(5 * len(attacked.moves) + 2)
    assert row[2] == "waiting room"
    assert row[4].startswith("throttled at 6 min 44 s, open at ")
    assert row[4].endswith(", ...")


def test_a_false_alarm_counts_where_nobody_attacks_and_only_there(board: dict[str, dict[GateKind, Findings]]) -> None:
    assert calm(board) == ["alone"]
    assert false_alarms(board) == {}

    alarmed = {**board, "alone": {GateKind.TIDEGATE: findings(CALM_TEXT)}}

    assert false_alarms(alarmed) == {"alone": 2}
    assert [row[-1] for row in table(alarmed, "called an attacker").rows] == ["\N{EN DASH}", "wrong"]


def test_nobody_attacks_in_the_scenarios_that_must_be_quiet() -> None:
    quiet = [name for name in names() if not find(name).scenario.attack]

    assert quiet == sorted(
        [
            *("calm-day", "viral-day", "replica-fault"),
            *("classroom", "new-region", "password-reset", "sdk-retry-bug", "shared-key", "viral-prompt"),
        ]
    )


def test_only_the_head_depends_on_the_machine(board: dict[str, dict[GateKind, Findings]]) -> None:
    elsewhere = Head(commit="abc", date="2025-01-01", machine="a rack", only_s=90.0)
    one, another = page(HEAD, board, None), page(elsewhere, board, None)

    assert one != another
    assert one.partition("## ")[2] == another.partition("## ")[2]
    assert "- Dice: seed 7." in one
    assert "one-gpu" in one
    assert "only the first 1 min 30 s" in another


def test_a_part_of_the_large_scenario_is_told_as_a_part(board: dict[str, dict[GateKind, Findings]]) -> None:
    large = Large(cells=4, of=100, cpu_s=60.0, peak_mib=120.4, findings=findings())

    assert "4 of 100 services were played" in page(HEAD, board, large)
    assert "all would take it 25 min" in page(HEAD, board, large)


def test_a_beginning_leaves_out_what_comes_later() -> None:
    short = beginning(scenario(), 1000.0)

    assert (short.duration_s, short.warm_s) == (1000.0, 120.0)
    assert [one.until_s for one in short.attack] == [1000.0]
    assert [one.until_s for one in short.crowd] == [600.0]
    assert short.fault == ()
    assert beginning(scenario(), 1e6) == scenario()


@pytest.mark.parametrize(("seconds", "status"), [(600, 0), (1800, 1)])
def test_it_fails_where_somebody_was_called_an_attacker_and_nobody_was(
    seconds: int,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = {"alone": {GateKind.TIDEGATE: findings(CALM_TEXT, seconds=seconds)}}
    monkeypatch.setattr(scoreboard, "play_all", lambda jobs: found if len(jobs) == len(GateKind) else {})
    monkeypatch.setattr(scoreboard, "_today", lambda only_s: HEAD if only_s is None else None)
    kept = tmp_path / "all.json"

    assert scoreboard.main(["--only", "calm-day", "--json", str(kept)]) == status

    told = capsys.readouterr()
    assert told.out.startswith("<!-- Written by tools/scoreboard.py")
    assert ("alone: 2 false alarms" in told.err) == bool(status)
    assert msgspec.json.decode(kept.read_bytes(), type=dict[str, dict[str, Findings]]) == found


def test_a_name_that_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        scoreboard.main(["--only", "calm-day,nope"])

    assert "nope" in capsys.readouterr().err


def test_the_large_scenario_is_played_beside_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = Large(cells=4, of=100, cpu_s=60.0, peak_mib=120.4, findings=findings())
    monkeypatch.setattr(scoreboard, "play_large", lambda: large)
    monkeypatch.setattr(scoreboard, "_today", lambda only_s: HEAD if only_s is None else None)
    path = tmp_path / "page.md"

    assert scoreboard.main(["--only", "internet-scale", "--out", str(path)]) == 0
    assert "| internet-scale | 1,680 | 97.6 % | \N{EN DASH} | \N{EN DASH} |" in path.read_text("utf-8")
