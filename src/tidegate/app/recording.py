"""Puts the record of decisions together, where the settings want one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.decisions import DecisionFiles
from tidegate.app.background import beside
from tidegate.app.fingerprints import fingerprinter
from tidegate.config import Settings
from tidegate.ports.journal import Journal
from tidegate.services.recorder import Recorder
from tidegate.services.recording import Recording

_MIB = 1 << 20


@contextlib.asynccontextmanager
async def open_recording(
    settings: Settings, datadir: DataDir, key: bytes, journal: Journal
) -> AsyncIterator[Recorder | None]:
    """Write down what is decided, from when a door has told what by, and to the end; None where nothing is to be.

    Its fingerprints are made with `key` like those of the log, but remembered apart: a flood of
    addresses must not push out those of the log.
    """
    given = settings.record
    if not given.decisions:
        yield None
        return
    recorder = Recorder(fingerprinter(key), unix_s=time.time(), ticks=time.monotonic)
    files = DecisionFiles(
        datadir.logs_path, most_bytes=given.most_mib * _MIB, keep_days=given.keep_days, clock=time.time
    )
    recording = Recording(recorder, files, journal, time.time)
    try:
        async with beside(recording.write_now_and_then()):
            yield recorder
    finally:
        await recording.close()
