"""Lines of servers of models: LiteLLM's payloads and vLLM's log. Prompts and answers in them are not read."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from tidegate.adapters.logs.records import NotThatForm, Passed, Record, route_of


class _Metadata(msgspec.Struct):
    user_api_key_hash: str | None = None
    user_api_key_user_id: str | None = None
    user_api_key_end_user_id: str | None = None
    requester_ip_address: str | None = None
    session_id: str | None = None
    user_agent: str | None = None


class _Parameters(msgspec.Struct):
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream: bool | None = None


class _Payload(msgspec.Struct, kw_only=True):
    """StandardLoggingPayload, and the same as a row of LiteLLM_SpendLogs."""

    endTime: float | str  # noqa: N815 - LiteLLM's name
    startTime: float | str | None = None  # noqa: N815 - LiteLLM's name
    completionStartTime: float | str | None = None  # noqa: N815 - LiteLLM's name
    call_type: str | None = None
    status: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    end_user: str | None = None
    user: str | None = None
    api_key: str | None = None
    session_id: str | None = None
    requester_ip_address: str | None = None
    stream: bool | None = None
    metadata: _Metadata | None = None
    model_parameters: _Parameters | None = None


_PAYLOAD = msgspec.json.Decoder(_Payload, strict=False)


def litellm(line: str) -> Record:
    """One payload of LiteLLM's logging, or a row of its spend logs as JSON."""
    try:
        payload = _PAYLOAD.decode(line)
        ended = _moment(payload.endTime)
        started = None if payload.startTime is None else _moment(payload.startTime)
        first = None if payload.completionStartTime is None else _moment(payload.completionStartTime)
    except (msgspec.MsgspecError, ValueError) as error:
        msg = (
            f"not a payload of LiteLLM ({error})"
            if isinstance(error, msgspec.ValidationError)
            else "not a payload of LiteLLM"
        )
        raise NotThatForm(msg) from error
    meta, given = payload.metadata or _Metadata(), payload.model_parameters or _Parameters()
    known: dict[str, Any] = {
        "route": "embed" if "embedding" in (payload.call_type or "") else "chat",
        "status": {"success": 200, "failure": 500}.get(payload.status or ""),
        "in_tok": payload.prompt_tokens,
        "out_tok": payload.completion_tokens,
        "max_tok": given.max_completion_tokens or given.max_tokens,
        "stream": payload.stream if payload.stream is not None else given.stream,
        "service_s": None if started is None else round(max(0.0, ended - started), 6),
        "ttft_s": None if started is None or first is None else round(max(0.0, first - started), 6),
    }
    return Record(
        t=ended,
        address=payload.requester_ip_address or meta.requester_ip_address,
        agent=meta.user_agent,
        session=payload.session_id or meta.session_id,
        account=payload.end_user or meta.user_api_key_end_user_id or payload.user or meta.user_api_key_user_id,
        key=payload.api_key or meta.user_api_key_hash,
        known={name: value for name, value in known.items() if value is not None},
    )


def _moment(text: float | str) -> float:
    if isinstance(text, str):
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return text


_STAMP: Final = re.compile(r"(?:^|\s)(?P<month>\d\d)-(?P<day>\d\d) (?P<time>\d\d:\d\d:\d\d)(?:\s|$)")
_ACCESS: Final = re.compile(
    r"(?<![\w.:\[])(?P<address>[0-9a-fA-F.:\[\]]{2,47}):\d{1,5} - "
    r"\"(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[\d.]+\" (?P<status>\d{3})"
)


class VllmLog:
    """vLLM's log: requests are its access lines, which have no time; the line before them has, without a year."""

    def __init__(self, latest: datetime) -> None:
        """Begin a file that was last written at `latest`."""
        self._latest = latest
        self._now: float | None = None

    def record(self, line: str) -> Record:
        """One request; raises Passed for lines about something else."""
        # Only what stands before the message: a prompt in the line may hold anything.
        if stamp := _STAMP.search(line[:60]):
            self._now = self._moment(stamp)
        access = _ACCESS.search(line) if "Received request" not in line else None
        if access is None:
            raise Passed
        if self._now is None:
            msg = "no line before it tells the time"
            raise NotThatForm(msg)
        route = route_of(access["method"], access["target"].partition("?")[0])
        known = {"route": route, "method": access["method"], "status": int(access["status"])}
        return Record(t=self._now, address=access["address"].strip("[]"), target=access["target"], known=known)

    def _moment(self, stamp: re.Match[str]) -> float | None:
        for year in (self._latest.year, self._latest.year - 1):
            try:
                moment = datetime.fromisoformat(f"{year}-{stamp['month']}-{stamp['day']}T{stamp['time']}+00:00")
            except ValueError:
                continue
            if moment <= self._latest:
                return moment.timestamp()
        return self._now
