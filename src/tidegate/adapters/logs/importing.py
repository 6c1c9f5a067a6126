"""Other systems' logs as lines of the event log, ascending, with sessions."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tidegate.adapters.logs.inference import VllmLog, litellm
from tidegate.adapters.logs.lines import Complaints, lines
from tidegate.adapters.logs.naming import Naming
from tidegate.adapters.logs.ordering import IN_MEMORY, Placed, ordered
from tidegate.adapters.logs.own import OwnLog
from tidegate.adapters.logs.records import NotThatForm, Passed, Record, split_target
from tidegate.adapters.logs.web import combined, haproxy
from tidegate.core.score.agents import family

GAP_S: Final = 1800.0
_family = functools.lru_cache(8192)(family)
_MOST_REMEMBERED: Final = 200_000
_SEARCH: Final = (
    "google.",
    "bing.com",
    "duckduckgo.",
    "yahoo.",
    "baidu.",
    "yandex.",
    "ecosia.",
    "startpage.",
    "qwant.",
)
_SOCIAL: Final = (
    "facebook.com",
    "t.co",
    "twitter.com",
    "x.com",
    "reddit.com",
    "linkedin.com",
    "instagram.com",
    "youtube.com",
    "news.ycombinator.com",
)


class LogForm(StrEnum):
    """Whose log it is."""

    COMBINED = "combined"
    NGINX = "nginx"
    HAPROXY = "haproxy"
    LITELLM = "litellm"
    VLLM = "vllm"
    TIDEGATE = "tidegate"


class Tally(msgspec.Struct, kw_only=True):
    """What was found in the files."""

    events: int = 0
    passed: int = 0
    named_sessions: int = 0
    """Lines that named their session; of the others it was worked out."""
    fields: Counter[str] = msgspec.field(default_factory=Counter)
    complaints: Complaints = msgspec.field(default_factory=Complaints)


class Importing:
    """One run over some files. Iterate `events` once, then read `tally`."""

    def __init__(
        self,
        form: LogForm,
        naming: Naming,
        session: str | None = None,
        in_memory: int = IN_MEMORY,
        most_remembered: int = _MOST_REMEMBERED,
    ) -> None:
        """Say whose log it is, how names are given, and which cookie or parameter holds the session.

        So many lines are sorted in memory at a time, and so many visitors and referring hosts remembered.
        """
        self._most_remembered = most_remembered
        self.tally = Tally()
        self._form, self._naming, self._session, self._in_memory = form, naming, session, in_memory
        self._own = OwnLog()
        self._hosts: Counter[str] = Counter()
        self._home: str | None = None
        self._visitors: dict[str, tuple[float, int]] = {}

    def events(self, paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
        """Give each event, ascending in time. Raises OSError when a file cannot be read."""
        for t, file, line, record in ordered(self._records(paths), self._in_memory):
            if self._home is None:  # All files were read by then.
                self._home = next((host for host, _ in self._hosts.most_common(1)), "")
            event = self._event(t, f"{file}-{line}", record)
            self.tally.events += 1
            self.tally.fields.update(event.keys())
            yield event

    def _records(self, paths: Iterable[Path]) -> Iterator[Placed]:
        for file, path in enumerate(paths, 1):
            read = self._reader(path)
            for number, line in lines(path, self.tally.complaints):
                try:
                    record = read(line.decode("utf-8", "replace"))
                except NotThatForm as error:
                    self.tally.complaints.add(path, number, str(error))
                except Passed:
                    self.tally.passed += 1
                else:
                    host = _host(record.referrer)
                    if host and (host in self._hosts or len(self._hosts) < self._most_remembered):
                        self._hosts[host] += 1
                    yield record.t, file, number, record

    def _reader(self, path: Path) -> Callable[[str], Record]:
        match self._form:
            case LogForm.COMBINED | LogForm.NGINX:
                return lambda line: combined(line, self._session)
            case LogForm.HAPROXY:
                return lambda line: haproxy(line, self._session)
            case LogForm.LITELLM:
                return litellm
            case LogForm.VLLM:
                written = path.stat().st_mtime if path.exists() else datetime.now(tz=UTC).timestamp()
                # A day more: its clock may be ahead of UTC.
                return VllmLog(datetime.fromtimestamp(written + 86_400, tz=UTC)).record
            case LogForm.TIDEGATE:
                return self._own.record

    def _event(self, t: float, place: str, record: Record) -> dict[str, Any]:
        event: dict[str, Any] = {"t": round(t, 6), "kind": "request", "id": place, **record.known}
        if self._form is LogForm.TIDEGATE:
            self.tally.named_sessions += "sess" in event
            return event
        name = self._naming.of
        if record.address is not None:
            event["src"], network = name(record.address), self._naming.network(record.address)
            if network is not None:
                event["net"] = network
        if record.agent is not None:
            event["ua"] = _family(record.agent)
        for field, value in (("acct", record.account), ("key", record.key)):
            if value is not None:
                event[field] = name(value)
        if record.target is not None:
            event["path"] = self._naming.path(*split_target(record.target))
        if record.referrer is not None:
            event |= self._referred(record.referrer)
        session = self._session_of(t, record)
        if session is not None:
            event["sess"] = session
        return event

    def _session_of(self, t: float, record: Record) -> str | None:
        if record.session is not None:
            self.tally.named_sessions += 1
            return self._naming.of(record.session)
        whose = record.key or record.account or record.address
        if whose is None:
            return None
        visitor = f"{whose} {record.agent or ''}"
        seen = self._visitors.pop(visitor, None)
        count = 0 if seen is None else seen[1] + (t - seen[0] > GAP_S)
        if len(self._visitors) >= self._most_remembered:
            del self._visitors[next(iter(self._visitors))]
        self._visitors[visitor] = (t, count)
        if not self._naming.is_keyed:
            return f"{whose}#{count}#{_family(record.agent or '')}"
        return self._naming.of(f"{visitor} {count}")

    def _referred(self, referrer: str) -> dict[str, str]:
        kind = self._referrer(referrer)
        # Which page of ours it was tells who goes on from an earlier one; of others' pages nothing is kept.
        ours = {"referrer_path": self._naming.path(*split_target(referrer))} if kind == "same" else {}
        return {"referrer": kind} | ours

    def _referrer(self, referrer: str) -> str:
        host = _host(referrer)
        if not host:
            return "none"
        if host == self._home:
            return "same"
        if any(part in host for part in _SEARCH):
            return "search"
        return "social" if any(host == part or host.endswith(f".{part}") for part in _SOCIAL) else "other"


def _host(referrer: str | None) -> str:
    if not referrer or referrer == "-":
        return ""
    try:
        return (urlsplit(referrer).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
