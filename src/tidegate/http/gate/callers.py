"""Who the callers of `tidegate gate` are: by the keys that they show.

Keys that are passed on are for the server behind to judge. One that it has
accepted is somebody from then on, known by a keyed hash of the key; the key itself
is not kept. One that nobody has judged yet is let through in small numbers, and one
that was turned down is refused here for a while. Where the server asks for no key
at all callers without one are let through as strangers.

Where that server knows only the gate's key, the gate judges its callers by keys of
its own: what it has not made itself goes no further than the parser. Whether one
still counts is asked behind that (http/proxy/checking.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tidegate.core.admission.facts import Bearing
from tidegate.core.callers import principal_of
from tidegate.core.credentials import Forged, Genuine, Kind, ServerKeys, read
from tidegate.core.identifiers import UserId
from tidegate.http.gate.credential import MOST_REMEMBERED, Headers
from tidegate.http.gate.guard import Untried
from tidegate.http.gate.lanes import Wanted

CLOSED_S: Final = 60.0
"""So long nobody without a key is let through once the server behind has turned one away."""
OPEN_S: Final = 600.0
"""So long after it has answered one it is not believed to want keys: a 401 may be about something else, such as one
model, and whoever asks for that would keep out all others who show no key."""

_LONGEST_KEY_BYTES: Final = 4096
_KEYS_IN: Final = frozenset(
    {
        *(b"authorization", b"x-api-key", b"api-key", b"x-litellm-api-key", b"x-litellm-key", b"x-goog-api-key"),
        b"ocp-apim-subscription-key",
    }
)
"""Where servers of models look for keys. Which of several counts differs, so only one is ever passed on."""
_CREDENTIALS: Final = _KEYS_IN | {b"cookie"}
_KEYLESS: Final = Bearing.KEYLESS
_NOTHING: Final = Bearing.NOTHING
_FORGED: Final = Bearing.FORGED


class PassedKeys:
    """Reads the keys that are passed on. `is_known` tells whether a principal has proved itself."""

    shown_in = frozenset({b"host", b"authorization", b"x-api-key"})

    def __init__(
        self,
        secret: bytes,
        is_known: Callable[[UserId], bool],
        clock: Callable[[], float],
        *,
        most: int = MOST_REMEMBERED,
    ) -> None:
        """`clock` tells monotonic seconds; at most so many known keys are remembered by their text."""
        self._secret = secret
        self._is_known = is_known
        self._clock = clock
        self._most = most
        self._genuine: dict[bytes, Genuine] = {}
        self._closed_until = 0.0
        self._open_until = 0.0

    def find(self, headers: Headers, wanted: Wanted) -> Genuine | Untried | Bearing:
        """Who shows a key that is known; else what there is instead."""
        del wanted
        text = shown(headers)
        if text is None:
            return _KEYLESS if self._clock() >= self._closed_until else _NOTHING
        known = self._genuine.get(text)
        if known is not None:
            return known
        if len(text) > _LONGEST_KEY_BYTES:
            return _FORGED
        principal = principal_of(text.decode("latin-1"), self._secret)
        digest = principal.entropy
        if not self._is_known(principal):
            return Untried(digest)
        if len(self._genuine) >= self._most:
            del self._genuine[next(iter(self._genuine))]
        found = self._genuine[text] = Genuine(principal, 0, digest)
        return found

    def principal(self, headers: Headers) -> UserId | None:
        """Who shows this key, known or not; None without one."""
        text = shown(headers)
        if text is None:
            return None
        known = self._genuine.get(text)
        return principal_of(text.decode("latin-1"), self._secret) if known is None else known.principal

    def turned_keyless_away(self) -> None:
        """The server behind wants a key, it seems."""
        now = self._clock()
        if now >= self._open_until:
            self._closed_until = now + CLOSED_S

    def let_keyless_in(self) -> None:
        """The server behind has answered somebody without a key."""
        self._open_until = self._clock() + OPEN_S

    @property
    def remembered(self) -> int:
        """How many keys are remembered by their text."""
        return len(self._genuine)


class OwnKeys:
    """Reads keys that this instance has made."""

    shown_in = frozenset({b"authorization", b"x-api-key"})

    def __init__(self, server_keys: ServerKeys, *, most: int = MOST_REMEMBERED) -> None:
        """At most so many genuine ones are remembered by their text; the first remembered is the first forgotten."""
        self._server_keys = server_keys
        self._most = most
        self._genuine: dict[bytes, Genuine] = {}

    def find(self, headers: Headers, wanted: Wanted) -> Genuine | Bearing:
        """The genuine key that counts; else what there is instead."""
        del wanted
        text = shown(headers)
        return _NOTHING if text is None else self._read(text) or _FORGED

    def genuine(self, headers: Headers) -> Genuine | None:
        """The key that is shown, if this instance has made it."""
        text = shown(headers)
        return None if text is None else self._read(text)

    def principal(self, headers: Headers) -> UserId | None:
        """Whose key is shown."""
        found = self.genuine(headers)
        return None if found is None else found.principal

    def turned_keyless_away(self) -> None:
        """Nobody without a key gets as far as the server behind."""

    def let_keyless_in(self) -> None:
        """Nobody does."""

    @property
    def remembered(self) -> int:
        """How many keys are remembered by their text."""
        return len(self._genuine)

    def _read(self, text: bytes) -> Genuine | None:
        known = self._genuine.get(text)
        if known is not None:
            return known
        found = read(text.decode("latin-1"), Kind.API_KEY, self._server_keys)
        if isinstance(found, Forged):
            return None
        if len(self._genuine) >= self._most:
            del self._genuine[next(iter(self._genuine))]
        self._genuine[text] = found
        return found


CallerKeys = PassedKeys | OwnKeys


def shown(headers: Headers) -> bytes | None:
    """The key that counts: the first that is shown, as a bearer token or as Anthropic's clients do."""
    for name, value in headers:
        if name in _KEYS_IN:
            text = _key(name, value)
            if text:
                return text
    return None


def alone(headers: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[bytes, bytes], ...]:
    """The headers without whatever else but the key that counts the server behind could take for a credential.

    Otherwise one key could be shown with ever other ones before it that are not looked at there, and its holder
    would be as many callers as they like.
    """
    shown_times = 0
    for name, _ in headers:
        if name in _CREDENTIALS:
            shown_times += 1
    if shown_times <= 1:
        return headers
    text = shown(headers)
    if text is None:
        return headers
    return tuple(
        (name, value)
        for name, value in headers
        if name not in _CREDENTIALS or (name in _KEYS_IN and _key(name, value) == text)
    )


def _key(name: bytes, value: bytes) -> bytes:
    if name != b"authorization":
        return value.strip()
    word, _, text = value.partition(b" ")
    return text.strip() if word.lower() == b"bearer" else value.strip()
