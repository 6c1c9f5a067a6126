"""The service's own log in the form of the event log."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tidegate.adapters.logs.records import NotThatForm, Passed, Record

_CLIENT: Final = ("id", "src", "net", "acct", "sess", "key", "reason")
_NETWORK: Final = ("ua", "cli", "net_kind", "asn", "country", "lang")
_HTTP: Final = ("standing", "age_s", "route", "method", "path", "status", "bytes_in", "bytes_out", "referrer")
_TOKENS: Final = ("in_tok", "cached_tok", "out_tok", "max_tok", "cost", "queue_s", "ttft_s", "service_s", "gap_s")
_ANSWER: Final = ("finish", "stream", "abandoned", "retry", "replica", "tmpl", "body", "read_s", "flags", "scores")
_SIGN_UP: Final = ("outcome", "mail_domain", "disposable", "name_entropy", "family")
_LOAD: Final = ("running", "waiting", "tok_s", "capacity_tok_s", "err_rate")
KEPT: Final[dict[str, tuple[str, ...]]] = {
    "request": (*_CLIENT, *_NETWORK, *_HTTP, *_TOKENS, *_ANSWER),
    "signup": (*_CLIENT, *_NETWORK, *_SIGN_UP),
    "verify": (*_CLIENT, *_NETWORK, "outcome", "latency_s"),
    "login": (*_CLIENT, *_NETWORK, "outcome", "known_device", "user"),
    "challenge": (*_CLIENT, *_NETWORK, "outcome", "effort", "solve_s"),
    "engine": ("engine", "replica", "healthy", *_LOAD),
    "change": ("what", "detail"),
    "mode": ("from", "to", "by", "reason"),
    "case": ("id", "what", "detail"),
}
"""Fields of each kind that the event log knows. What else our lines hold stays here."""
_MOST_SESSIONS: Final = 50_000


class OwnLog:
    """Reads `events.jsonl`, and works out from neighbouring lines how long an answer was read."""

    def __init__(self, most_sessions: int = _MOST_SESSIONS) -> None:
        """Begin with no session; of so many at once it is known when their last answer ended."""
        self._most_sessions = most_sessions
        self._ended: dict[str, float] = {}

    def record(self, line: str) -> Record:
        """One event; raises Passed for kinds that the event log does not have."""
        try:
            event = msgspec.json.decode(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            msg = "not a JSON object"
            raise NotThatForm(msg) from error
        if (
            not isinstance(event, dict)
            or not isinstance(event.get("t"), (int, float))
            or isinstance(event.get("t"), bool)
        ):
            msg = "not an event: no object with a time"
            raise NotThatForm(msg)
        kept = KEPT.get(str(event.get("kind")))
        if kept is None:
            raise Passed
        known: dict[str, Any] = {name: event[name] for name in kept if event.get(name) is not None}
        if event["kind"] == "request" and event.get("route") == "chat":
            self._read(event, known)
        return Record(t=float(event["t"]), known={"kind": event["kind"], **known})

    def _read(self, event: dict[str, Any], known: dict[str, Any]) -> None:
        name = event.get("sess") or event.get("key") or event.get("acct")
        total_s = event.get("total_s")
        if not isinstance(name, str):
            return
        ended = self._ended.pop(name, None)
        if len(self._ended) >= self._most_sessions:
            del self._ended[next(iter(self._ended))]
        self._ended[name] = event["t"]
        if ended is not None and isinstance(total_s, (int, float)) and event["t"] - total_s >= ended:
            # Who asks again while the answer is being written has read nothing: then there is no such time.
            known.setdefault("read_s", round(event["t"] - total_s - ended, 3))
