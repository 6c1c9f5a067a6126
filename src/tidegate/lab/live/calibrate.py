"""Measures the real engine, by way of the service, and answers what the virtual world needs to know of it.

Takes two to three minutes. Probes of all sizes take turns, because a shared machine is not equally fast for long;
what they came to is told as of the middle speed that was seen. Sizes of their own check the result.
"""

from __future__ import annotations

import contextlib
import os
import random
import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Final, Self

import msgspec

from tidegate.lab.acts import Group, Who
from tidegate.lab.calibration import Calibration
from tidegate.lab.live import processes
from tidegate.lab.live.accounts import Accounts
from tidegate.lab.live.faults import merged
from tidegate.lab.live.fitting import Beside, Fitted, Read, Wrote, fit
from tidegate.lab.live.lines import Lines
from tidegate.lab.live.probing import Probe, Prober
from tidegate.lab.live.prompts import Prompts
from tidegate.lab.live.service import PROGRAM, LiveError, LiveService, running
from tidegate.lab.live.tongue import Tongue, tongue_of

FIT_ROUNDS: Final = 5
CHECK_ROUNDS: Final = 3
READ_FOR_FIT: Final = (50, 90, 140, 220)
READ_FOR_CHECK: Final = (60, 110, 180)
READ_BESIDE: Final = 50
BESIDE_TOKENS: Final = 120
WRITTEN_TOKENS: Final = 56
SHORT_TOKENS: Final = 60
LONGEST_S: Final = 140.0
"""No further round begins after this."""
_SETTINGS: Final = {
    # No looks at the model's sameness meanwhile, and nobody's limits in the way of one caller.
    "engine": {"fingerprint_s": 0.0},
    "admission": {"usual_burst_s": 86_400.0, "usual_part": 1.0, "gap_s": 5.0},
}
_DEFAULT_SLOTS: Final = 4
_LEAST_SLOTS: Final = 2
_DEFAULT_BATCH_TOKENS: Final = 6
_CALLER: Final = Who(name="lab-calibration", group=Group.ESTABLISHED, address=0, has_account=True)


_WRITE, _READ, _BESIDE = "write", "read", "beside"
_Todo = tuple[list[tuple[int, "Probe"]], int, str]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement that the calibration was not made from. Seconds."""

    what: str
    predicted_s: float
    measured_s: float

    @property
    def off(self) -> float:
        """How far the prediction is off, as a part of what was measured."""
        return self.predicted_s / self.measured_s - 1.0


class Calibrated(msgspec.Struct, frozen=True, kw_only=True):
    """A calibration, how well it predicts, and how many probes counted, of how many."""

    calibration: Calibration
    checks: list[Check]
    probes: int
    counted: int
    took_s: float
    slowest: float
    fastest: float

    @property
    def is_good(self) -> bool:
        """Whether every prediction is within a tenth of what was measured."""
        return all(abs(check.off) <= 0.1 for check in self.checks)  # noqa: PLR2004 - as the line above says


class _Probes(msgspec.Struct):
    wrote: list[tuple[int, Probe]] = []
    read: list[tuple[int, Probe]] = []
    beside: list[tuple[int, Probe]] = []
    wrote_checks: list[tuple[int, Probe]] = []
    read_checks: list[tuple[int, Probe]] = []
    beside_checks: list[tuple[int, Probe]] = []
    ended: list[tuple[int, Probe]] = []
    cut: list[tuple[int, Probe]] = []

    def all(self) -> list[Probe]:
        """Every probe."""
        fitted = (self.wrote, self.read, self.beside, self.ended, self.cut)
        lists = (*fitted, self.wrote_checks, self.read_checks, self.beside_checks)
        return [probe for found in lists for _, probe in found]


async def calibrate(
    name: str,
    about: str,
    settings: Mapping[str, Any] | None = None,
    *,
    program: Sequence[str] = PROGRAM,
    progress: Callable[[str], None] = lambda _: None,
) -> Calibrated:
    """Measure the engine that these settings begin. Raises LiveError where it does not start or answer.

    The machine should have nothing else to do. On two cores or more the engine has all but the first.
    """
    began_at, given = monotonic(), dict(settings or {})
    engine = given.get("engine", {})
    # With one place there is nothing by which to tell what a batch takes from what an answer takes in it.
    slots = max(_LEAST_SLOTS, int(engine.get("slots", _DEFAULT_SLOTS)))
    asked = merged(given, {"engine": {"slots": slots}})
    most_tokens = slots + int(engine.get("batch_tokens", _DEFAULT_BATCH_TOKENS))
    probes, cores = _Probes(), processes.cores()
    bytes_per_token, keeps_prefix, prefix_tokens = 0.0, False, 0
    try:
        progress(f"measuring with {slots} places")
        async with _Bench(merged(asked, _SETTINGS), cores, program) as bench:
            tongue = bench.tongue
            bytes_per_token, keeps_prefix, prefix_tokens = await bench.prober.look_at_prefix()
            await _rounds(bench.prober, probes, slots, began_at, progress)
        progress("measuring how soon a place is free")
        async with _Bench(merged(merged(asked, _SETTINGS), {"engine": {"slots": 1}}), cores, program) as bench:
            for _ in range(FIT_ROUNDS):
                probes.ended.append((0, await bench.prober.follow(SHORT_TOKENS, is_cut=False)))
                probes.cut.append((0, await bench.prober.follow(SHORT_TOKENS, is_cut=True)))
    finally:
        processes.pin(os.getpid(), cores)
    found = probes.all()
    speeds = [probe.speed for probe in found]
    speed = statistics.median(speeds)
    try:
        fitted = _fit(probes, most_tokens, speed)
    except ValueError:
        msg = f"this machine is too slow or too busy to be measured within {LONGEST_S:.0f} s"
        raise LiveError(msg) from None
    one_place = msgspec.structs.replace(fitted, most_tokens=most_tokens - slots + 1)
    writing_alone = [probe.spread for at_once, probe in _steady(probes.wrote) if at_once == 1]
    calibration = Calibration(
        name=name,
        about=about,
        slots=slots,
        most_tokens=most_tokens,
        batch_s=round(fitted.batch_s, 6),
        write_s=round(fitted.write_s, 6),
        read_s=round(fitted.read_s, 6),
        mixed_s=round(fitted.mixed_s, 6),
        is_split=True,
        begin_s=round(fitted.begin_s, 6),
        end_s=round(_after(probes.ended, one_place, speed), 6),
        free_s=round(_after(probes.cut, one_place, speed), 6),
        bytes_per_token=round(bytes_per_token, 3),
        template_tokens=round(tongue.around),
        keeps_prefix=keeps_prefix,
        prefix_tokens=prefix_tokens,
        speed=round(speed),
        spread=round(min(1.0, statistics.median(writing_alone)), 4) if writing_alone else 0.0,
    )
    return Calibrated(
        calibration=calibration,
        checks=_checks(probes, fitted, speed),
        probes=len(found),
        counted=sum(probe.is_steady for probe in found),
        took_s=monotonic() - began_at,
        slowest=min(speeds),
        fastest=max(speeds),
    )


async def _rounds(
    prober: Prober, probes: _Probes, slots: int, began_at: float, progress: Callable[[str], None]
) -> None:
    """All sizes by turns, in another order each time; those of the check every other round."""
    dice = random.Random(7)  # noqa: S311 - an order, no secret
    known = round(prober.known_tokens)
    # One, or all: of some, nobody outside knows whether their places are neighbours.
    at_once = sorted({1, slots})
    for number in range(FIT_ROUNDS):
        is_check = number < CHECK_ROUNDS
        todo: list[_Todo] = [(probes.wrote, one, _WRITE) for one in at_once]
        todo += [(probes.read, one, _READ) for one in READ_FOR_FIT]
        todo += [(probes.beside, one, _BESIDE) for one in {slots - 1} - {0}]
        if is_check:
            todo += [(probes.wrote_checks, one, _WRITE) for one in at_once]
            todo += [(probes.read_checks, one, _READ) for one in READ_FOR_CHECK]
            todo += [(probes.beside_checks, one, _BESIDE) for one in {slots - 1} - {0}]
        dice.shuffle(todo)
        for found, size, doing in todo:
            if monotonic() - began_at > LONGEST_S:
                return
            if doing == _WRITE:
                probe = await prober.write(size, WRITTEN_TOKENS, SHORT_TOKENS)
            elif doing == _READ:
                probe = await prober.read(size + known)
            else:
                probe = await prober.beside(size, BESIDE_TOKENS, READ_BESIDE + known)
            found.append((size, probe))
        progress(f"round {number + 1} of {FIT_ROUNDS}")


def _steady(probes: Iterable[tuple[int, Probe]]) -> list[tuple[int, Probe]]:
    """Those during which the engine had its core to itself and the core did not change; the best two where none had."""
    found = [one for one in probes if one[1].gap_s or one[1].first_s]
    return [one for one in found if one[1].is_steady] or sorted(found, key=lambda one: -one[1].share)[:2]


def _fit(probes: _Probes, most_tokens: int, speed: float) -> Fitted:
    wrote = [
        Wrote(at_once, probe.at(probe.gap_s, speed))
        for size in {one for one, _ in probes.wrote}
        for at_once, probe in _steady(one for one in probes.wrote if one[0] == size)
    ]
    read = [
        Read(probe.tokens, probe.at(probe.first_s, speed))
        for size in {one for one, _ in probes.read}
        for _, probe in _steady(one for one in probes.read if one[0] == size)
    ]
    beside = [
        Beside(writing, probe.at(probe.gap_s, speed))
        for size in {one for one, _ in probes.beside}
        for writing, probe in _steady(one for one in probes.beside if one[0] == size)
    ]
    return fit(wrote, read, most_tokens, beside)


def _after(probes: Sequence[tuple[int, Probe]], fitted: Fitted, speed: float) -> float:
    """What goes by from the end of one call until the next has its place, beyond what each call takes anyway."""
    left = [probe.at(probe.first_s, speed) - fitted.first_s(probe.tokens) for _, probe in _steady(probes)]
    return max(0.0, statistics.median(left)) if left else 0.0


def _checks(probes: _Probes, fitted: Fitted, speed: float) -> list[Check]:
    found = []
    for at_once in sorted({one for one, _ in probes.wrote_checks}):
        wrote = _steady(one for one in probes.wrote_checks if one[0] == at_once)
        if wrote:
            measured_s = statistics.median(probe.at(probe.gap_s, speed) for _, probe in wrote)
            what = f"gap between tokens, {at_once} at once"
            found.append(Check(what=what, predicted_s=fitted.gap_s(at_once), measured_s=measured_s))
    for writing in sorted({one for one, _ in probes.beside_checks}):
        beside = _steady(one for one in probes.beside_checks if one[0] == writing)
        if beside:
            measured_s = statistics.median(probe.at(probe.gap_s, speed) for _, probe in beside)
            what = f"gap of {writing} beside a prompt that is read"
            found.append(Check(what=what, predicted_s=fitted.beside_s(writing), measured_s=measured_s))
    for size in sorted({one for one, _ in probes.read_checks}):
        read = [probe for _, probe in _steady(one for one in probes.read_checks if one[0] == size)]
        if read:
            tokens = round(statistics.median(probe.tokens for probe in read))
            measured_s = statistics.median(probe.at(probe.first_s, speed) for probe in read)
            what = f"first token of a prompt of {tokens}"
            found.append(Check(what=what, predicted_s=fitted.first_s(tokens), measured_s=measured_s))
    return found


class _Bench:
    """A service that is measured, with the only caller that it has."""

    def __init__(self, settings: Mapping[str, Any], cores: Sequence[int], program: Sequence[str]) -> None:
        self._settings = settings
        self._program = program
        self._cores = cores
        self._stack = contextlib.AsyncExitStack()
        self.tongue = Tongue()
        self.prober: Prober

    async def __aenter__(self) -> Self:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-calibrate-"))
        try:
            service = await self._stack.enter_async_context(running(self._settings, Path(folder), self._program))
            await self._begin(service)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *ended: object) -> None:
        await self._stack.aclose()

    async def _begin(self, service: LiveService) -> None:
        core = None
        engine = service.engine_pid
        if len(self._cores) >= 2 and engine is not None:  # noqa: PLR2004 - one for each
            core = self._cores[1]
            processes.pin(engine, self._cores[1:])
            processes.pin(service.pid, self._cores[:1])
            processes.pin(os.getpid(), self._cores[:1])
        lines = Lines(service.port, most=64)
        self._stack.push_async_callback(lines.close)
        key, vitals = await Accounts(service).key(_CALLER), await service.vitals()
        if vitals is None or not vitals["models"]:
            msg = "the service does not say which model it serves"
            raise LiveError(msg)
        model = str(vitals["models"][0]["id"])
        self.tongue = await tongue_of(lines, model, key)
        self.prober = Prober(lines, model, key, Prompts(7, self.tongue), core, engine)
