"""Watching whether answers are still the pinned model's, as the settings would have it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.pins import PinFile
from tidegate.config import Settings
from tidegate.core.models.sameness import Look
from tidegate.ports.engine import Engine
from tidegate.ports.journal import Journal
from tidegate.services.admission import Admission
from tidegate.services.lookout import Lookout
from tidegate.services.looks import Target
from tidegate.services.pinning import PinBook


def embedded(engine: Engine, admission: Admission, sha256: str) -> Target:
    """The embedded engine, as what is looked at."""
    return Target(engine=engine, sha256=sha256, is_crowded=lambda: admission.scheduler.waiting > 0)


def lookout(
    settings: Settings,
    targets: Callable[[], Iterable[Target]],
    *,
    datadir: DataDir,
    journal: Journal,
    looked: Callable[[Look], None],
) -> Lookout | None:
    """Make what watches all of them; None when the settings want nobody watched."""
    every_s = settings.engine.fingerprint_s
    if not every_s:
        return None
    book = PinBook(PinFile(datadir))
    return Lookout(targets, every_s, book=book, journal=journal, clock=time.time, looked=looked)
