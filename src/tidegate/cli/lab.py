"""`tidegate lab`: rehearse an attack before it comes, docs/lab.md."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from tidegate.cli.options import ConfigOption, JsonOption
from tidegate.cli.output import INTERRUPTED, NOT_SO, WRONG_USAGE, print_json, refuse, whole_console
from tidegate.config import SettingsError
from tidegate.lab.gates import GateKind
from tidegate.lab.scenario import ScenarioError, World

if TYPE_CHECKING:
    from tidegate.app.lab import RehearsalWish
    from tidegate.lab.judge.findings import Result
    from tidegate.lab.library import Written

lab_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Rehearse an attack, and see what people would get."
)

ScenarioArgument = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A name that `lab list` shows, or a file's path.")
]
_PAGE_FILE = "page.html"
_LOGS = ("events*.jsonl", "truth*.jsonl", "service-events.jsonl")


@lab_app.command("run")
def run_scenario(
    scenario: ScenarioArgument,
    *,
    world: Annotated[
        World | None, typer.Option("--world", help="Where it is played; without it, the first that the scenario names.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=(1 << 63) - 1, help="Dice; without it, the scenario's.")
    ] = None,
    gate: Annotated[GateKind, typer.Option("--gate", help="What stands before the engine.")] = GateKind.TIDEGATE,
    config: ConfigOption = None,
    calibration: Annotated[
        str | None,
        typer.Option("--calibration", metavar="NAME|FILE", help="The engine, as `lab calibrate` measured it."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Keep the findings and the page in this folder.")
    ] = None,
    events: Annotated[
        bool, typer.Option("--events", help="Keep the event log there too, and who was behind each request.")
    ] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the page to this file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Play a scenario and say what everybody got.

    Progress is shown on a terminal. The same scenario, seed and settings give the same findings in the virtual
    world, byte for byte; what depends on the machine stands apart in run.json.
    """
    from tidegate.app.lab import RehearsalWish

    written = _found(scenario)
    place = world or written.scenario.worlds[0]
    if place not in written.scenario.worlds:
        made_for = ", ".join(written.scenario.worlds)
        refuse(f"{scenario}: it is not made for the {place} world; its worlds are: {made_for}", WRONG_USAGE)
    wish = RehearsalWish(
        scenario=written.scenario,
        scenario_text=written.text,
        world=place,
        seed=written.scenario.seed if seed is None else seed,
        gate=gate,
        config=config,
        calibration=calibration,
    )
    if events and out is None:
        refuse("--events needs --out, the folder to keep them in", WRONG_USAGE)
    _look_at_places(out, html)
    result = _played(scenario, wish, out if events else None)
    try:
        _keep(result, _again(scenario, wish), out, html)
    except OSError as error:
        _print(result, as_json=as_json)  # It may have taken an hour.
        refuse(f"{error.filename}: {error.strerror}", WRONG_USAGE)
    _print(result, as_json=as_json)
    if result.run.is_interrupted:
        refuse("Interrupted: the figures are of what was heard until then.", INTERRUPTED)


@lab_app.command("list")
def list_scenarios(*, as_json: JsonOption = False) -> None:
    """Show the scenarios that come with Tidegate."""
    from tidegate.lab.library import find, names
    from tidegate.lab.report.table import console
    from tidegate.lab.report.words import seconds

    found = [find(name).scenario for name in names()]
    if as_json:
        print_json([_row(each) for each in found])
        return
    table = Table("Name", "What", "Lasts", "Worlds", box=None, pad_edge=False)
    for one in found:
        table.add_row(one.name, Text(one.title), seconds(one.duration_s), ", ".join(one.worlds))
    console().print(table)


@lab_app.command("show")
def show_scenario(scenario: ScenarioArgument) -> None:
    """Print a scenario's file, to begin one of your own with."""
    typer.echo(_found(scenario).text.rstrip("\n"))


@lab_app.command("compare")
def compare_runs(
    one: Annotated[Path, typer.Argument(metavar="A", help="What --out or --json of a run kept.")],
    another: Annotated[Path, typer.Argument(metavar="B", help="The same of another run.")],
    *,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also when scenarios or versions of the attackers differ.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what differs between two runs of a scenario, by class, and which is better."""
    from tidegate.lab.judge.findings import FindingsError, read
    from tidegate.lab.report.compare import IncomparableError, compare
    from tidegate.lab.report.table import compared, console

    try:
        findings = (read(one).findings, read(another).findings)
        differences = compare(*findings, anyway=anyway)
    except FindingsError as error:
        refuse(str(error), WRONG_USAGE)
    except IncomparableError as error:
        refuse(f"{error}: --anyway compares them all the same", NOT_SO)
    if as_json:
        print_json({"one": findings[0].staging, "another": findings[1].staging, "differences": differences})
    elif differences:
        names = (one.name, another.name) if one.name != another.name else (str(one), str(another))
        console().print(compared(differences, *names))
    else:
        typer.echo("Nothing differs.")


@lab_app.command("calibrate")
def calibrate_engine(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to keep it, for `lab run --calibration`.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how long the batches of this machine's engine take, for the virtual world.

    Takes about three minutes, in which the machine should have nothing else to do. What was measured is tried on
    calls of other sizes; where one of them is more than a tenth off, the exit status is 1.
    """
    from tidegate.app.lab import RehearsalError, calibrate
    from tidegate.lab.calibration import encoded

    try:
        found = calibrate(out.stem, config, lambda doing: typer.echo(f"{doing} ...", err=True))
        out.write_bytes(encoded(found.calibration))
    except SettingsError as error:
        refuse(str(error), WRONG_USAGE)
    except RehearsalError as error:
        refuse(str(error), NOT_SO)
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}", WRONG_USAGE)
    if as_json:
        print_json(found)
    else:
        table = Table("Tried on", "Predicted", "Measured", "Off", box=None, pad_edge=False)
        for check in found.checks:
            table.add_row(
                check.what,
                f"{1000 * check.predicted_s:.0f} ms",
                f"{1000 * check.measured_s:.0f} ms",
                f"{check.off:+.0%}",
            )
        whole_console().print(table)
        typer.echo(f"{found.calibration.name} is in {out}: {found.calibration.about}")
    if not found.is_good:
        refuse("It predicts worse than within a tenth: measure again when the machine has nothing else to do.", NOT_SO)


def _found(scenario: str) -> Written:
    from tidegate.lab.library import find

    try:
        return find(scenario)
    except ScenarioError as error:
        refuse(str(error), WRONG_USAGE)


def _look_at_places(out: Path | None, html: Path | None) -> None:
    """Refuse places that nothing can be written to, before anything is played."""
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            _try(out / _PAGE_FILE)
            if any(path for pattern in _LOGS for path in out.glob(pattern)):
                refuse(f"{out}: keeps the event log of an earlier run; name another folder", WRONG_USAGE)
        if html is not None:
            _try(html)
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}", WRONG_USAGE)


def _try(path: Path) -> None:
    is_new = not path.exists()
    path.open("ab").close()
    if is_new:
        path.unlink()


def _played(named: str, wish: RehearsalWish, keep: Path | None) -> Result:
    from tidegate.app.lab import RehearsalError, rehearse
    from tidegate.lab.calibration import CalibrationError
    from tidegate.lab.report.progress import Progress
    from tidegate.lab.traces.sources import TraceError

    try:
        with Progress(wish.scenario) as progress:
            wish = msgspec.structs.replace(wish, say=progress.say)
            return rehearse(wish, [progress] if progress.is_shown else [], keep)
    except (ScenarioError, TraceError) as error:
        refuse(f"{named}: {error}", WRONG_USAGE)
    except (SettingsError, CalibrationError) as error:
        refuse(str(error), WRONG_USAGE)
    except RehearsalError as error:
        refuse(str(error), NOT_SO)
    except OSError as error:
        refuse(f"{error.filename or keep}: {error.strerror or error}", NOT_SO)


def _again(scenario: str, wish: RehearsalWish) -> str:
    """Give the command that repeats it."""
    words = ["tidegate", "lab", "run", scenario, "--world", wish.world, "--seed", str(wish.seed), "--gate", wish.gate]
    if wish.config is not None:
        words += ["--config", str(wish.config)]
    if wish.calibration is not None:
        words += ["--calibration", wish.calibration]
    return shlex.join(words)


def _keep(result: Result, command: str, out: Path | None, html: Path | None) -> None:
    from tidegate.lab.judge.findings import write
    from tidegate.lab.report.page import UnbuiltError, page

    if out is not None:
        write(result, out)
    pages = [place for place in (out and out / _PAGE_FILE, html) if place is not None]
    if not pages:
        return
    try:
        text = page(result, command)
    except UnbuiltError as error:
        refuse(str(error), NOT_SO)
    for place in pages:
        place.write_text(text, "utf-8")


def _print(result: Result, *, as_json: bool) -> None:
    from tidegate.lab.judge.findings import encoded
    from tidegate.lab.report.table import console, shown

    if as_json:
        typer.echo(encoded(result).decode(), nl=False)
    else:
        out = console()
        out.print(shown(result.findings, result.run, out.width))


def _row(one: object) -> dict[str, object]:
    return {name: getattr(one, name) for name in ("name", "title", "about", "duration_s", "worlds")}
