"""Fits the bot score's weights on made-up sessions, judges them on families it has not seen, and writes them.

usage: python -m tools.fit_score [--write] [--logs N] [--seed N]

Every curve starts from steps set by hand (tools/score_priors.py, from what the literature
found to matter) and is moved from there (tools/score_fitting.py). Slope and prior are set by
sessions of another seed, figures are of a third. Only the standard library is needed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
from pathlib import Path

import msgspec

from tidegate.core.score.model import Provenance
from tools.judge_score import GRADES, families, report
from tools.score_fitting import calibrated, fit
from tools.score_rows import rows

WRITTEN = Path("src/tidegate/core/score/weights.json")


def main() -> None:
    """Fit, judge on another seed, and write on request."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--logs", type=int, default=60)
    options.add_argument("--seed", type=int, default=20)
    options.add_argument("--write", action="store_true")
    asked = options.parse_args()
    fitted, others = rows(asked.seed, asked.logs), rows(asked.seed + 2, max(10, asked.logs // 2))
    fresh = rows(asked.seed + 1, max(10, asked.logs // 2))
    weights = calibrated(fit(fitted, asked.seed), others)
    found = report(weights, fresh)
    left_out = families(fitted, fresh, asked.seed)
    for name, (truth, value, share) in sorted(left_out.items(), key=lambda item: (item[1][0], item[0])):
        print(f"{name:<22} {truth:<9} left out: AUC {value:.3f}, asked {share:.1%}")
    told = Provenance(
        source=f"tools/fit_score.py --seed {asked.seed} --logs {asked.logs}: sessions made up by "
        "tools/synthetic_web.py and tools/synthetic_chats.py, steps set by hand from the literature",
        fitted_on=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        sessions=len(fitted),
        families=tuple(sorted({row.family for row in fitted})),
        left_out_auc={
            grade: round(statistics.median(value for truth, value, _ in left_out.values() if truth == grade), 4)
            for grade in GRADES
        },
        note=f"No labelled log of real people went into this. On fresh made-up sessions: {json.dumps(found)}",
    )
    if asked.write:
        weights = msgspec.structs.replace(weights, provenance=told)
        WRITTEN.write_bytes(msgspec.json.format(msgspec.json.encode(weights), indent=1) + b"\n")


if __name__ == "__main__":
    main()
