"""`tidegate score`: how much each session of an event log looks like a program's, and why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.table import Table

from tidegate.adapters.logs.lines import Complaints, lines
from tidegate.adapters.logs.weights import read_weights, shipped_weights
from tidegate.cli.options import JsonOption
from tidegate.cli.output import NOT_SO, WRONG_USAGE, cell, refuse, whole_console
from tidegate.core.score.gathering import Gathering, Subject
from tidegate.core.score.model import Judged, Measured, Weights, judge_all, measure
from tidegate.core.score.observed import Observed

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN_REASONS = 3
_SHOWN_ROWS = 200
_EXPECTED = "expected an event a line, as `tidegate events export` and `tidegate events import` print them"
_COMPARED = 20_000
"""So many sessions that ended one after the other are kept, 4 KiB each, and compared with one another."""
_NAMED = {Subject.SESSION: "sess", Subject.ACCOUNT: "acct", Subject.SOURCE: "src"}


class _Reading:
    """One pass over an event log."""

    def __init__(self, by: Subject) -> None:
        self.gathering = Gathering(by)
        self.complaints = Complaints()
        self.events = self.judged = self.asked = 0

    def judged_in(self, path: Path, weights: Weights) -> Iterator[Judged]:
        crowd: list[Measured] = []
        for one in self._measured_in(path):
            crowd.append(one)
            if len(crowd) >= _COMPARED:
                yield from map(self._counted, judge_all(crowd, weights))
                crowd = []
        yield from map(self._counted, judge_all(crowd, weights))

    def _measured_in(self, path: Path) -> Iterator[Measured]:
        decoder = msgspec.json.Decoder(Observed)
        for number, line in lines(path, self.complaints):
            try:
                event = decoder.decode(line)
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
                self.complaints.add(path, number, f"{_instead(error)}; {_EXPECTED}")
                continue
            self.events += 1
            for session in self.gathering.note(event):
                yield measure(session, self.gathering.traits)
        for session in self.gathering.rest():
            yield measure(session, self.gathering.traits)

    def _counted(self, judged: Judged) -> Judged:
        self.judged += 1
        self.asked += judged.is_asked
        return judged


def _instead(error: Exception) -> str:
    """What a line is instead of an event, in our words."""
    if not isinstance(error, msgspec.ValidationError):
        return "not JSON"
    field = re.search(r"`(?:\$\.)?(\w+)`(?!.*`)", str(error))
    named = field[1] if field is not None and field[1] in Observed.__struct_fields__ else None
    return f"JSON, and no event (`{named}`)" if named else "JSON, and no event"


def score(
    *,
    events: Annotated[
        Path, typer.Option("--events", metavar="FILE", help="An event log, gzipped or not; - is standard input.")
    ],
    by: Annotated[Subject, typer.Option("--by", help="Of what the score is asked.")] = Subject.SESSION,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="Weights of your own, from tools/fit_score.py.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score each session of an event log from 0, like a person's, to 1, like a program's, with the reasons.

    A score is never alone a ground to keep somebody out: `asked` says whether a challenge would be shown, once
    for the session. What could not be judged for lack of fields is told.
    """
    reading = _Reading(by)
    try:
        model = shipped_weights() if weights is None else read_weights(weights.read_bytes())
        judged = reading.judged_in(events, model)
        if as_json:
            _print_json(judged, reading, model, by)
        else:
            _print_table(judged, by)
    except OSError as error:
        if error.filename is None:  # Not a file that was named: the pipe behind us, or a full disk.
            raise
        refuse(f"{error.filename}: {error.strerror}", WRONG_USAGE)
    except ValueError as error:
        refuse(f"{weights}: {error}", WRONG_USAGE)
    _tell(reading)


def _print_json(judged: Iterator[Judged], reading: _Reading, model: Weights, by: Subject) -> None:
    """Write one JSON value session by session: a large log's answer is not held in memory."""
    out, encoder = typer.get_binary_stream("stdout"), msgspec.json.Encoder()
    head = {"by": by, "ask_from": model.ask_from, "weights": model.provenance}
    out.write(encoder.encode(head)[:-1] + b',"sessions":[')
    for place, one in enumerate(judged):
        out.write((b",\n" if place else b"\n") + encoder.encode(_row(one, by)))
    out.write(b'\n],"summary":' + encoder.encode(_summary(reading)) + b"}\n")
    out.flush()


def _row(one: Judged, by: Subject) -> dict[str, Any]:
    return {
        _NAMED[by]: one.name,
        "score": round(one.score, 6),
        "asked": one.is_asked,
        "events": one.events,
        **({} if one.acct is None or by is Subject.ACCOUNT else {"acct": one.acct}),
        "reasons": one.reasons,
        "not_judged": {"lacking_fields": one.lacking, "too_short_for": one.too_short_for},
    }


def _summary(reading: _Reading) -> dict[str, int]:
    return {
        "events": reading.events,
        "sessions": reading.judged,
        "asked": reading.asked,
        "unreadable_lines": reading.complaints.count,
        "out_of_order": reading.gathering.backward,
        "judged_early": reading.gathering.early,
    }


def _print_table(judged: Iterator[Judged], by: Subject) -> None:
    """Show the most program-like; only those are kept while the log is read."""
    import heapq

    shown = heapq.nlargest(_SHOWN_ROWS, judged, key=lambda one: one.score)
    table = Table("Score", "Asked", by.capitalize(), "Events", "Because", box=None, pad_edge=False)
    for one in shown:
        reasons = ", ".join(f"{cause.words} ({cause.log_odds:+.1f})" for cause in one.reasons[:_SHOWN_REASONS])
        table.add_row(f"{one.score:.2f}", "yes" if one.is_asked else "", cell(one.name), str(one.events), reasons)
    if shown:
        whole_console().print(table)


def _tell(reading: _Reading) -> None:
    bad, summary = reading.complaints, _summary(reading)
    for line in bad.shown:
        typer.echo(line, err=True)
    typer.echo(
        f"{summary['sessions']} scored in {summary['events']} events, {summary['asked']} would be asked; "
        f"{bad.count} lines could not be read.",
        err=True,
    )
    if summary["out_of_order"]:
        typer.echo(f"{summary['out_of_order']} events stood behind later ones: sort the log by time.", err=True)
    if summary["judged_early"]:
        typer.echo(f"{summary['judged_early']} sessions were judged before their end, for want of room.", err=True)
    if bad.count and not reading.events:
        raise typer.Exit(NOT_SO)
