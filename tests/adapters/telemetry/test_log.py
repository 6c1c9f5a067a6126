"""The log is whole lines of JSON, bounded, private, and never in the way."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import resource
import stat
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidegate.adapters.telemetry.journals import Journals
from tidegate.adapters.telemetry.log import JsonLog, console_echo
from tidegate.core.capacity.health import EngineState
from tidegate.core.events import (
    AccountChanged,
    AnyEvent,
    EngineChanged,
    Level,
    LibrarySpoke,
    RequestCrashed,
    RequestFinished,
    RouteKind,
    ServiceChanged,
    Site,
    Tag,
)
from tidegate.core.identifiers import Fingerprint, RequestId
from tidegate.core.reasons import Reason
from tidegate.testing.journal import RecordingJournal

CANARY = "canary-5f1d"
REQUEST = RequestId.of(b"12345678")
EVENTS: list[AnyEvent] = [
    ServiceChanged(t=1.5, event=Tag.SERVICE_READY, start_s=2.25),
    RequestFinished(
        t=2.5, id=REQUEST, route=RouteKind.CHAT, status=503, total_s=0.1, reason=Reason.SERVER_IS_OVERLOADED
    ),
    RequestCrashed(t=3.5, level=Level.ERROR, id=REQUEST, error=Site("KeyError", 0), raised_at=Site("a.b", 7)),
    EngineChanged(t=4.5, state=EngineState.READY, healthy=True, restarts=0, load_s=1.0),
    AccountChanged(t=5.5, event=Tag.KEY_CREATED, acct=Fingerprint("0" * 16), key=Fingerprint("1" * 16)),
    LibrarySpoke(t=6.5, site=Site("uvicorn.error", 12)),
]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_kind_of_event_is_one_line(log: JsonLog, path: Path) -> None:
    for event in EVENTS:
        log.record(event)

    written = lines(path)
    assert [line["t"] for line in written] == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    assert [line["kind"] for line in written] == ["service", "request", "crash", "engine", "account", "library"]
    assert written[1]["reason"] == "server_is_overloaded"
    assert written[2]["raised_at"] == "a.b:7"


def test_a_line_is_there_as_soon_as_it_is_recorded_and_stays(log: JsonLog, path: Path) -> None:
    log.record(EVENTS[0])
    assert len(lines(path)) == 1
    log.close()

    again = JsonLog(path, max_bytes=1 << 20, kept_files=2)
    again.record(EVENTS[1])
    again.close()

    assert len(lines(path)) == 2


def test_what_goes_to_the_file_goes_to_the_stream(path: Path) -> None:
    echo = io.StringIO()
    log = JsonLog(path, max_bytes=1 << 20, kept_files=1, echo=echo)
    log.record(EVENTS[0])
    log.close()

    assert echo.getvalue() == path.read_text("utf-8")


def test_the_log_turns_over_and_stays_within_its_bound(path: Path) -> None:
    log = JsonLog(path, max_bytes=2000, kept_files=3)
    for _ in range(300):
        log.record(EVENTS[1])
    log.close()

    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["events.jsonl", "events.jsonl.1", "events.jsonl.2", "events.jsonl.3"]
    assert all(file.stat().st_size <= 2000 for file in files)
    assert all(lines(file) for file in files)


def test_only_the_owner_may_read_it_after_turning_over_too(path: Path) -> None:
    before = os.umask(0)
    try:
        log = JsonLog(path, max_bytes=500, kept_files=2)
        for _ in range(30):
            log.record(EVENTS[1])
        log.close()
    finally:
        os.umask(before)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert len(modes) == 3


@contextlib.contextmanager
def no_room_beyond(size_bytes: int) -> Iterator[None]:
    """Let the kernel refuse every write that would make any file larger."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_loses_lines_and_nothing_else(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = JsonLog(path, max_bytes=1 << 20, kept_files=1)
    log.record(EVENTS[0])

    with no_room_beyond(path.stat().st_size):
        for _ in range(200):
            log.record(EVENTS[1])
    log.record(EVENTS[5])

    assert [line["kind"] for line in lines(path)] == ["service", "library"], "it writes again when there is room again"
    with no_room_beyond(path.stat().st_size):
        log.record(EVENTS[1])
        log.close()
    assert capsys.readouterr().err == ""


def test_a_file_that_cannot_be_turned_over_loses_lines_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = JsonLog(path, max_bytes=500, kept_files=1)
    for _ in range(4):
        log.record(EVENTS[1])

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device", CANARY)

    with monkeypatch.context() as disk:
        disk.setattr(os, "rename", refuse)
        for _ in range(20):
            log.record(EVENTS[1])
    log.record(EVENTS[0])
    log.close()

    assert lines(path)[-1]["kind"] == "service", "it writes again when there is room again"
    assert capsys.readouterr().err == ""


def test_a_stream_that_is_gone_is_not_in_the_way(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    log = JsonLog(path, max_bytes=1 << 20, kept_files=1, echo=Gone())
    log.record(EVENTS[0])
    log.close()

    assert len(lines(path)) == 1
    assert capsys.readouterr().err == ""


def test_a_log_that_cannot_be_opened_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        JsonLog(tmp_path / "missing" / "events.jsonl", max_bytes=1, kept_files=1)


# ---------------------------------------------------------------- what libraries say


def _spoken(path: Path) -> str:
    text = path.read_text("utf-8")
    assert CANARY not in text
    return text


def test_of_what_libraries_say_only_the_place_is_kept(log: JsonLog, path: Path) -> None:
    log.listen_to_libraries()
    speaker = logging.getLogger("some.library")

    speaker.warning("request for %s failed", CANARY)
    speaker.error(CANARY, extra={"prompt": CANARY})
    speaker.warning("%s %s", "too few arguments", CANARY, CANARY)
    try:
        raise ValueError(CANARY)
    except ValueError:
        speaker.exception("while doing %s", CANARY)
    _spoken(path)

    written = lines(path)
    assert [line.get("level", "info") for line in written] == ["warning", "error", "warning", "error"]
    assert all(line["site"].startswith("some.library:") for line in written)
    assert [line.get("error") for line in written] == [None, None, None, "ValueError:0"]


def test_a_logger_or_an_exception_named_after_a_prompt_is_unknown(log: JsonLog, path: Path) -> None:
    log.listen_to_libraries()

    logging.getLogger(f"session of {CANARY}").warning("x")
    speaker = logging.getLogger("lib")
    named_after_a_prompt = type(f"Error in {CANARY}", (Exception,), {})
    try:
        raise named_after_a_prompt
    except Exception:
        speaker.exception("x")
    _spoken(path)

    assert [line["site"].split(":")[0] for line in lines(path)] == ["unknown", "lib"]
    assert lines(path)[1]["error"] == "unknown:0"


def test_warnings_become_events_too(log: JsonLog, path: Path) -> None:
    log.listen_to_libraries()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn(f"deprecated: {CANARY}", stacklevel=1)
        logging.captureWarnings(capture=False)

    assert '"py.warnings:' in _spoken(path)


def test_what_libraries_only_mention_is_not_kept(log: JsonLog, path: Path) -> None:
    log.listen_to_libraries()

    logging.getLogger("lib").info("hello")
    logging.getLogger("lib").debug("hello")

    assert lines(path) == []


def test_earlier_handlers_hear_nothing_any_more(log: JsonLog, path: Path) -> None:
    heard = io.StringIO()
    logging.getLogger().addHandler(logging.StreamHandler(heard))

    log.listen_to_libraries()
    logging.getLogger("lib").error(CANARY)

    assert heard.getvalue() == ""
    assert len(lines(path)) == 1


# ---------------------------------------------------------------- several journals, and where to


def test_every_journal_hears_every_event() -> None:
    first, second = RecordingJournal(), RecordingJournal()
    for event in EVENTS:
        Journals(first, second).record(event)

    assert first.events == second.events == EVENTS


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_person_at_a_terminal_is_spared_the_lines(monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    monkeypatch.setattr("sys.stderr", stream)

    assert console_echo() is (None if is_terminal else stream)


async def test_a_thread_writes_its_line_itself_and_takes_none_of_those_that_a_loop_gathers(
    log: JsonLog, path: Path
) -> None:
    """Two that gather in one list could each lose a line to the other."""
    log.record(EVENTS[0])
    thread = threading.Thread(target=log.record, args=(EVENTS[5],))
    thread.start()
    thread.join()
    (written,) = lines(path)
    assert "site" in written, "the thread's, at once, and nothing with it"
    await asyncio.sleep(0)
    assert len(lines(path)) == 2


def test_lines_of_a_loop_that_ended_in_that_moment_do_not_keep_the_next_loop_from_writing(
    log: JsonLog, path: Path
) -> None:
    async def record(event: AnyEvent) -> None:
        log.record(event)

    ended = asyncio.new_event_loop()
    ended.call_soon(ended.stop)
    ended.call_soon(log.record, EVENTS[0])
    ended.run_forever()
    ended.close()
    assert not path.read_text()

    asyncio.run(record(EVENTS[1]))

    assert len(lines(path)) == 2


def test_an_empty_file_is_not_set_aside_for_lines_that_are_longer_than_a_file(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = JsonLog(path, max_bytes=100, kept_files=3)
    log.record(EVENTS[1])
    log.close()
    assert [file.name for file in tmp_path.iterdir()] == ["events.jsonl"]
    assert len(path.read_text()) > 100
