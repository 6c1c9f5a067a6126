"""Which requests to a wrapped application ask something of a model, and whose keys count where.

Paths are those that the application's router sees, decoded and below its root: a
path that is written in another way leads to the same handler, and must not lead
around the gate.

Keys are the application's to judge, and it does so where models are asked. What it
answers elsewhere says nothing of a key: there a key counts only if it is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from starlette.routing import compile_path
from starlette.types import Scope

from tidegate.core.admission.facts import Bearing, Lane
from tidegate.core.credentials import Genuine
from tidegate.http.gate.callers import PassedKeys
from tidegate.http.gate.credential import Headers
from tidegate.http.gate.guard import Untried
from tidegate.http.gate.lanes import Entry, Wanted, path_of

ASKED: Final = tuple(
    prefix + path
    for prefix in ("/v1", "")
    for path in ("/chat/completions", "/completions", "/embeddings", "/responses", "/messages")
)
"""Where OpenAI's and Anthropic's clients ask models something."""

SPARED: Final = ("/health", "/healthz", "/livez", "/readyz")
"""What a balancer asks for."""

_INFERENCE: Final = Entry(lane=Lane.INFERENCE, wanted=Wanted.KEY, requires_credential=True, is_for_programs=True)
_HEALTH: Final = Entry(lane=Lane.HEALTH)
_ELSEWHERE: Final = Entry(lane=Lane.PAGE)


class Paths:
    """Tells by a request's first line what it asks for. Paths may have placeholders as Starlette's: `/v1/{x}/chat`."""

    def __init__(self, asked: Iterable[str] = ASKED, spared: Iterable[str] = SPARED) -> None:
        """What is posted to `asked` asks a model; `spared` is never refused."""
        asked = tuple(asked)
        self._asked = frozenset(path for path in asked if "{" not in path)
        self._patterns = [compile_path(path)[0] for path in asked if "{" in path]
        self._spared = frozenset(spared)

    def find(self, method: bytes, url: bytes) -> Entry:
        """The kind of work that a request asks for."""
        path = path_of(url)
        if method == b"POST" and (path in self._asked or any(pattern.match(path) for pattern in self._patterns)):
            return _INFERENCE
        return _HEALTH if path in self._spared else _ELSEWHERE

    @staticmethod
    def asks(entry: Entry) -> bool:
        """Whether a request of this kind asks a model."""
        return entry is _INFERENCE


class KeysOnPaths:
    """Reads keys where they count."""

    def __init__(self, keys: PassedKeys) -> None:
        """`keys` reads them anywhere."""
        self.shown_in = keys.shown_in
        self._keys = keys

    def find(self, headers: Headers, wanted: Wanted) -> Genuine | Untried | Bearing:
        """Who shows a key that is known; one that is not counts only where it will be judged."""
        found = self._keys.find(headers, wanted)
        return found if wanted is Wanted.KEY or isinstance(found, Genuine) else Bearing.NOTHING


def routed(scope: Scope) -> bytes:
    """A request's path as the application's router sees it, in the one way to write it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and (path == root or path.startswith(root.rstrip("/") + "/")):
        path = path[len(root.rstrip("/")) :]
    return quote(path or "/").encode()
