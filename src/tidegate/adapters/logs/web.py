"""Lines of web servers and proxies: Apache's combined form and what people hang onto it, nginx, HAProxy.

No library reads these with fields of one's own behind them, so the fixed part is matched
as the servers' manuals give it, and what follows is searched.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from tidegate.adapters.logs.records import NotThatForm, Record, named, route_of, split_target

_COMBINED: Final = re.compile(
    r"(?P<head>[^\[]*)\[(?P<time>[^\]]{20,35})\] \"(?P<request>(?:[^\"\\]|\\.)*)\""
    r" (?P<status>\d{3}|-) (?P<bytes>\d+|-)(?P<rest>.*)"
)
_HAPROXY: Final = re.compile(
    r"(?<![\w.:])(?P<address>[0-9a-fA-F.:]{2,45}):\d{1,5} \[(?P<time>[^\]]+)\] \S+ \S+ (?P<timers>[-+\d/]+)"
    r" (?P<status>-?\d+) \+?(?P<bytes>\d+)"
    r" (?P<cookie>\S+) \S+ \S+ \S+ \S+(?P<captures>(?: \{[^}]*\})*) \"(?P<request>[^\"]*)\""
)
_WORDS: Final = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|(\S+)")
_REQUEST: Final = re.compile(r"([A-Z]{3,10}) (\S+)(?: HTTP/[\d.]+)?")
_NO_AGENT: Final = re.compile(r"-\Z|[\w.-]{1,64}=|[\da-fA-F.:, ]+\Z|(?=[\w,-]*[A-Za-z]|\d{12,})[\w,-]{8,128}\Z")
_SESSION_LIKE: Final = re.compile(r"(?=[\w,-]*[A-Za-z]|\d{12,})[\w,-]{8,128}\Z")
_AGENT_LIKE: Final = re.compile(r"^[A-Za-z][\w .-]*/[\d.]+")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def combined(line: str, session: str | None) -> Record:
    """A line of Apache or nginx. The session is the cookie or parameter of that name, or an id behind the agent."""
    found = _COMBINED.match(line)
    if found is None:
        msg = "not in the combined form"
        raise NotThatForm(msg)
    head, rest = found["head"].split(), _WORDS.findall(found["rest"])
    quoted = [text for text, bare in rest if not bare]
    agent = _agent_of(quoted[1:])
    # In any order: the identity in front, what is not quoted, and what is quoted and not the agent.
    others = [*head[-2:-1], *(text for text in quoted[1:] if text is not agent), *(bare for _, bare in rest if bare)]
    return _record(
        found,
        time_of(found["time"]),
        # A virtual host may stand before the address; identity and user follow it.
        address=head[-3] if len(head) >= 3 else head[0] if head else None,  # noqa: PLR2004 - as above
        account=head[-1] if len(head) >= 3 and head[-1] != "-" else None,  # noqa: PLR2004 - as above
        referrer=quoted[0] if quoted else None,
        agent=agent,
        session=_session(session, others, found["request"]),
    )


def _agent_of(quoted: list[str]) -> str | None:
    """The first that is no cookie, address or session's id; a lone one is the agent, whatever it looks like."""
    return next((text for text in quoted if not _NO_AGENT.match(text)), quoted[0] if quoted else None)


def haproxy(line: str, session: str | None) -> Record:
    """A line of `option httplog`; agent, referrer and session where they are captured. Its clock is taken for UTC."""
    found = _HAPROXY.search(line)
    if found is None:
        msg = "not HAProxy's HTTP form"
        raise NotThatForm(msg)
    captured = [word for group in re.findall(r"\{([^}]*)\}", found["captures"]) for word in group.split("|") if word]
    return _record(
        found,
        time_of(found["time"]),
        address=found["address"],
        referrer=next((word for word in captured if word.startswith(("http://", "https://"))), None),
        agent=next((word for word in captured if _AGENT_LIKE.match(word)), None),
        session=_session(session, [found["cookie"], *captured], found["request"], is_guessed=False),
        timers=found["timers"],
    )


def _record(found: re.Match[str], t: float, *, timers: str = "", **names: str | None) -> Record:
    request = _REQUEST.match(found["request"])
    method, target = (request[1], request[2]) if request else ("", "")
    known: dict[str, Any] = {"route": route_of(method, split_target(target)[0]) if request else "other"}
    if request:
        known["method"] = method
    if found["status"].isdigit():
        known["status"] = int(found["status"])
    if found["bytes"].isdigit():
        known["bytes_out"] = int(found["bytes"])
    passed = timers.split("/")
    if known["route"] == "chat" and len(passed) == 5 and passed[-1].lstrip("+").isdigit():  # noqa: PLR2004 - of `httplog`
        known["service_s"] = int(passed[-1].lstrip("+")) / 1000
    names = {
        name: None if text in {"", "-"} and name not in {"referrer", "agent"} else text for name, text in names.items()
    }
    return Record(t=t, target=target or None, known=known, **names)


def _session(name: str | None, others: list[str], request: str, *, is_guessed: bool = True) -> str | None:
    if name is not None:
        for text in (*others, request):
            if (value := named(name, text)) is not None:
                return value
    guesses = [text for text in others if is_guessed and _SESSION_LIKE.match(text)]
    return guesses[-1] if guesses else None


def time_of(text: str) -> float:
    """Unix seconds of `22/Nov/2026:19:00:01 +0000`, with or without a fraction and a zone."""
    found = re.fullmatch(
        r"(\d{1,2})/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d)(\.\d{1,6})?(?: ([+-])(\d\d)(\d\d))?", text
    )
    if found is None or found[2] not in _MONTHS:
        msg = "a time that cannot be read"
        raise NotThatForm(msg)
    day, month, year, hour, minute, second, fraction, sign, ahead_h, ahead_min = found.groups()
    try:
        whole = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError as error:
        raise NotThatForm(str(error)) from error
    ahead_s = (int(ahead_h) * 3600 + int(ahead_min) * 60) * (-1 if sign == "-" else 1) if sign else 0
    return whole.timestamp() - ahead_s + float(fraction or 0)
