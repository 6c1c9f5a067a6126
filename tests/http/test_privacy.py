"""Nothing that a caller wrote is ever in the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.asgi import Visit
from tests.http.conftest import CHAT_PATH, Service
from tidegate.adapters.telemetry.log import JsonLog
from tidegate.core.generation.call import Delta
from tidegate.ports.engine import CallRejectedError, EngineBrokeError
from tidegate.testing.engine import saying

CANARY = "canary5f1d"
BODY = {"model": "tide-1", "messages": [{"role": "user", "content": CANARY, "name": CANARY}], "user": CANARY}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[JsonLog]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    opened = JsonLog(tmp_path / "events.jsonl", max_bytes=1 << 20, kept_files=1)
    opened.listen_to_libraries()
    yield opened
    opened.close()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_no_word_of_a_caller_an_engine_or_an_exception_reaches_the_log(
    service: Service, log: JsonLog, tmp_path: Path
) -> None:
    bad_word = {**BODY, "temperature": CANARY}
    bad_model = {**BODY, "model": CANARY}
    for error in (ValueError(CANARY), CallRejectedError(CANARY, CANARY), EngineBrokeError(CANARY), KeyError(CANARY)):
        for script in ([error], [Delta(content=CANARY), error], saying(CANARY)):
            service.engine.script = script
            for stream in (False, True):
                await service.ask("POST", CHAT_PATH, {**BODY, "stream": stream})
    for body in (bad_word, bad_model, CANARY.encode()):
        await service.ask("POST", CHAT_PATH, body)
    headers = {"user-agent": CANARY, "x-request-id": CANARY, "x-stainless-retry-count": CANARY, "origin": CANARY}
    await service.ask("GET", f"/{CANARY}", headers=headers)
    await service.ask("GET", f"/v1/models/{CANARY}")
    await service.ask("GET", "/v1/models", key=CANARY)
    await service.ask(CANARY.upper(), "/v1/models")
    await service.ask("GET", "/healthz", client=(CANARY, 1))
    act = {"act": "create_user", "email": f"{CANARY}@example.org", "password": f"{CANARY} and some more words"}
    await Visit(service.apps.control, "POST", "/acts", body=json.dumps(act).encode()).ask()
    logging.getLogger("asyncio").error("Task exception: %s", CANARY, exc_info=ValueError(CANARY))

    for event in service.journal.events:
        log.record(event)
    log.close()

    written = (tmp_path / "events.jsonl").read_text("utf-8")
    assert len(written.splitlines()) == len(service.journal.events) + 1
    assert len(service.journal.events) > 30
    assert CANARY.lower() not in written.lower()
