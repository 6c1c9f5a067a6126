"""What a line of the event log may hold, whoever wrote it: fields by kind, their types, and words of fixed lists.

Readers of other programs' logs go by this form, so it is told here by itself and not taken from what the lab writes.
"""

from __future__ import annotations

import re
from typing import Any, Final

from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import Cause, RegistrationMode
from tidegate.core.standing.classes import Standing

_PRINT: Final = re.compile("[0-9a-f]{16}")
_TEXT, _FLAG, _WHOLE, _NUMBER, _FINGERPRINT, _WORDS = "text", "flag", "whole", "number", "print", "words"

_CLIENT: Final = {
    **dict.fromkeys(("src", "net", "cli", "acct", "sess", "key"), _FINGERPRINT),
    **dict.fromkeys(("net_kind", "country", "lang", "ua", "standing"), _TEXT),
    **dict.fromkeys(("asn",), _WHOLE),
    "age_s": _NUMBER,
}
_FIELDS: Final[dict[str, dict[str, str]]] = {
    "request": {
        **_CLIENT,
        **dict.fromkeys(("route", "path", "method", "reason", "referrer", "finish", "replica"), _TEXT),
        **dict.fromkeys(("status", "bytes_in", "bytes_out", "retry"), _WHOLE),
        **dict.fromkeys(("in_tok", "cached_tok", "out_tok", "max_tok"), _WHOLE),
        **dict.fromkeys(("cost", "queue_s", "ttft_s", "service_s", "gap_s", "read_s"), _NUMBER),
        **dict.fromkeys(("stream", "abandoned"), _FLAG),
        **dict.fromkeys(("tmpl", "body"), _FINGERPRINT),
    },
    "signup": {
        **_CLIENT,
        "outcome": _TEXT,
        "disposable": _FLAG,
        "name_entropy": _NUMBER,
        **dict.fromkeys(("mail_domain", "family"), _FINGERPRINT),
    },
    "verify": {**_CLIENT, "outcome": _TEXT, "latency_s": _NUMBER},
    "login": {**_CLIENT, "outcome": _TEXT, "known_device": _FLAG, "user": _FINGERPRINT},
    "challenge": {**_CLIENT, "outcome": _TEXT, "effort": _WHOLE, "solve_s": _NUMBER},
    "engine": {
        **dict.fromkeys(("engine", "replica"), _TEXT),
        "healthy": _FLAG,
        **dict.fromkeys(("running", "waiting"), _WHOLE),
        **dict.fromkeys(("tok_s", "capacity_tok_s", "err_rate"), _NUMBER),
    },
    "change": {"what": _TEXT, "detail": _TEXT},
    "mode": {**dict.fromkeys(("from", "to", "by"), _TEXT), "causes": _WORDS},
}
_MODES: Final[set[str]] = set(RegistrationMode)
_SIGNED: Final = {"ok", "refused", "waiting", "bad_password", "unknown_user", "locked"}
_WORDS_OF: Final[dict[tuple[str, str], set[str]]] = {
    **{(kind, "outcome"): _SIGNED for kind in ("signup", "verify", "login")},
    ("challenge", "outcome"): {"issued", "solved", "failed", "abandoned", "persisted"},
    ("request", "route"): {"chat", "embed", "page", "asset", "login", "signup", "status", "other"},
    ("request", "reason"): {reason.value for reason in Reason},
    ("request", "referrer"): {"none", "same", "search", "social", "other"},
    ("change", "what"): {"deploy", "config", "limit", "model", "upstream"},
    ("mode", "from"): _MODES,
    ("mode", "to"): _MODES,
    ("mode", "by"): {"auto", "operator"},
    **{(kind, "net_kind"): {"residential", "hosting", "vpn", "tor", "mobile"} for kind in _FIELDS},
    **{(kind, "standing"): set(Standing) for kind in _FIELDS},
}
_IS_OF: Final = {
    _TEXT: lambda value: isinstance(value, str),
    _FLAG: lambda value: isinstance(value, bool),
    _WHOLE: lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
    _NUMBER: lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value >= 0,
    _FINGERPRINT: lambda value: isinstance(value, str) and _PRINT.fullmatch(value) is not None,
    _WORDS: lambda value: isinstance(value, list) and set(value) <= set(Cause),
}


def breaches(log: list[dict[str, Any]]) -> list[str]:
    """What of a log is not in this form, a sentence each."""
    found = [
        f"{line['kind']}.{name}: {value!r}"
        for line in log
        for name, value in line.items()
        if name not in {"t", "kind", "id"} and not _is_right(line["kind"], name, value)
    ]
    found += [f"kind: {line['kind']}" for line in log if line["kind"] not in _FIELDS]
    if len({line["id"] for line in log}) < len(log):
        found.append("id: the same twice")
    if [line["t"] for line in log] != sorted(line["t"] for line in log):
        found.append("t: not in the order of time")
    return found


def _is_right(kind: str, name: str, value: object) -> bool:
    form = _FIELDS.get(kind, {}).get(name)
    if form is None or not _IS_OF[form](value):
        return False
    words = _WORDS_OF.get((kind, name))
    return words is None or value in words
