"""Notices that the caller has gone, and frees what it held.

A server does not tell an application that writes to nobody, so somebody has to
listen while the work is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from tidegate.core.reasons import Reason
from tidegate.http.exchange import ClientLeftError
from tidegate.http.refusals import Refusal
from tidegate.services.lifecycle import Lifecycle

T = TypeVar("T")


async def until_gone(
    work: Coroutine[Any, Any, T],
    receive: Receive,
    lifecycle: Lifecycle | None,
    given_up: Coroutine[Any, Any, None] | None = None,
) -> T:
    """Do `work`, but stop it when the caller leaves or the drain limit passes.

    The caller has left, too, once `given_up` comes to its end. Without a
    `lifecycle` the drain limit is for the work itself to keep.

    The request's body must have been read already. Raises ClientLeftError or a
    Refusal; in both cases the work has been cancelled and has cleaned up.
    """
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(receive))
    expiring = None if lifecycle is None else asyncio.ensure_future(lifecycle.expired.wait())
    giving_up = None if given_up is None else asyncio.ensure_future(given_up)
    tasks: list[asyncio.Future[Any]] = [task for task in (doing, leaving, expiring, giving_up) if task is not None]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        if leaving.done() or (giving_up is not None and giving_up.done()):
            raise ClientLeftError
        raise Refusal(
            Reason.SERVER_IS_DRAINING,
            "The service is being stopped or restarted, and ended this answer.",
            retry_after_s=5.0,
        )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
