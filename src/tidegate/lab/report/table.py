"""Findings on a terminal: a hundred columns are enough, and colours say nothing that words do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from tidegate.lab.judge.findings import Findings, Run
from tidegate.lab.report.compare import Difference, Verdict
from tidegate.lab.report.sheets import Sheet, sheets
from tidegate.lab.report.words import Tone, count, headlines, seconds

WIDTH: Final = 100
_BETWEEN: Final = 2
_STYLES: Final = {Tone.PLAIN: "", Tone.GOOD: "green", Tone.WARNING: "yellow", Tone.DANGER: "red"}
_VERDICTS: Final = {Verdict.BETTER: "green", Verdict.WORSE: "red", Verdict.OTHER: ""}


def shown(findings: Findings, run: Run, width: int = WIDTH) -> Group:
    """Give everything that was found, to print on so many columns."""
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
        parts += [Text(f"\n{sheet.title}", "bold"), _table(sheet, width)]
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


def console() -> Console:
    """Give a console for it: as wide as the terminal is, and where there is none a hundred columns."""
    plain = Console(highlight=False, markup=False)
    return plain if plain.is_terminal else Console(highlight=False, markup=False, width=WIDTH)


def _table(sheet: Sheet, width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), expand=False)
    for place, (column, wide) in enumerate(zip(sheet.columns, _widths(sheet, width), strict=True)):
        is_word = place == 0 or place in sheet.words
        table.add_column(column, justify="left" if is_word else "right", overflow="fold", width=wide)
    for row in sheet.rows:
        table.add_row(*(Text(_clean(value)) for value in row))
    return table


def _widths(sheet: Sheet, width: int) -> list[int]:
    """How wide each column is: as its longest word where that is possible, and the first ones wide where there is room.

    A table's own way breaks words of one column while another has blanks to spare.
    """
    texts = [[_clean(text) for text in column] for column in zip(sheet.columns, *sheet.rows, strict=True)]
    wanted = [max(map(cell_len, column)) for column in texts]
    found = [max((cell_len(word) for text in column for word in text.split()), default=0) for column in texts]
    room = max(len(found), width - _BETWEEN * (len(found) - 1))
    while sum(found) > room:
        found[found.index(max(found))] -= 1
    for place, most in enumerate(wanted):
        found[place] += min(most - found[place], room - sum(found))
    return found


def _wall(run: Run) -> str:
    return f" in {seconds(run.wall_s)}, {count(run.requests_per_s)} a second" if run.wall_s else ""


def _clean(text: str) -> str:
    """What comes from a file says just this, and nothing that a terminal would obey."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
