"""What came back on the wire for one request, read piece by piece as it comes.

Streams are server-sent events with OpenAI's chunks in them; lines are split wherever the network
split them. What a hostile server could push is bounded: a line, a body, a head.
"""

from __future__ import annotations

import itertools
import re
from typing import Final

import msgspec

MOST_LINE_BYTES: Final = 1 << 20
MOST_BODY_BYTES: Final = 4 << 20
"""Of an answer in one piece; of a stream the text alone is kept, up to the same bound."""
MOST_COOKIES: Final = 16
_ETA: Final = re.compile(rb"eta_s=([0-9]{1,9}(?:\.[0-9]{1,9})?)")
_NUMBER: Final = re.compile(rb"[0-9]{1,12}(?:\.[0-9]{1,9})?\Z")


class Broken(ValueError):  # noqa: N818 - what an answer is
    """What came is no answer that this client understands, or more of it than is taken."""


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: int = 0


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the service counts them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None

    @property
    def cached_tokens(self) -> int:
        """Of the prompt, those that were known already."""
        return self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else 0


class _Error(msgspec.Struct):
    code: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: Usage | None = None
    error: _Error | None = None


_chunks: Final = msgspec.json.Decoder(_Chunk)


class Heard:
    """One answer. Times are of the clock that `began_at` was taken from (monotonic seconds).

    `asked_at` is when it was to be asked, `began_at` when connecting or writing began. `status` is 0 where no head
    came. `arrived` has the time of each piece of text; in an answer that is no stream, that of its end. `promised_s`
    is the wait that was told first, at `promised_at`; `begun_at` is when the engine began with the answer.
    """

    __slots__ = (
        "_body_bytes",
        "_rest",
        "arrived",
        "asked_at",
        "began_at",
        "begun_at",
        "body",
        "cookies",
        "ended_at",
        "finish",
        "is_cut",
        "is_stream",
        "is_whole",
        "location",
        "promised_at",
        "promised_s",
        "reason",
        "request_id",
        "retry_after_s",
        "status",
        "text",
        "usage",
    )

    def __init__(self, asked_at: float) -> None:
        """Nothing came yet."""
        self.asked_at = self.began_at = self.ended_at = asked_at
        self.status = 0
        self.reason = ""
        self.request_id = ""
        self.location = ""
        self.cookies: list[bytes] = []
        self.retry_after_s: float | None = None
        self.promised_s: float | None = None
        self.promised_at = 0.0
        self.begun_at: float | None = None
        self.is_stream = False
        self.is_whole = False
        self.is_cut = False
        self.finish = ""
        self.usage: Usage | None = None
        self.arrived: list[float] = []
        self.text: list[str] = []
        self.body = b""
        self._rest = b""
        self._body_bytes = 0

    def take_header(self, name: bytes, value: bytes) -> None:
        """One line of the head; only what is asked for later is kept."""
        keep = _KEPT.get(name.lower())
        if keep is not None:
            keep(self, value)

    def take_body(self, piece: bytes, now: float) -> None:
        """A piece of the body, split anywhere. Raises Broken for what is beyond all bounds."""
        if not self.is_stream:
            self._body_bytes += len(piece)
            if self._body_bytes > MOST_BODY_BYTES:
                raise Broken
            self.body += piece
            return
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > MOST_LINE_BYTES:
            raise Broken
        for line in lines:
            if line.startswith(b"data: {"):
                self._take_chunk(line[6:], now)
            elif line.startswith(b":") and self.promised_s is None and self.begun_at is None:
                self._take_comment(line, now)

    def end(self, now: float) -> None:
        """The answer came to its end."""
        self.ended_at = now
        self.is_whole = True
        if self.body.startswith(b"{"):
            try:
                self._take_chunk(self.body, now)
            except Broken:
                return  # JSON, but none of ours: a page's own.
        self.is_cut = self.is_cut or (self.is_stream and not self.finish)

    @property
    def first_s(self) -> float | None:
        """From asking to the first text."""
        return self.arrived[0] - self.asked_at if self.arrived else None

    @property
    def waited_s(self) -> float | None:
        """From being told how long it would be until the engine began; None where either never was."""
        if self.promised_s is None or self.begun_at is None:
            return None
        return self.begun_at - self.promised_at

    def gaps(self) -> tuple[float, float]:
        """The 95th percentile and the longest of the gaps between two pieces of text, in seconds; 0 of none."""
        found = sorted(after - before for before, after in itertools.pairwise(self.arrived))
        return (found[min(len(found) - 1, int(0.95 * len(found)))], found[-1]) if found else (0.0, 0.0)

    def _take_comment(self, line: bytes, now: float) -> None:
        """What is said first while one waits is the promise."""
        said = _ETA.search(line)
        if said is not None:
            self.promised_s, self.promised_at = float(said[1]), now

    def _take_chunk(self, line: bytes, now: float) -> None:
        try:
            chunk = _chunks.decode(line)
        except msgspec.DecodeError:
            raise Broken from None
        self.usage = chunk.usage or self.usage
        if chunk.error is not None:
            self.reason, self.is_cut = chunk.error.code or "unknown", self.is_stream
        if chunk.choices and self.begun_at is None:
            self.begun_at = now
        for choice in chunk.choices:
            said = choice.delta or choice.message
            if said is not None and (words := said.content or said.reasoning_content):
                self.arrived.append(now)
                self._body_bytes += len(words)
                if self._body_bytes > MOST_BODY_BYTES:
                    raise Broken
                self.text.append(words)
            self.finish = choice.finish_reason or self.finish


def _seconds(heard: Heard, value: bytes) -> None:
    if heard.retry_after_s is None and _NUMBER.match(value):
        heard.retry_after_s = float(value)


def _milliseconds(heard: Heard, value: bytes) -> None:
    if _NUMBER.match(value):  # The finer of the two, in whichever order they come.
        heard.retry_after_s = float(value) / 1000.0


def _kind(heard: Heard, value: bytes) -> None:
    heard.is_stream = value.startswith(b"text/event-stream")


def _request_id(heard: Heard, value: bytes) -> None:
    heard.request_id = value[:200].decode("latin-1")


def _place(heard: Heard, value: bytes) -> None:
    heard.location = value[:2048].decode("latin-1")


def _cookie(heard: Heard, value: bytes) -> None:
    if len(heard.cookies) < MOST_COOKIES:
        heard.cookies.append(value[:8192].partition(b";")[0])


_KEPT: Final = {
    b"retry-after": _seconds,
    b"retry-after-ms": _milliseconds,
    b"content-type": _kind,
    b"x-request-id": _request_id,
    b"location": _place,
    b"set-cookie": _cookie,
}
