"""Writes what happens in a rehearsal as an event log, and the truth about it into a second file.

The log says what a service could have seen, in the form of docs/reference/events.md, in
the order of time; names are keyed hashes (BLAKE2s, RFC 7693) under a key made of the seed.
The same rehearsal gives the same bytes. A session is what one name does from one address
until it has done nothing for half an hour; at most 100,000 of them are remembered, and one
that was forgotten comes again as another.
"""

from __future__ import annotations

import math
import re
from collections import Counter, OrderedDict
from hashlib import blake2s
from typing import BinaryIO, Final

import msgspec

from tidegate.lab.acts import UNREACHED, Ask, Asked, Chat, Ended, Outcome, Page, SignIn, SignUp, Who
from tidegate.lab.causes import episodes, truth_of
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.scenario import Scenario
from tidegate.lab.simulator.log_lines import LogLine, TruthLine
from tidegate.lab.simulator.serving import BASE_UNIX_S

_SESSION_S: Final = 1800.0
_MOST_SESSIONS: Final = 100_000
_DIGITS: Final = 4
_DIGITS_OF: Final = re.compile(r"\d+")
"""Names that differ in their digits only are one family, whoever made them."""
_NEWLINE: Final = b"\n"
_LEFT: Final = "client_left"
_SIGN_IN_OUTCOMES: Final = {"": "ok", "wrong_credentials": "bad_password"}
_ROUTES: Final = {SignIn: "login", SignUp: "signup"}


class EventLog:
    """A listener. What it is given to write into is opened, buffered and closed by whoever opened it."""

    def __init__(self, scenario: Scenario, log: BinaryIO, truth: BinaryIO | None = None) -> None:
        """Write into `log`; the truth into `truth`, where that is wanted, beginning with the scenario's episodes."""
        self._key = scenario.seed.to_bytes(8, "big")
        self._log = log
        self._truth = truth
        self._encoder = msgspec.json.Encoder()
        self._last_s = 0.0
        self._lines = 0
        self._sessions: OrderedDict[tuple[str, int], tuple[float, str]] = OrderedDict()
        self._accounts: OrderedDict[str, None] = OrderedDict()
        for one in episodes(scenario):
            t0, t1 = BASE_UNIX_S + one.from_s, BASE_UNIX_S + one.until_s
            self._say(TruthLine(t0=t0, t1=t1, cause=one.cause, intensity=round(one.intensity, _DIGITS)))

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        """Write a try down: a request, and what it was about where that has a line of its own."""
        if outcome.reason == UNREACHED:
            return  # No service could have seen it.
        who, what = ask.who, ask.what
        line = self._line("request", outcome.ended_at_s)
        line.method, line.status, line.reason = "POST", outcome.status, outcome.reason or None
        line.route = _ROUTES.get(type(what), "other")
        self._name(line, who, outcome, _account(who, what, outcome))
        match what:
            case Chat():
                self._chat(line, who, what, outcome)
            case Page(path=path, is_asset=is_asset, referrer=referrer):
                line.route, line.method = "asset" if is_asset else "page", "GET"
                line.path, line.referrer = path, referrer
            case _:
                pass
        self._write(line)
        if isinstance(what, SignIn):
            self._signed_in(who, what, outcome)
        elif isinstance(what, SignUp):
            self._signed_up(who, what, outcome)

    def ended(self, ended: Ended) -> None:
        """Write nothing: no service could have seen it."""

    def sampled(self, sample: Sampled) -> None:
        """Write down how an engine is."""
        line = self._line("engine", sample.at_s)
        line.engine, line.replica, line.healthy = "virtual", str(sample.replica), sample.is_healthy
        line.running, line.waiting = sample.running, sample.waiting
        line.tok_s, line.capacity_tok_s = _rounded(sample.tok_s), _rounded(sample.capacity_tok_s)
        line.err_rate = _rounded(sample.err_rate)
        self._write(line)

    def happened(self, happened: Happened) -> None:
        """Write down a mode that moved, or settings that changed; of what else is found a log of this form has none."""
        if happened.what == "mode":
            line = self._line("mode", happened.at_s)
            line.was, line.to, line.by = happened.was, happened.to, happened.by
            line.causes = tuple(happened.detail.split(",")) if happened.detail else None
        elif happened.what == "change":
            line = self._line("change", happened.at_s)
            line.what, line.detail = "config", happened.detail or None
        else:
            return
        self._write(line)

    def fingerprint(self, what: str, text: str) -> str:
        """Sixteen hex digits that equal texts of one kind have in common in this rehearsal."""
        return blake2s(text.encode(), key=self._key, person=what.encode()[:8], digest_size=8).hexdigest()

    # ------------------------------------------------------------ lines

    def _line(self, kind: str, at_s: float) -> LogLine:
        # An answer is told when its place is free, which may be after another one's end.
        self._last_s = max(self._last_s, at_s)
        self._lines += 1
        return LogLine(t=round(BASE_UNIX_S + self._last_s, _DIGITS), kind=kind, id=f"req_{self._lines:016x}")

    def _name(self, line: LogLine, who: Who, outcome: Outcome, account: str = "") -> None:
        line.src = self.fingerprint("src", str(who.address))
        line.net = self.fingerprint("net", str(who.address >> 8))
        line.net_kind, line.country, line.lang, line.ua = who.net_kind.value, who.country, who.lang, who.agent
        line.sess = self._session(who, outcome.asked_at_s)
        line.standing = outcome.standing or None
        if account:
            line.acct = self.fingerprint("acct", account)
            if line.acct not in self._accounts and account == who.name:  # Else it is somebody else's.
                self._say(TruthLine(acct=line.acct, truth=truth_of(who)))
            self._accounts[line.acct] = None
            self._accounts.move_to_end(line.acct)
            if len(self._accounts) > _MOST_SESSIONS:
                self._accounts.popitem(last=False)

    def _session(self, who: Who, at_s: float) -> str:
        key = (who.name, who.address)
        seen_s, session = self._sessions.get(key, (-math.inf, ""))
        if at_s - seen_s >= _SESSION_S:
            session = self.fingerprint("sess", f"{who.name}/{who.address}/{at_s!r}")
            self._say(TruthLine(sess=session, truth=truth_of(who)))
        self._sessions[key] = (at_s, session)
        self._sessions.move_to_end(key)
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def _chat(self, line: LogLine, who: Who, chat: Chat, outcome: Outcome) -> None:
        line.route, line.stream, line.max_tok = "chat", chat.is_stream, chat.max_tokens
        line.retry = chat.retry or None
        if chat.flags:  # What a prompt truly is, nobody is told who only has the log.
            self._say(TruthLine(id=line.id, truth=truth_of(who), flags=chat.flags))
        line.read_s = None if chat.read_s is None else _rounded(chat.read_s)
        line.tmpl, line.body = self.fingerprint("tmpl", str(chat.template)), self.fingerprint("body", str(chat.body))
        line.in_tok, line.out_tok = outcome.prompt_tokens or None, outcome.output_tokens or None
        line.cached_tok = outcome.cached_tokens or None
        line.abandoned = True if outcome.reason == _LEFT else None
        if outcome.is_complete:
            line.finish = "length" if chat.answer_tokens > chat.max_tokens else "stop"
        if not outcome.prompt_tokens:
            return
        line.cost, line.queue_s = _rounded(outcome.cost), _rounded(outcome.queue_s)
        line.replica = str(outcome.replica)
        service_s = outcome.ended_at_s - outcome.asked_at_s - outcome.queue_s
        line.service_s = _rounded(service_s)
        if outcome.first_s is not None:
            ttft_s = max(0.0, outcome.first_s - outcome.queue_s)
            line.ttft_s = _rounded(ttft_s)
            if outcome.output_tokens > 1:
                line.gap_s = _rounded((service_s - ttft_s) / (outcome.output_tokens - 1))

    def _signed_in(self, who: Who, sign_in: SignIn, outcome: Outcome) -> None:
        line = self._line("login", outcome.ended_at_s)
        self._name(line, who, outcome, _account(who, sign_in, outcome))
        line.outcome = _SIGN_IN_OUTCOMES.get(outcome.reason, "refused")
        line.known_device, line.user = sign_in.is_known_device, self.fingerprint("user", sign_in.account)
        self._write(line)
        self._worked(who, sign_in.effort_s, outcome)

    def _signed_up(self, who: Who, sign_up: SignUp, outcome: Outcome) -> None:
        self._worked(who, sign_up.effort_s, outcome)
        line = self._line("signup", outcome.ended_at_s)
        self._name(line, who, outcome)
        line.outcome = "ok" if outcome.is_complete else "waiting" if outcome.promised_s is not None else "refused"
        line.mail_domain, line.disposable = self.fingerprint("domain", sign_up.mail_domain), sign_up.is_disposable
        line.name_entropy = _rounded(_entropy(sign_up.local_part))
        line.family = self.fingerprint("family", _DIGITS_OF.sub("0", sign_up.local_part))
        self._write(line)
        if outcome.is_complete and sign_up.reads_mail_after_s is not None:
            verified = self._line("verify", outcome.ended_at_s)
            self._name(verified, who, outcome)
            verified.outcome, verified.latency_s = "ok", _rounded(sign_up.reads_mail_after_s)
            self._write(verified)

    def _worked(self, who: Who, effort_s: float | None, outcome: Outcome) -> None:
        if not outcome.effort:
            return
        line = self._line("challenge", outcome.ended_at_s)
        self._name(line, who, outcome)
        line.outcome, line.effort = "abandoned" if effort_s is None else "solved", outcome.effort
        line.solve_s = None if effort_s is None else _rounded(effort_s * outcome.effort)
        self._write(line)

    def _write(self, line: LogLine) -> None:
        self._log.write(self._encoder.encode(line) + _NEWLINE)

    def _say(self, line: TruthLine) -> None:
        if self._truth is not None:
            self._truth.write(self._encoder.encode(line) + _NEWLINE)


def _account(who: Who, what: Asked, outcome: Outcome) -> str:
    """Whose account the service knows it to be: of who signs in only once they are in, be they who they say or not."""
    if isinstance(what, SignIn):
        return what.account if outcome.is_complete else ""
    return who.name if who.has_account else ""


def _rounded(value: float) -> float:
    return round(value, _DIGITS)


def _entropy(text: str) -> float:
    """Bits for each character, by how often each occurs (Shannon 1948)."""
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())
