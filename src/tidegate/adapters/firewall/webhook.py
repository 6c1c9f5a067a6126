"""The operator's own address, told of each element: signed, so that it knows who is speaking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import msgspec

from tidegate.core.firewall.elements import Element
from tidegate.core.firewall.signing import headers
from tidegate.ports.firewall import FirewallUnavailableError

TIMEOUT_S: Final = 10.0
MOST_AT_ONCE: Final = 500
"""Elements in one message."""


class ToldElement(msgspec.Struct, frozen=True, kw_only=True):
    """One element, as the operator's program reads it."""

    prefix: str
    reason: str
    since: str
    until: str
    times: int


class ToldElements(msgspec.Struct, frozen=True, kw_only=True):
    """The elements of one message."""

    elements: list[ToldElement]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The body."""

    type: str
    timestamp: str
    data: ToldElements


class WebhookFirewall:
    """Posts what was added. It is never sent on elsewhere, and only a 2xx says that it arrived."""

    def __init__(
        self, url: str, secret: bytes, clock: Callable[[], float], ahead_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        """`clock` tells the receiver's Unix seconds, `ahead_s` how far they are ahead of those of elements."""
        self._url = url
        self._secret = secret
        self._clock = clock
        self._ahead_s = ahead_s

    async def enforce(self, added: Sequence[Element], live: Sequence[Element]) -> None:
        """Tell of what was added; each element says when it ends."""
        del live
        for first in range(0, len(added), MOST_AT_ONCE):
            await self._tell(added[first : first + MOST_AT_ONCE])

    async def _tell(self, added: Sequence[Element]) -> None:
        ahead_s = self._ahead_s()
        told = ToldElements(elements=[_told(element, ahead_s) for element in added])
        latest_s = max(one.since_s for one in added) + ahead_s
        message = Message(type="firewall.added", timestamp=_iso(latest_s), data=told)
        status = await self._post(msgspec.json.encode(message))
        if not HTTPStatus(200) <= status < HTTPStatus(300):
            msg = f"the webhook answered {status}"
            raise FirewallUnavailableError(msg)

    async def _post(self, body: bytes) -> int:
        import aiohttp  # noqa: PLC0415 - 10 MB that only those shall carry who have a webhook

        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        signed = {"content-type": "application/json", **headers(self._secret, body, self._clock())}
        try:
            async with (
                # No proxy of the environment's, no cookie: the operator has named one address.
                aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.post(self._url, data=body, headers=signed, allow_redirects=False) as response,
            ):
                return response.status
        except (aiohttp.ClientError, TimeoutError, UnicodeError) as error:  # A name that is no name is the last.
            msg = f"the webhook could not be reached ({type(error).__name__})"
            raise FirewallUnavailableError(msg) from error


def _told(element: Element, ahead_s: float) -> ToldElement:
    return ToldElement(
        prefix=str(element.network),
        reason=element.reason.value,
        since=_iso(element.since_s + ahead_s),
        until=_iso(element.until_s + ahead_s),
        times=element.times,
    )


def _iso(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
