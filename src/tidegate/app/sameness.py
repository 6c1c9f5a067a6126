"""Watching whether answers are still the pinned model's, as the settings would have it."""

from __future__ import annotations

import time
from collections.abc import Callable

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.pins import PinFile
from tidegate.config import Settings
from tidegate.core.models.sameness import Look
from tidegate.ports.engine import Engine
from tidegate.ports.journal import Journal
from tidegate.services.admission import Admission
from tidegate.services.sameness import SamenessPlan, SamenessWatcher


def sameness_watcher(
    settings: Settings,
    *,
    engine: Engine,
    admission: Admission,
    datadir: DataDir,
    sha256: str,
    journal: Journal,
    looked: Callable[[Look], None],
) -> SamenessWatcher | None:
    """Make the watcher of an engine; None when the settings want none."""
    every_s = settings.engine.fingerprint_s
    if not every_s:
        return None
    return SamenessWatcher(
        engine,
        SamenessPlan(every_s=every_s, sha256=sha256),
        pins=PinFile(datadir),
        journal=journal,
        clock=time.time,
        looked=looked,
        is_crowded=lambda: admission.scheduler.waiting > 0,
    )
