"""`tidegate lab replay`: a record of decisions, decided again under another policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.table import Table

from tidegate.cli.options import JsonOption
from tidegate.cli.output import NOT_SO, WRONG_USAGE, cell, print_json, refuse, whole_console
from tidegate.config import SettingsError, load_settings

if TYPE_CHECKING:
    from tidegate.lab.replay.differences import Differences
    from tidegate.lab.replay.replaying import Alike, Replayed

_LEAST = 0.9
_NOTES = (
    "Callers did what they did: whoever would have been refused or served otherwise might have come again, or not.",
    "Budgets (quotas), sign-ups, connections and passwords are not decided again; lists are as they were recorded.",
)


def replay_record(
    *,
    record: Annotated[
        Path, typer.Argument(metavar="RECORD", help="A file decisions-*.jsonl, or a folder with such files.")
    ],
    policy: Annotated[
        Path, typer.Option("--policy", metavar="FILE", help="The settings to decide by, as a tidegate.toml.")
    ],
    least: Annotated[
        float,
        typer.Option("--least", min=0.0, max=1.0, help="Conclude nothing where less than this share comes out again."),
    ] = _LEAST,
    as_json: JsonOption = False,
) -> None:
    """Decide a recorded time again under another policy, and list what would have been different.

    First it is decided under the policy that was in force: what does not come out as it did there, a replay
    cannot tell anything about. The record is made with `record.decisions = true`.
    """
    from tidegate.app.lab import rules_of
    from tidegate.lab.replay.reading import RecordError
    from tidegate.lab.replay.replaying import replay

    try:
        # Not those of this shell: a policy is what stands in its file.
        rules = rules_of(load_settings(policy, environment={}))
        found = replay(record, rules)
    except (SettingsError, RecordError) as error:
        refuse(str(error), WRONG_USAGE)
    withheld = found.fidelity.withheld(least)
    is_enough = found.fidelity.is_enough(least)
    for standing in withheld:
        found.differences.claims.pop(standing, None)
    if as_json:
        print_json(_told(found, least, withheld, is_enough=is_enough))
    else:
        _print(found, withheld, is_enough=is_enough)
    if not is_enough:
        refuse(
            f"Under the recorded policy too little came out as it did (less than {least:.0%}): nothing is concluded.",
            NOT_SO,
        )


def _told(found: Replayed, least: float, withheld: list[str], *, is_enough: bool) -> dict[str, Any]:
    fidelity, survey = found.fidelity, found.survey
    return {
        "fidelity": {
            "gate": _share(fidelity.gate),
            "claims": {standing: _share(alike) for standing, alike in fidelity.claims.items()},
            "least": least,
            "withheld": withheld,
            "is_enough": is_enough,
        },
        "record": {
            "seconds": round(survey.seconds, 3),
            "decisions": survey.decisions,
            "claims": survey.claims,
            "refused_and_only_counted": survey.refused_uncounted,
            "lost_lines": survey.lost_lines,
            "torn_lines": survey.torn_lines,
            "without_an_end": survey.unended,
            "policies": survey.policies,
            "pace": {"slope": round(survey.pace.slope, 4), "is_assumed": survey.pace.is_assumed},
        },
        "differences": msgspec.to_builtins(found.differences) if is_enough else None,
        "not_known": _NOTES,
    }


def _share(alike: Alike) -> dict[str, float]:
    return {"of": alike.of, "same": alike.same, "share": round(alike.share, 6)}


def _print(found: Replayed, withheld: list[str], *, is_enough: bool) -> None:
    fidelity, survey, console = found.fidelity, found.survey, whole_console()
    typer.echo(f"{survey.decisions} decisions and {survey.claims} claims in {survey.seconds:.0f} s.")
    came = Table("Came out again under the recorded policy", "Of", "Share", box=None)
    for name, alike in (("the gate", fidelity.gate), *fidelity.claims.items()):
        came.add_row(name, str(alike.of), f"{alike.share:.1%}")
    console.print(came)
    for number, what in (
        (survey.refused_uncounted, "refusals of strangers were only counted, and are not decided again"),
        (survey.lost_lines, "lines were lost when they were recorded"),
        (survey.torn_lines, "lines were torn and left out"),
        (len(survey.policies) - 1, "times the recorded policy changed"),
    ):
        if number > 0:
            typer.echo(f"{number} {what}.")
    if survey.pace.is_assumed and survey.claims:
        typer.echo("Too few answers tell how the engine slows down with company: it is taken to share itself equally.")
    if not is_enough:
        return
    for standing in withheld:
        typer.echo(f"Of claims of the class {standing} too few came out again: nothing is concluded of them.")
    _print_differences(found.differences, console.print)
    for note in _NOTES:
        typer.echo(note)


def _print_differences(found: Differences, show: Any) -> None:
    gate = _table("The gate", "Decisions", "Passed", "Would", "Newly refused", "Newly passed")
    for standing, row in found.gate.items():
        numbers = (row.decisions, row.passed_before, row.passed_after, row.passed_to_refused, row.refused_to_passed)
        gate.add_row(standing, *map(str, numbers))
    show(gate)
    _print_moved({standing: row.moved for standing, row in found.gate.items()})
    claims = _table("The engine", "Claims", "Served", "Would be", "No more", "Newly", "Shorter", "Longer")
    waits = _table("Waits, s", "p50", "Would be", "p95", "Would be")
    for standing, one in found.claims.items():
        served = (one.claims, one.served_before, one.served_after, one.served_to_not, one.not_to_served)
        claims.add_row(standing, *map(str, (*served, one.shorter, one.longer)))
        before, after = one.waits_before, one.waits_after
        waits.add_row(standing, *map(_seconds, (before.p50_s, after.p50_s, before.p95_s, after.p95_s)))
    if found.claims:
        show(claims)
        show(waits)
        _print_moved({standing: one.moved for standing, one in found.claims.items()})
    if found.most_changed:
        who = _table("Who changed most", "Changed", "Better", "Worse")
        for changed in found.most_changed:
            who.add_row(cell(changed.who), str(changed.changed), str(changed.better), str(changed.worse))
        show(who)
    else:
        typer.echo("Nothing would have been different.")


def _table(name: str, *figures: str) -> Table:
    table = Table(box=None)
    table.add_column(name)
    for figure in figures:
        table.add_column(figure, justify="right")
    return table


def _print_moved(by_class: dict[str, dict[str, int]]) -> None:
    for standing, moved in by_class.items():
        if moved:
            typer.echo(f"   {standing}: {_moved(moved)}")


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _moved(moved: dict[str, int]) -> str:
    return ", ".join(f"{name}: {number}" for name, number in sorted(moved.items(), key=lambda one: -one[1]))
