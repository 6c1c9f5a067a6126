"""The lines of the event log that a rehearsal writes, with the fields of docs/reference/events.md."""

from __future__ import annotations

import msgspec


class LogLine(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One event. What is None is not written; times in seconds, tokens whole, names as keyed fingerprints."""

    t: float
    kind: str
    id: str
    src: str | None = None
    net: str | None = None
    net_kind: str | None = None
    country: str | None = None
    lang: str | None = None
    ua: str | None = None
    acct: str | None = None
    sess: str | None = None
    standing: str | None = None
    route: str | None = None
    path: str | None = None
    method: str | None = None
    status: int | None = None
    reason: str | None = None
    referrer: str | None = None
    in_tok: int | None = None
    cached_tok: int | None = None
    out_tok: int | None = None
    max_tok: int | None = None
    cost: float | None = None
    queue_s: float | None = None
    ttft_s: float | None = None
    service_s: float | None = None
    gap_s: float | None = None
    finish: str | None = None
    stream: bool | None = None
    abandoned: bool | None = None
    retry: int | None = None
    replica: str | None = None
    tmpl: str | None = None
    body: str | None = None
    read_s: float | None = None
    outcome: str | None = None
    mail_domain: str | None = None
    disposable: bool | None = None
    name_entropy: float | None = None
    family: str | None = None
    latency_s: float | None = None
    known_device: bool | None = None
    user: str | None = None
    effort: int | None = None
    solve_s: float | None = None
    engine: str | None = None
    healthy: bool | None = None
    running: int | None = None
    waiting: int | None = None
    tok_s: float | None = None
    capacity_tok_s: float | None = None
    err_rate: float | None = None
    what: str | None = None
    detail: str | None = None
    was: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    by: str | None = None
    causes: tuple[str, ...] | None = None


class TruthLine(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """What something truly was: a request, a session, an account, or a span of time.

    `flags` are what a prompt truly was, which a monitor of prompts would have to find out.
    """

    id: str | None = None
    sess: str | None = None
    acct: str | None = None
    truth: str | None = None
    flags: tuple[str, ...] | None = None
    t0: float | None = None
    t1: float | None = None
    cause: str | None = None
    intensity: float | None = None
