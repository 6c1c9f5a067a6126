"""What writing decisions down costs: what a plain gate and scheduler decide, and such as record; each line's writing.

One core. The plain ones are what a service has that records nothing. A claim is let in, begins and is settled.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from hashlib import blake2s
from itertools import cycle
from pathlib import Path

import msgspec
from service import pin, report

from tidegate.adapters.disk.decisions import DecisionFiles
from tidegate.core.admission.claims import Claim, Spent
from tidegate.core.admission.facts import Bearing, Facts, Lane
from tidegate.core.admission.gate import Gate, GatePlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import StandingPlan
from tidegate.core.standing.register import Register
from tidegate.services import recorder as gathering
from tidegate.services.recorded import RecordedGate, RecordedScheduler
from tidegate.services.recorder import Recorder
from tidegate.testing.standing import a_record

ROUNDS, DECISIONS, SOURCES, CLAIMS = 5, 50_000, 1000, 10_000
NOW = 1_800_000_000.0
LAX = GatePlan(principal_rate=1e6, principal_burst=1e6)
STRICT = GatePlan(strangers_rate=0.001, strangers_burst=1)


def fingerprint(text: str) -> Fingerprint:
    """As the service makes them, without its memory of those made before."""
    return Fingerprint(blake2s(text.encode(), key=b"k" * 32, digest_size=8).hexdigest())


def main() -> None:
    """Measure, and tell."""
    pin(os.getpid(), {min(os.sched_getaffinity(0))})
    gathering.MOST_PENDING = 2 * DECISIONS  # type: ignore[misc] # All of a round is kept, so that its writing is measured.
    who = UserId.of(b"somebody")
    register = Register(StandingPlan(), 10)
    register.know(a_record(who, Standing.ESTABLISHED, NOW))
    known = Facts(address=None, lane=Lane.CALL, bearing=Bearing.GENUINE, principal=who, digest=b"d" * 32)
    strangers = [
        Facts(address=(10 << 24 | number << 8).to_bytes(4, "big"), lane=Lane.PAGE) for number in range(SOURCES)
    ]
    recorder = Recorder(fingerprint, unix_s=NOW, ticks=time.monotonic)
    figures: dict[str, list[float]] = {}
    written: list[tuple[float, int, int]] = []
    for _ in range(ROUNDS):
        for name, plan, asked in (("passed", LAX, [known]), ("refused", STRICT, strangers)):
            plain, recorded = Gate(plan, register), RecordedGate(plan, register, None, recorder)
            figures.setdefault(f"{name}, plain, ns", []).append(each_ns(plain.decide, asked))
            figures.setdefault(f"{name}, recorded, ns", []).append(each_ns(recorded.decide, asked))
            if name == "passed":
                written.append(write(recorder))
            recorder.take()
        for name, scheduler in (
            ("plain", Scheduler(AdmissionPlan())),
            ("recorded", RecordedScheduler(AdmissionPlan(), recorder, 0)),
        ):
            figures.setdefault(f"a claim served, {name}, ns", []).append(served_ns(scheduler, who))
        recorder.take()
    shown = {name: round(statistics.median(found)) for name, found in figures.items()}
    shown["a line written, ns"] = round(statistics.median(ns for ns, _, _ in written))
    shown["a line, bytes"] = written[0][1] // written[0][2]
    report("recording", shown, (("what", "figure"), *((name, str(figure)) for name, figure in shown.items())))


def each_ns(decide: Callable[[Facts, float], object], asked: list[Facts]) -> float:
    """Nanoseconds of one decision, all of them within a tenth of a second of the gate's clock."""
    facts = cycle(asked)
    began = time.perf_counter_ns()
    for number in range(DECISIONS):
        decide(next(facts), NOW + number / (10 * DECISIONS))
    return (time.perf_counter_ns() - began) / DECISIONS


def served_ns(scheduler: Scheduler, who: UserId) -> float:
    """Nanoseconds of one claim that finds a place and is served, one after the other."""
    claim = Claim(principal=who, standing=Standing.ESTABLISHED, cohort=who, prompt_bytes=80, output_tokens=50)
    spent = Spent(prompt_tokens=20, output_tokens=40)
    began = time.perf_counter_ns()
    for number in range(CLAIMS):
        now = 1.0 + number / 100.0
        scheduler.enter(number, claim, now)
        scheduler.began(number, now)
        scheduler.settle(number, spent, now + 0.005)
    return (time.perf_counter_ns() - began) / CLAIMS


def write(recorder: Recorder) -> tuple[float, int, int]:
    """Nanoseconds that one line takes later: its fingerprints, its JSON and the file; and how many bytes all have."""
    with tempfile.TemporaryDirectory() as folder:
        files = DecisionFiles(Path(folder), most_bytes=1 << 30, keep_days=1, clock=time.time)
        files.begin("0" * 16, 1, b"")
        began = time.perf_counter_ns()
        lines = recorder.take()
        encoded = msgspec.json.Encoder().encode_lines(lines)
        files.append(encoded)
        passed_ns = time.perf_counter_ns() - began
        files.close()
    return passed_ns / len(lines), len(encoded), len(lines)


if __name__ == "__main__":
    main()
