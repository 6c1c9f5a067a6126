"""Findings on a terminal: a hundred columns are enough, and colours say nothing that words do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.console import Console, ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from tidegate.lab.judge.findings import Findings, Run
from tidegate.lab.report.compare import Difference, Verdict
from tidegate.lab.report.sheets import Sheet, sheets
from tidegate.lab.report.words import Tone, count, headlines, seconds

WIDTH: Final = 100
_STYLES: Final = {Tone.PLAIN: "", Tone.GOOD: "green", Tone.WARNING: "yellow", Tone.DANGER: "red"}
_VERDICTS: Final = {Verdict.BETTER: "green", Verdict.WORSE: "red", Verdict.OTHER: ""}


def shown(findings: Findings, run: Run) -> Group:
    """Give everything that was found, to print."""
    staging = findings.staging
    head = Text(f"{_clean(findings.title)}\n", "bold")
    head.append(
        f"{findings.scenario}, {staging.world} world, gate {_clean(staging.gate)}, seed {staging.seed}: "
        f"{seconds(findings.duration_s)}, the first {seconds(findings.warm_s)} not judged; "
        f"{count(findings.requests)} requests{_wall(run)}\n",
        "not bold",
    )
    parts: list[ConsoleRenderable] = [head]
    parts += [Text(f"  Note: {_clean(note)}\n", "yellow") for note in run.notes]
    for line in headlines(findings):
        said = Text("  ")
        said.append(f"{line.value:>9}", f"bold {_STYLES[line.tone]}".strip())
        said.append(f"  {line.label}")
        parts.append(said)
    for sheet in sheets(findings):
        parts += [Text(f"\n{sheet.title}", "bold"), _table(sheet)]
    return Group(*parts)


def compared(differences: Iterable[Difference], one: str, another: str) -> Table:
    """Give what differs between two rehearsals, to print."""
    table = Table(box=None, pad_edge=False, expand=False)
    for name in ("Whose", "What"):
        table.add_column(name, overflow="fold")
    for name in (one, another, "Difference"):
        table.add_column(Text(_clean(name)), justify="right", overflow="fold")
    table.add_column("")
    for each in differences:
        values = (each.one_said, each.another_said, each.change_said)
        table.add_row(_clean(each.whose), each.what, *values, Text(each.verdict, _VERDICTS[each.verdict]))
    return table


def console(*, is_wide: bool = False) -> Console:
    """Give a console for it: as wide as the terminal is, and where there is none a hundred columns, or all it takes."""
    plain = Console(highlight=False, markup=False)
    return plain if plain.is_terminal else Console(highlight=False, markup=False, width=1000 if is_wide else WIDTH)


def _table(sheet: Sheet) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), expand=False)
    for place, column in enumerate(sheet.columns):
        is_word = place == 0 or place in sheet.words
        table.add_column(column, justify="left" if is_word else "right", overflow="fold")
    for row in sheet.rows:
        table.add_row(*(Text(_clean(value)) for value in row))
    return table


def _wall(run: Run) -> str:
    return f" in {seconds(run.wall_s)}, {count(run.requests_per_s)} a second" if run.wall_s else ""


def _clean(text: str) -> str:
    """What comes from a file says just this, and nothing that a terminal would obey."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
