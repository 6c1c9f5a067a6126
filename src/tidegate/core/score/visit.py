"""What one session did of a web site: pages, what belongs to them, and the pauses between pages.

Bounded: of each list and table the first so many entries count, so that a session of a
million requests takes no more memory than one of a thousand.
"""

from __future__ import annotations

import re
from typing import Final

from tidegate.core.score.observed import ASSET, PAGE, Observed

MOST_PAUSES: Final = 256
MOST_PATHS: Final = 512
_LONGEST_PAUSE_S: Final = 1800.0
_AWAY_S: Final = 3 * 3600.0
_FORWARDED: Final = frozenset({301, 302, 303, 307, 308})
_REFUSED: Final = frozenset({401, 429})
_NUMBER: Final = re.compile(r"\d+")


class Visit:
    """Counts of a session's requests. Times are those of the log and never go back."""

    __slots__ = (
        "_asset_paths",
        "_last_page_bytes",
        "_last_path",
        "_stretch_since",
        "ascending",
        "assets",
        "assets_again",
        "bare_referrers",
        "began_at",
        "client_errors",
        "counted_up",
        "ended_at",
        "favicons",
        "heads",
        "known_referrers",
        "last_page_at",
        "longest_stretch_s",
        "page_paths",
        "page_steps",
        "pages",
        "pauses",
        "requests",
        "robots_files",
        "sizes",
    )

    def __init__(self, began_at: float) -> None:
        """Begin with nothing seen."""
        self.began_at = self.ended_at = self._stretch_since = began_at
        self.longest_stretch_s = 0.0
        self.requests = self.pages = self.assets = self.assets_again = 0
        self.heads = self.client_errors = self.favicons = self.robots_files = 0
        self.known_referrers = self.bare_referrers = 0
        self.ascending = self.counted_up = self.page_steps = 0
        self.last_page_at: float | None = None
        self._last_page_bytes = 0.0
        self._last_path: str | None = None
        self.pauses: list[float] = []
        self.sizes: list[float] = []
        self.page_paths: dict[str, int] = {}
        self._asset_paths: set[str] = set()

    def note(self, event: Observed) -> None:
        """Count one request."""
        if event.t - self.ended_at > _AWAY_S:
            self._stretch_since = event.t
        self.ended_at = event.t
        self.longest_stretch_s = max(self.longest_stretch_s, event.t - self._stretch_since)
        self.requests += 1
        self.heads += event.method == "HEAD"
        status = event.status or 0
        self.client_errors += 400 <= status < 500 and status not in _REFUSED  # noqa: PLR2004 - HTTP's client errors
        path = event.path or ""
        if path.startswith("/robots.txt"):
            self.robots_files += 1
        elif event.route == ASSET:
            self._note_asset(path, status)
        elif event.route in {PAGE, None} and status not in _FORWARDED:
            self._note_page(event, path)

    def _note_asset(self, path: str, status: int) -> None:
        self.assets += 1
        self.favicons += "favicon" in path or "apple-touch-icon" in path
        if path in self._asset_paths:
            self.assets_again += status == 200  # noqa: PLR2004 - sent whole, though a browser would have kept it
        elif len(self._asset_paths) < MOST_PATHS:
            self._asset_paths.add(path)

    def _note_page(self, event: Observed, path: str) -> None:
        self.pages += 1
        if self.last_page_at is not None:
            if len(self.pauses) < MOST_PAUSES:
                self.pauses.append(min(_LONGEST_PAUSE_S, max(0.0, event.t - self.last_page_at)))
                self.sizes.append(self._last_page_bytes)
            if event.referrer is not None:
                self.known_referrers += 1
                self.bare_referrers += event.referrer == "none"
        self.last_page_at, self._last_page_bytes = event.t, event.bytes_out or 0.0
        if path:
            self._note_path(path)

    def _note_path(self, path: str) -> None:
        if path in self.page_paths or len(self.page_paths) < MOST_PATHS:
            self.page_paths[path] = self.page_paths.get(path, 0) + 1
        if self._last_path is not None and path != self._last_path:
            self.page_steps += 1
            self.ascending += path > self._last_path
            self.counted_up += _is_next(self._last_path, path)
        self._last_path = path


def _is_next(before: str, after: str) -> bool:
    """Whether two paths are the same but for one number, which went up by one."""
    if _NUMBER.sub("#", before) != _NUMBER.sub("#", after):
        return False
    steps = [
        int(new[-9:]) - int(old[-9:]) for old, new in zip(_NUMBER.findall(before), _NUMBER.findall(after), strict=True)
    ]
    return sum(step != 0 for step in steps) == 1 and 1 in steps
