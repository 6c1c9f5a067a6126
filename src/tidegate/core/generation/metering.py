"""Counts what an answer comes to while it is passed on as it is: its pieces, and the engine's own figures.

Three forms of answers are known by their media type: server-sent events (OpenAI's
chat, completions and responses, Anthropic's messages), lines of JSON (Ollama) and
one JSON object. Nothing is changed in any of them, but that the event with the
usage that a caller did not ask for can be left out. What is in none of these forms
is passed on uncounted, for whoever waits for it to judge by time.

A stream is passed on by whole events: half of one is of no use to anybody, and an
event may come in any number of pieces. Most of what is looked at is bounded.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.core.generation.call import Usage

EVENT_LIMIT_BYTES: Final = 1 << 20
"""A longer event is no event: the engine is not what it says."""

WHOLE_LIMIT_BYTES: Final = 4 << 20
"""Of a longer answer in one piece the figures are not looked for."""


class NotAStreamError(ValueError):
    """What came is not in the form that it was said to be in."""


class Metered(msgspec.Struct, frozen=True, gc=False):
    """What to pass on, how many pieces of an answer are in it, and the engine's figures if they were."""

    data: bytes
    pieces: int = 0
    usage: Usage | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    cache_read_input_tokens: int | None = None


class _Around(msgspec.Struct):
    usage: _Usage | None = None


class _Timings(msgspec.Struct):
    prompt_per_second: float | None = None
    predicted_per_second: float | None = None


class _Body(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None
    usage: _Usage | None = None
    response: _Around | None = None
    message: _Around | None = None
    timings: _Timings | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None

    @property
    def figures(self) -> _Usage | None:
        for around in (self, self.response, self.message):
            if around is not None and around.usage is not None:
                return around.usage
        if self.prompt_eval_count is None and self.eval_count is None:
            return None
        return _Usage(prompt_tokens=self.prompt_eval_count, completion_tokens=self.eval_count)


_bodies = msgspec.json.Decoder(_Body)


class Meter:
    """Takes one answer apart into what is passed on and what is counted. `is_done`: nothing more should come."""

    def __init__(self, media_type: str, *, hides_usage: bool = False) -> None:
        """`hides_usage`: the caller did not ask for the event that holds nothing else."""
        kind = media_type.partition(";")[0].strip().lower()
        self.is_stream = kind in {"text/event-stream", "application/x-ndjson", "application/jsonl"}
        self._ends = (b"\n\n", b"\r\n\r\n") if kind == "text/event-stream" else (b"\n",)
        self._is_json = kind == "application/json"
        self._hides_usage = hides_usage
        self.is_done = False
        self._carry = b""
        self._whole: list[bytes] = []
        self._whole_bytes = 0
        self._usage: Usage | None = None

    def feed(self, data: bytes) -> Metered:
        """Take the next bytes. Raises NotAStreamError."""
        if not self.is_stream:
            self._keep(data)
            return Metered(data)
        data = self._carry + data if self._carry else data
        end = max(at + len(mark) if (at := data.rfind(mark)) >= 0 else 0 for mark in self._ends)
        self._carry = data[end:]
        if len(self._carry) > EVENT_LIMIT_BYTES:
            msg = "an event without an end"
            raise NotAStreamError(msg)
        return self._meter(data[:end]) if end else Metered(b"")

    def close(self) -> Metered:
        """The answer is over: what is left of it."""
        rest, self._carry = self._carry, b""
        if self.is_stream:
            return self._meter(rest) if rest else Metered(b"")
        usage = None
        if self._is_json and self._whole_bytes <= WHOLE_LIMIT_BYTES:
            body = _read(b"".join(self._whole))
            usage = None if body is None else self._figures(body)
        return Metered(b"", 0, usage)

    def _keep(self, data: bytes) -> None:
        self._whole_bytes += len(data)
        if self._whole_bytes <= WHOLE_LIMIT_BYTES:
            self._whole.append(data)
        else:
            self._whole.clear()

    def _meter(self, events: bytes) -> Metered:
        is_sse = len(self._ends) > 1
        if not is_sse:
            pieces = events.count(b"\n") or 1
            if b'"eval_count"' not in events:
                return Metered(events, pieces)
            bodies = [body for line in events.splitlines() if (body := _read(line)) is not None]
            return Metered(events, pieces, next((found for one in bodies if (found := self._figures(one))), None))
        self.is_done = b"data: [DONE]" in events[-24:]
        pieces = events.count(b"\ndata:") + events.startswith(b"data:") - self.is_done
        if b'"usage"' not in events:
            return Metered(events, pieces)
        return self._without_usage(events, pieces)

    def _without_usage(self, events: bytes, pieces: int) -> Metered:
        """Find the figures, and leave out the event that holds nothing else where nobody asked for it."""
        mark = b"\r\n\r\n" if b"\r\n\r\n" in events else b"\n\n"
        kept, usage = [], None
        for event in events.split(mark):
            body = _of_event(event) if b'"usage"' in event else None
            found = None if body is None else self._figures(body)
            usage = found or usage
            if found is not None and self._hides_usage and body is not None and body.choices == []:
                pieces -= 1
            else:
                kept.append(event)
        return Metered(mark.join(kept), max(0, pieces), usage)

    def _figures(self, body: _Body) -> Usage | None:
        """The figures so far: Anthropic tells the prompt's with the first event, the answer's with the last."""
        found = body.figures
        if found is None:
            return None
        before = self._usage or Usage(prompt_tokens=0, completion_tokens=0)
        details = found.prompt_tokens_details or found.input_tokens_details or _Details()
        timings = body.timings or _Timings()
        self._usage = Usage(
            prompt_tokens=_first(found.prompt_tokens, found.input_tokens, before.prompt_tokens),
            completion_tokens=_first(found.completion_tokens, found.output_tokens, before.completion_tokens),
            cached_tokens=_first(details.cached_tokens, found.cache_read_input_tokens, before.cached_tokens),
            prefill_tok_s=timings.prompt_per_second or 0.0,
            decode_tok_s=timings.predicted_per_second or 0.0,
        )
        return self._usage


def _first(*figures: int | None) -> int:
    """The first that was told; an engine that tells less than nothing tells nothing."""
    return max(0, next(figure for figure in figures if figure is not None))


def _of_event(event: bytes) -> _Body | None:
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    return _read(b"\n".join(lines))


def _read(text: bytes) -> _Body | None:
    # What an engine writes is passed on whatever it is; only figures that can be read are counted.
    try:
        return _bodies.decode(text)
    except (ValueError, RecursionError):
        return None
