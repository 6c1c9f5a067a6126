# long because: what each field means stands beside the page that shows it
"""Writes docs/reference/ from the code: settings, errors, events, records, metrics, command line, the lab, OpenAPI.

`python -m tools.reference` writes the pages; `--check` only says which differ and ends with 1.
A test runs the check, so a page cannot fall behind what it describes.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import typer
import typer.cli

from tidegate.adapters.telemetry.metrics import LABELS, NO_REASON, NO_STANDING, Metrics, TokenKind
from tidegate.cli.program import app
from tidegate.config.engine_settings import EngineUpstream
from tidegate.config.mistakes import allowed_at
from tidegate.config.settings import Settings
from tidegate.core import events
from tidegate.core.admission.facts import Bearing, Lane
from tidegate.core.capacity.health import EngineState
from tidegate.core.decisions import lines as decisions
from tidegate.core.firewall.elements import Mode, OffloadReason, Spared
from tidegate.core.generation.call import FinishReason
from tidegate.core.mail.budgets import Bound
from tidegate.core.mail.letter import LetterKind
from tidegate.core.models.sameness import LookOutcome
from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import Cause, MovedBy, RegistrationMode
from tidegate.core.standing.classes import Standing
from tidegate.http import openapi
from tidegate.http.refusals import WIRE
from tidegate.lab.judge.definitions import TABLES, definitions, intro
from tools.scenario_reference import scenario_page

PLACE = Path(__file__).parents[1] / "docs" / "reference"
_NOTE = "<!-- Written by tools/reference.py from the code; `make reference` renews it. -->\n\n"


def configuration() -> str:
    """Every setting with its default and meaning."""
    lines = [
        "# Settings",
        "",
        (
            "Read in this order, the later winning: defaults, the TOML file named with `--config` or "
            "`TIDEGATE_CONFIG`, the environment (lists separated by commas), options on the command line. A setting "
            "that is unknown or out of range stops the start, naming the key, the value and the fix."
        ),
        "",
        "| key | environment | default | allowed | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for key, default, text in _settings(Settings(), ""):
        variable = "TIDEGATE_" + key.replace(".", "_").upper()
        lines.append(f"| `{key}` | `{variable}` | `{default}` | {allowed_at(key, Settings)} | {text} |")
    lines += [
        "",
        "## `[[engines]]`",
        "",
        "Each is a server with an OpenAI-compatible API (`docs/operate.md` has recipes). Only `url` must be said.",
        "",
        "| key | default | allowed | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for key, default, text in _settings(EngineUpstream(url=""), ""):
        lines.append(f"| `{key}` | `{default}` | {allowed_at(key, EngineUpstream)} | {text} |")
    return "\n".join(lines) + "\n"


def _settings(table: msgspec.Struct, prefix: str) -> Iterator[tuple[str, str, str]]:
    hints = typing.get_type_hints(type(table), include_extras=True)
    for name in table.__struct_fields__:
        value = getattr(table, name)
        if isinstance(value, msgspec.Struct):
            yield from _settings(value, f"{name}.")
            continue
        metas = [meta for meta in typing.get_args(hints[name]) if isinstance(meta, msgspec.Meta)]
        text = " ".join(meta.description for meta in metas if meta.description)
        shown = "" if value is None else ",".join(value) if isinstance(value, tuple) else str(value)
        yield prefix + name, shown or "(none)", text


def errors() -> str:
    """Every reason with its status."""
    lines = [
        "# Errors",
        "",
        (
            "Every refusal carries OpenAI's error object: `code` is one of these reasons, `param` names the field at "
            "fault, `message` says what to do. The same words stand in the log's `reason` and the metrics' label."
        ),
        "",
        (
            "When waiting helps, `retry-after` (seconds) and `retry-after-ms` say how long. `x-should-retry: false` is "
            "sent only with a status that clients repeat by themselves (408, 409, 429 and from 500 on), and only when "
            "repeating will not help. Other statuses do not carry it: no client repeats them unasked."
        ),
        "",
        "| reason | status | type | meaning |",
        "| --- | --- | --- | --- |",
        *(f"| `{reason}` | {wire.status} | `{wire.type}` | {wire.meaning} |" for reason, wire in WIRE.items()),
        "",
        *_IN_A_STREAM,
    ]
    return "\n".join(lines) + "\n"


_IN_A_STREAM = (
    "## In a stream",
    "",
    (
        "A streamed answer (`stream: true`) begins with status 200 before it is known how it ends. What stops it later "
        'comes as its last event, `data: {"error": {...}}`, with the same error object; no `[DONE]` follows. No header '
        "can be sent any more, so where waiting helps the object has one field more, `retry_after_s` (seconds, a "
        "decimal number). The text so far is valid."
    ),
    "",
    (
        "Lines that begin with a colon are comments, which clients of server-sent events ignore. While a request waits "
        "they say where it stands, and while the model reads a long prompt how far it is:"
    ),
    "",
    "| comment | meaning |",
    "| --- | --- |",
    (
        "| `: waiting position=3 eta_s=12` | Two others are before it; the place is expected in 12 seconds. Sent when "
        "it has waited for a second, again when that changes, and every five seconds at least. |"
    ),
    (
        "| `: asked again attempts=2` | The engine asked first failed before the first piece and may have worked "
        "on the request; so many may have by now. Where the answer has not begun yet, the header "
        "`x-tidegate-attempts` says so instead. |"
    ),
    "| `: reading prompt 512/2048` | So many tokens of the prompt are read, of so many; once a second at most. |",
    "",
    "None is sent where the answer comes in one piece; the header is.",
)


def event_log() -> str:
    """Every kind of log line with its fields."""
    lines = [
        "# Events",
        "",
        (
            "The log, `logs/events.jsonl` in the data directory, holds one JSON object a line. Fields are numbers, "
            "booleans, words of a fixed list, ids and keyed fingerprints: no field can hold text that a person or a "
            "program sent. A field that was not known is absent. Where standard error is not a terminal, the lines go "
            "there too. Programs may rely on this page: a published tag or field keeps its meaning."
        ),
        "",
        "## Every line",
        "",
        "| field | meaning |",
        "| --- | --- |",
        "| `kind` | The form of the line: one of the headings below. |",
        *(f"| `{name}` | {field_meaning(name)} |" for name in _COMMON_FIELDS),
        "",
    ]
    for kind in typing.get_args(events.AnyEvent):
        # The opening sentence; what the docstring says beyond it is for those who read the code.
        first, _, _ = (kind.__doc__ or "").strip().splitlines()[0].partition(". ")
        lines += [f"## `{kind.__struct_config__.tag}`", "", first.removesuffix(".") + ".", ""]
        lines += ["| field | present | meaning |", "| --- | --- | --- |"]
        for field in msgspec.structs.fields(kind):
            if field.name not in _COMMON_FIELDS:
                present = "always" if field.required else "if known"
                lines.append(f"| `{field.encode_name}` | {present} | {field_meaning(field.name)} |")
        lines.append("")
    lines += [*_FINGERPRINTS, "", "## Tags", "", _listed(events.Tag) + ".", ""]
    lines += ["## Words", ""]
    for name, words in (
        ("level", events.Level),
        ("route", events.RouteKind),
        ("state", EngineState),
        ("finish", FinishReason),
        ("outcome` of a `login", events.LoginOutcome),
        ("outcome` of a `signup", events.SignUpOutcome),
        ("outcome` of a `challenge", events.ChallengeOutcome),
        ("from` and `to` of a `mode", RegistrationMode),
        ("causes` and `unjudged` of a `mode", Cause),
        ("outcome` of a `verify", events.VerifyOutcome),
        ("outcome` of a `mail", events.MailOutcome),
        ("letter", LetterKind),
        ("bound", Bound),
        ("why` of a `firewall", OffloadReason),
        ("spared` of a `firewall_spared", Spared),
    ):
        lines.append(f"- `{name}`: {_listed(words)}.")
    lines.append("- `reason`: see [errors](errors.md).")
    return "\n".join(lines) + "\n"


_COMMON_FIELDS = ("event", "t", "level")

_QUEUE_S = (
    "Of a `request`: seconds until it had its place at the engine, a first try that was set aside included; absent, it "
    "was refused at once. Of a `mode`: seconds that whoever came last would have waited for an account."
)

_FIELD_MEANINGS = {
    "event": "What happened: one of the tags at the end of this page.",
    "t": "When the line was written, in Unix seconds: for a request, when it ended.",
    "level": "How much to care: `warning` or `error`. Absent: `info`.",
    "running": "Requests that were still running when the stop began, or that engine's answers at that moment.",
    "start_s": "Seconds from the start of the process to the model's first token. Only with `service:ready`.",
    "id": "The request's id, the same as in the answer's `x-request-id`. A `crash` has the id of its `request`.",
    "known_device": (
        "Whether it came from a device that this very account had signed in on, and that is not worn by wrong "
        "passwords. With `outcome` `locked` it did not: a stranger was asked for a challenge, because others had "
        "missed often for that address."
    ),
    "route": (
        "What was asked for. `chat`: an answer of the model (chat or text); a reply of the web chat has a line of its "
        "own when it ends, `total_s` being its own time. `page`: a page for people or what belongs "
        "to it. `status`: health, status, figures. `other`: everything else, unknown addresses included."
    ),
    "status": (
        "The HTTP status. 499 stands for a caller who closed the connection before the end, whatever had been sent "
        "until then; 0 for nothing sent. A stream that we had to break off keeps its 200, and `reason` tells."
    ),
    "total_s": "Seconds from the request's headers to the end of the answer, waiting included.",
    "bytes_in": "Bytes of the request's body that were read. Absent: 0.",
    "bytes_out": "Bytes of the answer's body that were handed to the connection. Absent: 0.",
    "reason": "Why it was refused or broke off, a word of [errors](errors.md). Absent: it was served.",
    "src": "Fingerprint of the client's address, as far as `server.trusted_proxies` let it be known.",
    "net": "Fingerprint of that address' network: its /24 (IPv4) or /48 (IPv6).",
    "acct": "Fingerprint of the account's id. A request without it came without a valid key or session.",
    "sess": "Fingerprint of the session's id, of a person who is signed in.",
    "outcome": "What became of it, one of the words below.",
    "user": "Fingerprint of the address that was typed, in its normal form, whether or not it has an account here.",
    "key": "Fingerprint of the API key's id, not of the key itself.",
    "standing": (
        "The class in which it was served: `operator`, `established`, `member`, `newcomer`, `visitor` or `suspect`. "
        "What goes beyond an account's usual is served as a newcomer's."
    ),
    "cost": "What it came to in cost tokens: the engine's time for one token of output. Absent: nothing was begun.",
    "stream": "Whether the caller asked for a stream. Absent: not asked for an answer of the model.",
    "in_tok": "Tokens of the prompt, as the engine counted them.",
    "cached_tok": "How many of these the engine still knew from the same account's last prompt.",
    "out_tok": "Tokens of the answer, thinking included; pieces sent, when it broke off before the engine told.",
    "max_tok": "The most tokens that the caller asked for (16 where `/v1/completions` was not told).",
    "ttft_s": "Seconds from getting the place to the first piece of the answer. Absent: none came.",
    "service_s": "Seconds from getting the place to giving it back.",
    "gap_s": "Mean seconds between two pieces of the answer. Absent: fewer than two.",
    "finish": "Why the answer ended. Absent: it was not finished.",
    "abandoned": (
        "`true`: the caller left before the end, or nobody watched a reply of the web chat any more. Otherwise absent."
    ),
    "is_sample": (
        "`true`: refused by its headers alone. Only the first twenty of a second have a line; all of them are counted "
        "in `gate` events. Otherwise absent."
    ),
    "what": "What was changed: `limit` for limits, shares and lists, `model` for the model that answers.",
    "detail": (
        "Of a `limit`: `reloaded` from the settings, or `rolled_back` to what was before. Of a `model`: `pinned`; "
        "changed in its `weights`, or only in its chat `template` or a system prompt; `same` again; or beyond "
        "comparing, for it gives `no_logprobs` or is `unsteady`."
    ),
    "distance": "How far answers are from the pinned model's, in nats a token: 0.1 and more is another model.",
    "settings": "The names of the settings that changed; never their values.",
    "over_s": "The seconds in which these were counted.",
    "refused": "How many were refused, by reason.",
    "would": "How many a dry run let through, by the reason for which they would have been refused. Absent: none.",
    "bits": "The length of the prefix: 32 or 64 is the one address (an IPv6 /64), 24 or 56 its network.",
    "why": "Why it was handed over, one of the words below.",
    "mode": "`on`, or `dry_run` where it was only written down.",
    "until_s": "When it ends, in Unix seconds. No line is written then.",
    "times": "How often the same was handed over within a day, this time too; each lasts twice as long.",
    "by": (
        "Of a `firewall:ended`, before its time: `operator`, another `policy`, or an `inhabitant`, a valid session or "
        "key from there. Of a `mode`: `auto`, or the `operator`."
    ),
    "was": "The registration mode before.",
    "to": "The registration mode from then on.",
    "causes": "What it rests on; the words are below.",
    "unjudged": "Causes about which too little was known to count for or against it.",
    "is_dry": "`true`: a dry run, nothing changed. Otherwise absent.",
    "attempts_per_min": "Sign-ups tried in the last minute.",
    "baseline_per_min": "How many are usual at this hour.",
    "headroom": "The part of the engine that people who are known left for others, 0 to 1.",
    "abuse_share": "The part of the accounts made in this mode that look as if nobody were behind them.",
    "verified_share": "The part of those who were written to that confirmed their address.",
    "mail_left": "The part of the letters to new people that is left, 0 to 1.",
    "queue_s": _QUEUE_S,
    "effort": "How much work it was: the number of pieces.",
    "solve_s": "Seconds that solving took, by what the browser says.",
    "spared": "How often a source pressed and was left to the gate, by why; the words are below.",
    "disposable": "Whether that domain is on the carried list of those that hand out addresses for minutes.",
    "name_entropy": "Bits that each character before the @ takes by a model of how people's names are written; null "
    "where there are too few to tell.",
    "family": "Fingerprint of the near-duplicates that the name belongs to, among the last sign-ups.",
    "inviter": "Fingerprint of the account whose invitation it is. Absent: an operator's command made it.",
    "number": "How many people were answered.",
    "failures": "How often since the start.",
    "errno": "The system's number of the error: 28 is a full disk.",
    "unsent": "Elements that wait for the firewall to be reached.",
    "retry": "How often this caller's OpenAI client says to have tried before (`x-stainless-retry-count`, up to 99).",
    "error": "The exception's class, with `:0`; never its message.",
    "raised_at": "`module:line` where it rose.",
    "state": "Where the engine stands now.",
    "healthy": "`true` in state `ready`.",
    "restarts": "Failures of the engine since the service started.",
    "replica": "Host and port of the one of several engines. Absent: the embedded engine, or none took the request.",
    "attempts": "How many engines may have worked on it, where that is more than one. Otherwise absent.",
    "load_s": "Seconds from spawning the engine to its first token. Only in state `ready`.",
    "site": "`logger:line` that spoke; never its words.",
    "mail_domain": "Fingerprint of the domain that the address belongs to, without the names below it.",
    "latency_s": "Seconds from the letter to the use of its link, exact to a second.",
    "letter": "What the letter is for, one of the words below.",
    "bound": "Which budget withheld it, one of the words below. Only with the outcome `withheld`.",
    "wait_s": "Seconds that the letter waited to be handed over. Absent: it was not put among those that wait.",
    "tries": "How often it was tried, this time too.",
    "waiting": "Letters that wait.",
}


def field_meaning(name: str) -> str:
    """What an event's field means. Raises KeyError for one that nobody has explained."""
    return _FIELD_MEANINGS[name]


def unused_meanings() -> set[str]:
    """Fields that are explained and that no event has."""
    return set(_FIELD_MEANINGS).difference(*(kind.__struct_fields__ for kind in typing.get_args(events.AnyEvent)))


_FINGERPRINTS = [
    "## Fingerprints",
    "",
    (
        "16 hex digits of a keyed BLAKE2s hash. The key lies in the data directory's `secrets/`, so equal things look "
        "equal within one instance and nobody can try guesses without that key. Two instances give the same address "
        "different fingerprints; a restored backup keeps them."
    ),
]


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def metrics() -> str:
    """Every metric under the names that a scrape shows, with its labels."""
    lines = [
        "# Metrics",
        "",
        "At `/metrics` on the operator's port, in Prometheus' text format, counted since the service started.",
        "",
        "| name | type | labels | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for metric in sorted(Metrics().collect(), key=lambda metric: metric.name):
        names = _listed(metric.name + suffix for suffix in _SUFFIXES[metric.type])
        labels = ", ".join([*(f"`{label}`" for label in LABELS.get(metric.name, ())), *_OWN_LABELS[metric.type]])
        lines.append(f"| {names} | {metric.type} | {labels} | {metric.documentation} |")
    lines += ["", "## Labels", "", "Their values come from fixed lists: nobody outside can add a series.", ""]
    used = dict.fromkeys(label for labels in LABELS.values() for label in labels)
    lines += [f"- `{label}`: {label_values(label)}" for label in used]
    lines.append("- `le`: the upper bound of a histogram's bucket, in seconds.")
    return "\n".join(lines) + "\n"


_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
_OWN_LABELS = {"counter": (), "gauge": (), "histogram": ("`le` (buckets)",)}


def label_values(label: str) -> str:
    """What a metric's label may say. Raises KeyError for one that nobody has explained."""
    return {
        "route": f"{_listed(events.RouteKind)}; see [events](events.md).",
        "status": "the HTTP status that was sent; `499` where the caller left first, `0` where nothing was sent.",
        "reason": f"`{NO_REASON}` where it was served, or a word of [errors](errors.md): {_listed(Reason)}.",
        "kind": f"{_listed(TokenKind)}.",
        "standing": f"{_listed(Standing)}, in which the request was served; `{NO_STANDING}` where nobody asked.",
        "replica": "host and port of one of the `[[engines]]`.",
        "verdict": f"{_listed(LookOutcome)}: what came of looking whether it is still the pinned model.",
        "mode": f"{_listed(Mode)} of the firewall; {_listed(RegistrationMode)} of registration.",
        "to": f"{_listed(RegistrationMode)}.",
        "by": f"{_listed(MovedBy)}.",
        "why": f"{_listed(OffloadReason)} of an element; {_listed(Spared)} of what was spared.",
        "outcome": (
            f"{_listed(events.LoginOutcome)} of a sign-in; {_listed(events.SignUpOutcome)} of a sign-up; "
            f"{_listed(events.ChallengeOutcome)} of a challenge; {_listed(events.VerifyOutcome)} of a verification; "
            f"{_listed(events.MailOutcome)} of a letter."
        ),
        "letter": f"{_listed(LetterKind)}.",
    }[label]


def command_line() -> str:
    """Every verb and option."""
    command = typer.main.get_command(app)
    context: Any = command.make_context("tidegate", [], resilient_parsing=True)
    text: str = typer.cli.get_docs_for_click(obj=command, ctx=context, name="tidegate", title="Command line")
    return text.strip() + "\n\nExit status: 0 done, 1 the thing asked about is not so, 2 wrong usage or settings.\n"


def figures() -> str:
    """Every figure of a rehearsal with its definition."""
    lines = [
        "# Figures of a rehearsal",
        "",
        (
            "What `tidegate lab run --json` prints, by its field; the report shows the same. The judged span begins "
            "behind the scenario's `warm_s`. Quantiles are at most 1 % off; every number has six digits that count."
        ),
    ]
    for table in TABLES:
        lines += [
            "",
            f"## `{table}`",
            "",
            intro(table),
            "",
            "| field | in the report | meaning |",
            "| --- | --- | --- |",
        ]
        lines += [f"| `{one.field}` | {one.title} | {one.says} |" for one in definitions() if one.table == table]
    return "\n".join(lines) + "\n"


def record() -> str:
    """Every kind of line of a record of decisions."""
    lines = [
        "# Record of decisions",
        "",
        (
            "With `record.decisions = true` the service and `tidegate gate` write what they decide to "
            "`logs/decisions-*.jsonl` in the data directory, for `tidegate lab replay` "
            "([how](../lab/replay.md)): one JSON object a line, "
            f"version {decisions.VERSION}. Fields are numbers, words of fixed lists, and fingerprints of 16 hex "
            "digits, keyed like those of the log. A field that equals its default is absent."
        ),
        "",
        (
            f"Refusals of strangers beyond {decisions.LISTED_PER_S} a second are not listed, but counted: see "
            "`counted`. "
            "Files are for their owner only; the oldest are deleted when all of them are larger than "
            "`record.most_mib`, or after `record.keep_days`. Each can be read alone."
        ),
        "",
        "`t`, in every line: seconds since the run began; 0 in `met`, which belongs to the line after it.",
        "",
    ]
    for kind in typing.get_args(decisions.AnyLine):
        text = " ".join((kind.__doc__ or "").split())
        lines += [f"## `{kind.__struct_config__.tag}`", "", text, ""]
        lines += ["| field | present | meaning |", "| --- | --- | --- |"]
        for field in msgspec.structs.fields(kind):
            if field.name != "t":
                present = "always" if field.required else "if not the default"
                lines.append(f"| `{field.encode_name}` | {present} | {record_meaning(field.name)} |")
        lines.append("")
    lines += ["## Words", ""]
    for name, words in (
        ("lane", Lane),
        ("bearing", Bearing),
        ("standing", Standing),
        ("answered", decisions.Answered),
        ("how", decisions.How),
        ("listed", decisions.Listed),
        ("what", decisions.Noted),
    ):
        lines.append(f"- `{name}`: {_listed(words)}.")
    lines.append("- `reason`, `would`: see [errors](errors.md).")
    return "\n".join(lines) + "\n"


_RECORD_MEANINGS = {
    "version": "Of this form.",
    "run": "Which run of the service; parts of one run have the same.",
    "part": "Which file of the run, from 1 on.",
    "unix_s": "When the run began, in Unix seconds.",
    "monotonic_s": "The same by the clock that only goes forward.",
    "policy": "A digest of the plans: the same digest, the same policy.",
    "gate": "The numbers of the gate's plan, named as the settings; yes is 1. Its lists are not there.",
    "admission": "The plan of each engine's line; without the key by which strangers' queues are dealt.",
    "standing": "How accounts come to be known, in `begin` and `plan`; elsewhere the class of whoever asked.",
    "listed_per_s": "So many refusals of strangers are listed in a second.",
    "line": "Which engine's line, from 0 on.",
    "slots": "Its places from now on.",
    "who": "The account's fingerprint, the same as `acct` in the log; of who shows no key, of the address's name.",
    "cohort": "The group of linked sign-ups; absent, the account stands alone.",
    "role": "What the account may do.",
    "created_at_s": "When it was made, in Unix seconds.",
    "member_since_s": "Since when its age counts.",
    "is_verified": "Its address was proved.",
    "is_vouched": "An operator gave their word.",
    "is_born_in_flood": "It was made while a flood ran.",
    "suspect_until_s": "There is a finding against it until then.",
    "history": "Days on which it was served, and how many requests it has in at once.",
    "lane": "What kind of work it was.",
    "bearing": "What the request showed of who sent it.",
    "source": "Fingerprints of the address and of its networks, the narrowest first.",
    "digest": "The credential's fingerprint.",
    "needs_credential": "Its route is for holders of one only.",
    "size_bytes": "Its body, as its head told; only where it asks the engine.",
    "reason": "Why it was refused; absent, it passed.",
    "would": "Why it would have been refused, were it not a dry run.",
    "wait_s": "Seconds that it was told: when to come back, or how long it would wait.",
    "listed": "On which of the operator's lists its address was.",
    "is_junk": "The work that it brought was certainly none.",
    "number": "How many.",
    "what": "What the gate was told.",
    "ticket": "By which `claim` and `end` belong together, within a run and line.",
    "usual": "Requests that the account usually has in at once.",
    "prompt_bytes": "How large its prompt was.",
    "output_tokens": "In `claim` the most that was asked for, in `end` what was written.",
    "patience_s": "How long its caller would wait.",
    "end_user": "The fingerprint of whom it was asked for, where its caller said so.",
    "answered": "What it was told at once.",
    "how": "How it ended.",
    "queue_s": "Seconds until it had its place; absent, it never had one.",
    "first_s": "Seconds from there to the first piece of the answer; absent, there was none.",
    "prompt_tokens": "Tokens of the prompt; of one that did not end well, those that were read.",
    "cached_tokens": "How many of them the engine knew already.",
    "prefill_tok_s": "How fast the engine read it, by its own word.",
    "decode_tok_s": "How fast it wrote.",
    "returns": "How often its place was taken back before the answer began.",
}


def record_meaning(name: str) -> str:
    """What a field of a record holds; KeyError for one that nobody has explained."""
    return _RECORD_MEANINGS[name]


PAGES: dict[str, Callable[[], str]] = {
    "configuration.md": configuration,
    "errors.md": errors,
    "events.md": event_log,
    "record.md": record,
    "metrics.md": metrics,
    "command-line.md": command_line,
    "figures.md": figures,
    "scenario.md": scenario_page,
}


def pages() -> Iterator[tuple[Path, str]]:
    """Every file of the reference with what it must contain."""
    for name, write in PAGES.items():
        yield PLACE / name, _NOTE + write()
    yield PLACE / "openapi.json", openapi.document().decode() + "\n"
    # Of the web chat's own calls; its types are made from this.
    yield PLACE.parents[1] / "web" / "openapi.json", openapi.web_document().decode() + "\n"


def main() -> int:
    """Write or check."""
    is_check = "--check" in sys.argv[1:]
    stale = [path for path, text in pages() if not path.exists() or path.read_text("utf-8") != text]
    if is_check:
        for path in stale:
            print(f"{path.name} is out of date: run 'make reference'")
        return 1 if stale else 0
    PLACE.mkdir(parents=True, exist_ok=True)
    for path, text in pages():
        path.write_text(text, "utf-8")
    print(f"{len(stale)} pages renewed in {PLACE.name}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
