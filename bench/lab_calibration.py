"""What the embedded engine can do, measured as `tidegate lab calibrate` does, and how well that predicts.

    python bench/lab_calibration.py [--out FILE] [--name NAME]

Needs a machine with nothing else to do. Sizes that the calibration was not made from check it.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import msgspec
import uvloop
from service import MODEL, report

from tidegate.lab.calibration import encoded
from tidegate.lab.live.calibrate import Calibrated, calibrate

ABOUT = (
    "Measured: SmolLM2-135M-Instruct in the embedded engine, one thread on one core of its own, "
    "service and caller on another, 4 places, batch_tokens 6. Times are as of `speed`."
)


def main() -> None:
    """Measure, check, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--name", default="cpu-smollm2")
    wish = parser.parse_args()

    async def measured() -> Calibrated:
        return await calibrate(wish.name, ABOUT, {"engine": {"model": MODEL}}, progress=print)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(measured())
    rows = [("what", "predicted", "measured", "off")]
    rows += [
        (one.what, f"{1000 * one.predicted_s:,.1f} ms", f"{1000 * one.measured_s:,.1f} ms", f"{one.off:+.1%}")
        for one in found.checks
    ]
    figures = msgspec.to_builtins(found)
    figures["is_good"] = found.is_good
    report("lab calibration", figures, rows)
    if wish.out is not None:
        wish.out.write_bytes(encoded(found.calibration))


if __name__ == "__main__":
    main()
