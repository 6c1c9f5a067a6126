"""What callers may send: the OpenAI wire types, and their translation into a call.

Unknown fields are ignored, and null means absent, as clients expect. Fields
that are accepted and change nothing here (`store`, `metadata`,
`service_tier`, ...) are not listed: ignoring needs no type.
"""

from __future__ import annotations

import re
from hashlib import blake2s
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from tidegate.core.generation.call import ChatCall, Sampling, TextCall, Turn
from tidegate.core.generation.schemas import SchemaFaultError, measure
from tidegate.core.reasons import Reason
from tidegate.http import bodies
from tidegate.http.openai.pieces import (
    Bias,
    ChatMessage,
    EndUser,
    JsonFormat,
    JsonSchemaFormat,
    NamedTool,
    OnlyStop,
    Penalty,
    PositiveTokens,
    Reasoning,
    StopText,
    StreamOptions,
    TextFormat,
    Thinking,
    TokenId,
    Tool,
    Unit,
)
from tidegate.http.refusals import Refusal

P = TypeVar("P")

TOOL_PARTS_LIMIT = 2048
"""Subschemas of all tools of one request, references unfolded."""

TOOL_CALLS_LIMIT = 2048
"""Earlier calls of tools in all messages of one request."""

_TOKENS_SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0, "exclusiveMaximum": 1 << 31},
}
PROMPT_SCHEMA: dict[str, Any] = {
    "description": "One text, a list of one, or the token ids of one.",
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1},
        {**_TOKENS_SCHEMA, "minItems": 1},
        {"type": "array", "items": _TOKENS_SCHEMA, "minItems": 1, "maxItems": 1},
    ],
}

RESERVED_ARGUMENTS = frozenset({"messages", "tools", "add_generation_prompt", "bos_token", "eos_token", "documents"})
"""What a chat template is given by the request itself; overriding it would go round every other check."""


class SamplingFields(msgspec.Struct, kw_only=True):
    """What chat completions and completions have in common."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: PositiveTokens | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Unit | None = None
    top_k: Annotated[int, Meta(ge=0, le=1000)] | None = None
    min_p: Unit | None = None
    stop: OnlyStop | Annotated[list[StopText], Meta(max_length=16)] | None = None
    n: int | None = None
    seed: int | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    logit_bias: Annotated[dict[str, Bias], Meta(max_length=1024)] | None = None
    user: EndUser | None = None
    user_id: EndUser | None = None
    safety_identifier: EndUser | None = None

    @property
    def is_stream(self) -> bool:
        """Whether the answer is to be streamed."""
        return bool(self.stream)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with a usage chunk."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def end_user(self) -> str:
        """Whom of its people the caller asks for, as a word of one length; empty where it names nobody.

        In DeepSeek's field, or OpenAI's newer or older one. Unkeyed, for it is never kept and never leaves the
        process: an account could only make its own people share a word.
        """
        named = self.user_id or self.safety_identifier or self.user
        return blake2s(named.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest() if named else ""

    def sampling(self, *, max_tokens: int | None, logprobs: bool | None, top_logprobs: int | None) -> Sampling:
        """The sampling part of a call. Raises a Refusal for what one field alone does not show."""
        if self.n not in {None, 1}:
            raise Refusal(Reason.UNSUPPORTED_VALUE, "n: one answer a request is all this service gives.", param="n")
        return Sampling(
            max_tokens=max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
            stop=[self.stop] if isinstance(self.stop, str) and self.stop else self.stop or None,
            seed=None if self.seed is None else self.seed & 0xFFFFFFFF,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            logit_bias=self._logit_bias(),
            logprobs=logprobs,
            top_logprobs=top_logprobs,
        )

    def _logit_bias(self) -> dict[str, float] | None:
        for token in self.logit_bias or {}:
            if not (token.isascii() and token.isdigit() and len(token) < 10):  # noqa: PLR2004 - any vocabulary fits
                raise Refusal(
                    Reason.INVALID_VALUE, "logit_bias: keys are token ids, written as numbers.", param="logit_bias"
                )
        return self.logit_bias or None


class ChatRequest(SamplingFields, kw_only=True):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[ChatMessage], Meta(min_length=1, max_length=4096)]
    max_completion_tokens: PositiveTokens | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    response_format: TextFormat | JsonFormat | JsonSchemaFormat | None = None
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    thinking: Thinking | None = None
    reasoning: Reasoning | None = None
    chat_template_kwargs: Annotated[dict[str, Any], Meta(max_length=32)] | None = None

    prompt_field: ClassVar = "messages"

    def blame(self, message: str) -> str:
        """The field that an engine means which says no more than `message`: the rarest that it may be about."""
        if "schema" in message or "grammar" in message:
            return "response_format" if self.response_format is not None else "tools"
        return "chat_template_kwargs" if self.chat_template_kwargs else self.prompt_field

    @property
    def asked_tokens(self) -> int | None:
        """The newer of the two names for the limit wins."""
        return self.max_completion_tokens or self.max_tokens

    def call(self) -> ChatCall:
        """Translate. Raises a Refusal for what one field alone does not show."""
        if self.top_logprobs and not self.logprobs:
            raise Refusal(Reason.INVALID_VALUE, "top_logprobs: needs logprobs to be true.", param="top_logprobs")
        if sum(len(message.tool_calls) for message in self.messages if message.tool_calls) > TOOL_CALLS_LIMIT:
            sentence = f"messages: more than {TOOL_CALLS_LIMIT} tool calls in all."
            raise Refusal(Reason.INVALID_VALUE, sentence, param="messages")
        self._check_schemas()
        self._check_template_arguments()
        wanted = self.response_format
        tools = self.tools if self.tool_choice != "none" else None
        return ChatCall(
            messages=[_turn(message, index) for index, message in enumerate(self.messages)],
            sampling=self.sampling(
                max_tokens=self.asked_tokens, logprobs=self.logprobs or None, top_logprobs=self.top_logprobs or None
            ),
            response_format=None if wanted is None else msgspec.to_builtins(wanted),
            tools=msgspec.to_builtins(tools) if tools else None,
            tool_choice=msgspec.to_builtins(self.tool_choice) if tools else None,
            parallel_tool_calls=self.parallel_tool_calls if tools else None,
            template_arguments=self._template_arguments(),
        )

    def _check_schemas(self) -> None:
        """Refuse schemas that would hold up everybody's answers; see `core.generation.schemas`."""
        asked: list[tuple[str, Any]] = []
        if isinstance(self.response_format, JsonSchemaFormat):
            asked.append(("response_format.json_schema.schema", self.response_format.json_schema.schema))
        for index, tool in enumerate(self.tools or []):
            asked.append((f"tools[{index}].function.parameters", tool.function.parameters))
        parts = 0
        for param, schema in asked:
            try:
                parts += measure(schema)
            except SchemaFaultError as fault:
                sentence = f"{param}: this service does not take schemas with {fault}."
                raise Refusal(Reason.UNSUPPORTED_VALUE, sentence, param=param) from None
            if parts > TOOL_PARTS_LIMIT:
                raise Refusal(
                    Reason.UNSUPPORTED_VALUE, f"{param}: the schemas of all tools are too large together.", param=param
                )

    def _check_template_arguments(self) -> None:
        for name in self.chat_template_kwargs or {}:
            if name in RESERVED_ARGUMENTS:
                param = f"chat_template_kwargs.{name}"
                raise Refusal(Reason.UNSUPPORTED_VALUE, f"{param}: is not for callers to set.", param=param)

    def _template_arguments(self) -> dict[str, Any] | None:
        """Whether and how hard to think, in the words that chat templates know."""
        arguments = dict(self.chat_template_kwargs or {})
        effort = self.reasoning_effort or (self.reasoning.effort if self.reasoning else None)
        if effort is not None:
            arguments.setdefault("reasoning_effort", effort)
            arguments.setdefault("enable_thinking", effort != "none")
        if self.thinking is not None:
            arguments.setdefault("enable_thinking", self.thinking.type != "disabled")
        return arguments or None


class TextRequest(SamplingFields, kw_only=True):
    """`POST /v1/completions`."""

    # Which kind of list it is shows at its beginning. A type for all of them would make each item, be it a list
    # without anything in it, a value of its own before anybody could say that it is one too many.
    prompt: Annotated[msgspec.Raw, Meta(extra_json_schema=PROMPT_SCHEMA)]
    suffix: str | None = None
    echo: bool | None = None
    best_of: int | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None

    prompt_field: ClassVar = "prompt"

    def blame(self, message: str) -> str:
        """The field that an engine means which says no more than `message`."""
        del message
        return self.prompt_field

    @property
    def asked_tokens(self) -> int | None:
        """OpenAI's default for this route is 16."""
        return self.max_tokens or 16

    def call(self) -> TextCall:
        """Translate. Raises a Refusal for what this model or service does not offer."""
        if self.suffix:
            raise Refusal(
                Reason.UNSUPPORTED_VALUE, "suffix: this model cannot fill in the middle of a text.", param="suffix"
            )
        if self.best_of not in {None, 1}:
            raise Refusal(Reason.UNSUPPORTED_VALUE, "best_of: only 1 is offered.", param="best_of")
        return TextCall(
            prompt=self.single_prompt(),
            sampling=self.sampling(
                max_tokens=self.asked_tokens,
                logprobs=None if self.logprobs is None else True,
                top_logprobs=self.logprobs or None,
            ),
        )

    def single_prompt(self) -> str | list[int]:
        """The one prompt: a text, a list of one, or token ids."""
        raw = bytes(self.prompt)
        begun = _LIST.match(raw)
        if begun is None:
            return bodies.decode(raw, str, at="prompt")
        if begun[1] == b'"':
            return _only(bodies.decode(raw, list[str], at="prompt"))
        if begun[1] == b"[":
            # No text can stand in there, so there are as many lists as there are brackets.
            if raw.count(b"[") > 2:  # noqa: PLR2004 - the list, and the one in it
                raise _too_many_prompts()
            return _only(bodies.decode(raw, list[list[TokenId]], at="prompt"))
        tokens = bodies.decode(raw, list[TokenId], at="prompt")
        if not tokens:
            raise Refusal(Reason.INVALID_VALUE, "prompt: a text, or token ids, and at least one.", param="prompt")
        return tokens


_LIST: Final = re.compile(rb"\s*\[\s*(.)", re.DOTALL)


def _only(prompts: list[P]) -> P:
    if len(prompts) > 1:
        raise _too_many_prompts()
    return prompts[0]


def _too_many_prompts() -> Refusal:
    return Refusal(Reason.UNSUPPORTED_VALUE, "prompt: one prompt a request.", param="prompt")


def _turn(message: ChatMessage, index: int) -> Turn:
    content = message.content
    if isinstance(content, list):
        content = "".join(part.text for part in content)
    reasoning = message.reasoning_content or message.reasoning
    if content is None and not (message.role == "assistant" and (message.tool_calls or reasoning)):
        param = f"messages[{index}].content"
        raise Refusal(Reason.MISSING_FIELD, f"{param}: this field is required.", param=param)
    return Turn(
        # Templates of open models know "system"; "developer" is OpenAI's newer word for it.
        role="system" if message.role == "developer" else message.role,
        content=content or "",
        name=message.name,
        tool_calls=msgspec.to_builtins(message.tool_calls) if message.tool_calls else None,
        tool_call_id=message.tool_call_id,
        reasoning_content=reasoning,
    )
