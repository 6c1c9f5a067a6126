"""What one session did of a web site: pages, what belongs to them, and the pauses between pages.

A view is a page that was got. What a page's script sends (a POST), and what it asks for
again and again while the page is open, is no view, or whoever reads with scripts on would
pause like a timer.

Bounded: of each list and table the first so many entries count, so that a session of a
million requests takes no more memory than one of a thousand.
"""

from __future__ import annotations

import itertools
import re
from typing import Final, NamedTuple

from tidegate.core.score.observed import ASSET, PAGE, Observed

MOST_VIEWS: Final = 512
MOST_PAUSES: Final = 256
MOST_PATHS: Final = 512
_LONGEST_PAUSE_S: Final = 1800.0
_AWAY_S: Final = 3 * 3600.0
_FORWARDED: Final = frozenset({301, 302, 303, 307, 308})
_REFUSED: Final = frozenset({401, 429})
_NUMBER: Final = re.compile(r"\d+")
_ASSET_NAMES: Final = re.compile(
    r"\.(?:css|m?js|map|png|jpe?g|gif|svg|ico|webp|avif|woff2?|ttf|mp[34]|webm)(?:\?|$)", re.IGNORECASE
)
_BEATS: Final = 3
"""So often one after the other: then a page's script asks, and nobody looks."""


class View(NamedTuple):
    """One page that was got: when (Unix s), which, how large (bytes)."""

    t: float
    path: str
    size: float
    is_sent: bool


class Visit:
    """Counts of a session's requests. Times are those of the log and never go back."""

    __slots__ = (
        "_asset_paths",
        "_judged",
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
        "known_ways",
        "longest_stretch_s",
        "page_paths",
        "page_steps",
        "pages",
        "requests",
        "robots_files",
        "straight_ways",
        "unchanged",
        "views",
    )

    def __init__(self, began_at: float) -> None:
        """Begin with nothing seen."""
        self.began_at = self.ended_at = self._stretch_since = began_at
        self.longest_stretch_s = 0.0
        self.requests = self.pages = self.assets = self.assets_again = 0
        self.heads = self.client_errors = self.favicons = self.robots_files = 0
        self.known_referrers = self.bare_referrers = 0
        self.known_ways = self.straight_ways = self.unchanged = 0
        self.ascending = self.counted_up = self.page_steps = 0
        self._last_path: str | None = None
        self.views: list[View] = []
        self._judged: tuple[int, list[View]] = (0, [])
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
        self.unchanged += status == 304  # noqa: PLR2004 - HTTP's "not modified"
        path = event.path or ""
        if path.startswith("/robots.txt"):
            self.robots_files += 1
        elif is_asset(event):
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
        is_sent = event.method not in {"GET", "HEAD", None}
        if len(self.views) < MOST_VIEWS:
            self.views.append(View(event.t, path, event.bytes_out or 0.0, is_sent))
        if is_sent:
            return
        if self.pages and event.referrer is not None:
            self.known_referrers += 1
            self.bare_referrers += event.referrer == "none"
            if event.referrer_path is not None and self._last_path is not None:
                self.known_ways += 1
                self.straight_ways += event.referrer_path == self._last_path
        self.pages += 1
        if path:
            self._note_path(path)

    def seen(self) -> list[View]:
        """Give the pages that somebody may have looked at; what scripts sent where nothing else was asked for."""
        count, told = self._judged
        if count != len(self.views):
            told = [view for view in self.views if not view.is_sent]
            told = _without_beats(told) if len(told) > 1 else list(self.views)
            self._judged = len(self.views), told
        return told

    @property
    def pauses(self) -> list[float]:
        """Seconds from each view to the next, of the first so many; never below zero."""
        seen = self.seen()[: MOST_PAUSES + 1]
        return [min(_LONGEST_PAUSE_S, max(0.0, after.t - before.t)) for before, after in itertools.pairwise(seen)]

    @property
    def sizes(self) -> list[float]:
        """Bytes of the page before each of the pauses."""
        return [view.size for view in self.seen()[:MOST_PAUSES][: len(self.seen()) - 1]]

    def _note_path(self, path: str) -> None:
        if path in self.page_paths or len(self.page_paths) < MOST_PATHS:
            self.page_paths[path] = self.page_paths.get(path, 0) + 1
        if self._last_path is not None and path != self._last_path:
            self.page_steps += 1
            self.ascending += path > self._last_path
            self.counted_up += _is_next(self._last_path, path)
        self._last_path = path


def is_asset(event: Observed) -> bool:
    """Whether a request is for what belongs to a page: by its route, where a log tells none by its address."""
    return event.route == ASSET or (event.route is None and _ASSET_NAMES.search(event.path or "") is not None)


def _without_beats(views: list[View]) -> list[View]:
    """Leave out what is asked for again and again between other pages, as scripts do."""
    again: dict[str, int] = {}
    for before, after in itertools.pairwise(views):
        if before.path and before.path == after.path:
            again[after.path] = again.get(after.path, 0) + 1
    beats = {path for path, count in again.items() if count >= _BEATS}
    rest = [view for view in views if view.path not in beats]
    # Who asks for one page alone does so on purpose.
    return rest if beats and len({view.path for view in rest}) > 1 else views


def _is_next(before: str, after: str) -> bool:
    """Whether two paths are the same but for one number, which went up by one."""
    if _NUMBER.sub("#", before) != _NUMBER.sub("#", after):
        return False
    steps = [
        int(new[-9:]) - int(old[-9:]) for old, new in zip(_NUMBER.findall(before), _NUMBER.findall(after), strict=True)
    ]
    return sum(step != 0 for step in steps) == 1 and 1 in steps
