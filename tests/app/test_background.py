"""Work that goes on beside the requests: none of it may fail unheard."""

from __future__ import annotations

import asyncio

import pytest

from tidegate.app.background import beside


async def test_what_fails_is_told_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    ended = asyncio.Event()

    async def failing() -> None:
        raise LookupError

    async def going_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with beside(failing(), going_on()):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        (told,) = caplog.records
        assert told.levelname == "ERROR"
        assert told.exc_info is not None
        assert told.exc_info[0] is LookupError
        assert not ended.is_set()
    assert ended.is_set()
    assert len(caplog.records) == 1, "who is ended with the service has not failed"
