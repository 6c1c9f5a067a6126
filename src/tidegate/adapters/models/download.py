"""Bring one URL into a part file, going on where a broken connection stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tidegate.ports.models import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx2

    from tidegate.adapters.models.part import PartFile
    from tidegate.ports.models import Progress

_TRIES_WITHOUT_A_BYTE = 3
_PAUSE_S = 0.5
_OK, _PARTIAL = 200, 206


def download(
    client: httpx2.Client,
    url: str,
    part: PartFile,
    *,
    progress: Progress,
    headers: Mapping[str, str] | None = None,
    before_first_byte: Callable[[int | None], None],
    timeout_s: float = 10.0,
) -> None:
    """Fetch `url`, asking only for the missing rest after a break.

    `before_first_byte` hears the announced length and may refuse by raising.
    Raises ModelUnavailable when the server refuses or stays away.
    """
    # Imported here: only a pull needs an HTTP client, the serving process stays small.
    import httpx2  # noqa: PLC0415 - only a pull needs it

    is_announced = False
    tries = 0
    while True:
        known_bytes = part.size_bytes
        asked = {**(headers or {}), "Accept-Encoding": "identity"}
        if known_bytes:
            asked["Range"] = f"bytes={known_bytes}-"
        try:
            with client.stream("GET", url, headers=asked, follow_redirects=True, timeout=timeout_s) as response:
                total_bytes = _begin(response, part)
                if not is_announced:
                    before_first_byte(total_bytes)
                    is_announced = True
                # Without a chunk size: chunks of a size are collected, and what is collected is lost in a break.
                for chunk in response.iter_bytes():
                    part.write(chunk)
                    progress(part.size_bytes, total_bytes)
                return
        except httpx2.TransportError as fault:
            tries = 0 if part.size_bytes > known_bytes else tries + 1
            if tries >= _TRIES_WITHOUT_A_BYTE:
                host = httpx2.URL(url).host
                msg = f"The download from {host} broke off and could not be resumed; try again later."
                raise ModelUnavailable(msg) from fault
        except (httpx2.HTTPError, httpx2.InvalidURL) as fault:
            msg = f"The download failed: {fault}."
            raise ModelUnavailable(msg) from fault
        time.sleep(_PAUSE_S * tries)


def _begin(response: httpx2.Response, part: PartFile) -> int | None:
    length = response.headers.get("content-length", "")
    remaining_bytes = int(length) if length.isdigit() else None
    if response.status_code == _PARTIAL and response.headers.get("content-range", "").startswith(
        f"bytes {part.size_bytes}-"
    ):
        return None if remaining_bytes is None else part.size_bytes + remaining_bytes
    if response.status_code != _OK:
        msg = f"{response.url.host} answered {response.status_code} {response.reason_phrase}; try again later."
        raise ModelUnavailable(msg)
    part.restart()
    return remaining_bytes
