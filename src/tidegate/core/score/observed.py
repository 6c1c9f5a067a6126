"""One line of an event log, as far as the score reads it: every field but `t` and `kind` may be absent.

The log is a contract between programs (docs/bot-score.md): fields and kinds that are
not known here are passed over, and what is absent is told, not guessed.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Observed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event that some client caused, or none: then `kind` is one that the score does not read."""

    t: float
    kind: str
    src: str | None = None
    net_kind: str | None = None
    ua: str | None = None
    acct: str | None = None
    sess: str | None = None
    key: str | None = None
    age_s: float | None = None
    route: str | None = None
    path: str | None = None
    method: str | None = None
    status: int | None = None
    bytes_out: float | None = None
    referrer: str | None = None
    referrer_path: str | None = None
    in_tok: float | None = None
    out_tok: float | None = None
    max_tok: float | None = None
    queue_s: float | None = None
    ttft_s: float | None = None
    service_s: float | None = None
    stream: bool | None = None
    abandoned: bool | None = None
    retry: float | None = None
    tmpl: str | None = None
    body: str | None = None
    read_s: float | None = None
    outcome: str | None = None
    disposable: bool | None = None
    name_entropy: float | None = None
    family: str | None = None
    latency_s: float | None = None
    user: str | None = None
    effort: float | None = None
    solve_s: float | None = None


FIELDS: Final = tuple(name for name in Observed.__struct_fields__ if name not in {"t", "kind"})

READ_KINDS: Final = frozenset({"request", "signup", "verify", "login", "challenge"})
"""What a client causes. Other kinds say nothing about a session."""

ASSET, CHAT, PAGE, EMBED = "asset", "chat", "page", "embed"
"""Words of `route`."""
