"""The first visit to the chat is light, and the second loads almost nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.integration.running import environment

MEASUREMENT = Path(__file__).parents[2] / "bench" / "first_load.py"


def test_the_first_visit_is_light_and_the_second_almost_free(chromium: str, models: Path) -> None:
    measured = subprocess.run(
        [sys.executable, MEASUREMENT],
        env=environment(models, CHROMIUM=chromium),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert measured.returncode == 0, measured.stdout + measured.stderr
    figures = json.loads(measured.stdout.splitlines()[-1])
    # What it found is no accident of an empty page: the script alone is larger than this.
    assert 20_000 < figures["first_bytes"] <= figures["most_bytes"] == 60_000
    assert 5 <= figures["first_requests"] <= figures["most_requests"] == 10
    assert 0 < figures["again_bytes"] <= figures["most_bytes_again"] == 6_000
