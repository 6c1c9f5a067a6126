"""Warm start: from the command to the first 200 of /readyz, model verified and loaded, first token made."""

from __future__ import annotations

import statistics

from service import report, running

STARTS = 5
LIMIT_S = 3.0


def main() -> None:
    """Measure and report."""
    seconds = []
    for _ in range(STARTS + 1):
        with running() as service:
            seconds.append(service.start_s)
    seconds = seconds[1:]  # The first may have had to fetch the model.
    figures = {"min_s": min(seconds), "p50_s": statistics.median(seconds), "max_s": max(seconds), "limit_s": LIMIT_S}
    row = tuple(f"{figures[name]:.2f}" for name in ("min_s", "p50_s", "max_s"))
    report("startup", {"starts": STARTS, **figures}, [("min s", "p50 s", "max s", "limit s"), (*row, f"{LIMIT_S}")])


if __name__ == "__main__":
    main()
