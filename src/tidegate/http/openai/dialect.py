"""Writes one answer, streamed or whole, in the chat or the completions form."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from tidegate.core.generation.call import Delta, Event, Finished, FinishReason, Usage
from tidegate.http.openai.answers import (
    ChatChoice,
    ChatChunk,
    ChatChunkChoice,
    ChatCompletion,
    ChatDelta,
    ChatMessageBody,
    TextChoice,
    TextCompletion,
    TextLogprobs,
    UsageBody,
    chat_delta,
    text_logprobs,
)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What every chunk of one answer repeats."""

    id: str
    created: int
    model: str
    system_fingerprint: str
    wants_usage: bool

    def common(self) -> dict[str, Any]:
        """Keyword arguments for any response type."""
        return {
            "id": self.id,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.system_fingerprint,
        }


class Dialect(Protocol):
    """Turns events into chunks, and keeps the whole for those who do not stream."""

    def opening(self) -> list[msgspec.Struct]:
        """Chunks before the first event."""

    def take(self, event: Event) -> list[msgspec.Struct]:
        """Chunks that an event makes."""

    def whole(self) -> msgspec.Struct:
        """The complete response, once every event has been taken."""


class ChatDialect:
    """`chat.completion` and `chat.completion.chunk`."""

    def __init__(self, head: Head) -> None:
        """Start an answer."""
        self._head = head
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._tool_calls: dict[int, dict[str, Any]] = {}
        self._logprobs: list[Any] = []
        self._finish = FinishReason.STOP
        self._usage: UsageBody | None = None

    def opening(self) -> list[msgspec.Struct]:
        """The first chunk says who speaks."""
        return [self._chunk(ChatDelta(role="assistant", content=""))]

    def take(self, event: Event) -> list[msgspec.Struct]:
        """Write an event, and remember it."""
        match event:
            case Delta():
                self._remember(event)
                return [self._chunk(chat_delta(event), logprobs=event.logprobs)]
            case Finished(reason=reason):
                self._finish = reason
                return [self._chunk(ChatDelta(), finish_reason=reason)]
            case Usage():
                self._usage = UsageBody.of(event)
                if self._head.wants_usage:
                    return [ChatChunk(**self._head.common(), choices=[], usage=self._usage)]
        return []

    def whole(self) -> ChatCompletion:
        """The message in one piece."""
        reasoning = "".join(self._reasoning) or msgspec.UNSET
        content = "".join(self._content)
        message = ChatMessageBody(
            role="assistant",
            content=None if self._tool_calls and not content else content,
            refusal=None,
            reasoning_content=reasoning,
            reasoning=reasoning,
            tool_calls=[call for _, call in sorted(self._tool_calls.items())] or msgspec.UNSET,
        )
        logprobs = {"content": self._logprobs, "refusal": None} if self._logprobs else None
        return ChatCompletion(
            **self._head.common(),
            choices=[ChatChoice(message=message, logprobs=logprobs, finish_reason=self._finish)],
            usage=self._usage or UsageBody.of(Usage(prompt_tokens=0, completion_tokens=0)),
        )

    def _chunk(self, delta: ChatDelta, **choice: Any) -> ChatChunk:
        usage = None if self._head.wants_usage else msgspec.UNSET
        return ChatChunk(**self._head.common(), choices=[ChatChunkChoice(delta=delta, **choice)], usage=usage)

    def _remember(self, delta: Delta) -> None:
        self._content.append(delta.content)
        self._reasoning.append(delta.reasoning)
        if isinstance(delta.logprobs, dict):
            self._logprobs.extend(delta.logprobs.get("content") or [])
        for piece in delta.tool_calls or []:
            _merge(self._tool_calls.setdefault(piece.get("index", 0), {}), piece)


class TextDialect:
    """`text_completion`, the same type streamed or whole. `echo` is the prompt to repeat first, if asked for."""

    def __init__(self, head: Head, echo: str = "") -> None:
        """Start an answer."""
        self._head = head
        self._echo = echo
        self._text: list[str] = [echo] if echo else []
        self._length = len(echo)
        self._logprobs: TextLogprobs | None = None
        self._finish = FinishReason.STOP
        self._usage: UsageBody | None = None

    def opening(self) -> list[msgspec.Struct]:
        """The echoed prompt, if any."""
        return [self._chunk(TextChoice(text=self._echo))] if self._echo else []

    def take(self, event: Event) -> list[msgspec.Struct]:
        """Write an event, and remember it."""
        match event:
            case Delta():
                text = event.content
                logprobs = text_logprobs(event.logprobs, self._length)
                self._text.append(text)
                self._length += len(text)
                self._join(logprobs)
                return [self._chunk(TextChoice(text=text, logprobs=logprobs))]
            case Finished(reason=reason):
                self._finish = reason
                return [self._chunk(TextChoice(text="", finish_reason=reason))]
            case Usage():
                self._usage = UsageBody.of(event)
                if self._head.wants_usage:
                    return [TextCompletion(**self._head.common(), choices=[], usage=self._usage)]
        return []

    def whole(self) -> TextCompletion:
        """The text in one piece."""
        choice = TextChoice(text="".join(self._text), logprobs=self._logprobs, finish_reason=self._finish)
        return TextCompletion(**self._head.common(), choices=[choice], usage=self._usage or msgspec.UNSET)

    def _chunk(self, choice: TextChoice) -> TextCompletion:
        usage = None if self._head.wants_usage else msgspec.UNSET
        return TextCompletion(**self._head.common(), choices=[choice], usage=usage)

    def _join(self, more: TextLogprobs | None) -> None:
        if more is None:
            return
        if self._logprobs is None:
            self._logprobs = TextLogprobs()
        for name in TextLogprobs.__struct_fields__:
            getattr(self._logprobs, name).extend(getattr(more, name))


def _merge(whole: dict[str, Any], piece: dict[str, Any]) -> None:
    """Join a piece of a tool call to what came before: names come once, arguments in pieces."""
    for name, value in piece.items():
        if isinstance(value, dict):
            _merge(whole.setdefault(name, {}), value)
        elif name == "arguments" and name in whole:
            whole[name] += value
        elif name != "index" and value is not None:
            whole[name] = value
