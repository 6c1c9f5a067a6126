"""The pieces of a request as the OpenAI API defines them: messages, tools, formats, bounds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

MAX_TOKENS_LIMIT = 1 << 24

PositiveTokens = Annotated[int, Meta(ge=1, le=MAX_TOKENS_LIMIT)]
EndUser = Annotated[str, Meta(max_length=512)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Unit = Annotated[float, Meta(ge=0, le=1)]
StopText = Annotated[str, Meta(min_length=1, max_length=1024)]
OnlyStop = Annotated[str, Meta(max_length=1024)]  # Empty means none: some clients always send it.
TokenId = Annotated[int, Meta(ge=0, lt=1 << 31)]
Bias = Annotated[float, Meta(ge=-100, le=100)]


class TextPart(msgspec.Struct, tag_field="type", tag="text"):
    """A piece of text in a message's content."""

    text: str


class StreamOptions(msgspec.Struct):
    """Options of a stream."""

    include_usage: bool | None = None


class Thinking(msgspec.Struct):
    """DeepSeek's and Anthropic's switch for thinking."""

    type: Literal["enabled", "disabled", "adaptive"] = "enabled"


class Reasoning(msgspec.Struct):
    """The Responses dialect's way to say the same."""

    effort: str | None = None


class TextFormat(msgspec.Struct, tag_field="type", tag="text"):
    """Plain text: no constraint."""


class JsonFormat(msgspec.Struct, tag_field="type", tag="json_object"):
    """Any JSON object."""


class JsonSchema(msgspec.Struct, omit_defaults=True):
    """A schema and what to call it."""

    name: str | None = None
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class JsonSchemaFormat(msgspec.Struct, tag_field="type", tag="json_schema"):
    """JSON that fits a schema."""

    json_schema: JsonSchema


class FunctionName(msgspec.Struct):
    """Names a function."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]


class Function(msgspec.Struct, omit_defaults=True):
    """A function that the model may call."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(msgspec.Struct, tag_field="type", tag="function"):
    """A tool; functions are all there is."""

    function: Function


class NamedTool(msgspec.Struct, tag_field="type", tag="function"):
    """Makes the model call this one."""

    function: FunctionName


class ToolCallFunction(msgspec.Struct):
    """What the model called, and with what."""

    name: str
    arguments: str = ""


class ToolCall(msgspec.Struct):
    """An earlier call that the model made. Passed on whole: engines insist on the type."""

    function: ToolCallFunction
    id: str = ""
    type: Literal["function"] = "function"


class ChatMessage(msgspec.Struct):
    """One message. Both names for earlier thinking are taken, and neither is required."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_calls: Annotated[list[ToolCall], Meta(max_length=128)] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
