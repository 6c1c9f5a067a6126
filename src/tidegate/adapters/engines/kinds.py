"""Which server an engine is, as far as it makes a difference, and what it says of itself when it is asked."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

MODELS_PATH: Final = "/v1/models"
PROPS_PATH: Final = "/props"


class Kind(StrEnum):
    """Servers with an OpenAI-compatible API, by what each adds to it."""

    LLAMA_CPP = "llama.cpp"
    VLLM = "vllm"
    SGLANG = "sglang"
    OLLAMA = "ollama"
    OPENAI = "openai"


_OWNERS: Final = {
    "llamacpp": Kind.LLAMA_CPP,
    "vllm": Kind.VLLM,
    "sglang": Kind.SGLANG,
    "library": Kind.OLLAMA,
}
"""Each writes a name of its own into `owned_by`; Ollama the place that its models come from."""

PLACES: Final = {Kind.OLLAMA: 4}
"""Where an engine does not say how many answers it writes at once, and 64 is far from it."""

RESIDENT: Final = frozenset({Kind.LLAMA_CPP, Kind.VLLM, Kind.SGLANG})
"""Those that have their model in memory all the time: others may load it to answer, or ask money for it."""

_GGUF: Final = ".gguf"
_Text = Annotated[str, Meta(max_length=1000)]


class _Meta(msgspec.Struct):
    n_ctx: int = 0


class _Model(msgspec.Struct):
    id: _Text
    owned_by: _Text | None = None
    aliases: list[_Text] | None = None
    max_model_len: int | None = None
    meta: _Meta | None = None


class _Models(msgspec.Struct):
    data: list[_Model]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One model that an engine lists. `context_tokens` is 0 where it does not say."""

    names: frozenset[str]
    id: str
    context_tokens: int
    kind: Kind

    @property
    def public_name(self) -> str:
        """A file's path is nothing that callers should be told; llama.cpp takes any name for its only model."""
        if self.kind is Kind.LLAMA_CPP and self.id.endswith(_GGUF):
            return self.id.rpartition("/")[2].removesuffix(_GGUF)
        return self.id


class Props(msgspec.Struct, frozen=True, kw_only=True):
    """What llama.cpp says of itself beside its models. `total_slots` is 0 where it does not say."""

    total_slots: int = 0


def listed(payload: bytes) -> list[Listed]:
    """Read `/v1/models`. Raises ValueError."""
    return [_listed(model) for model in msgspec.json.decode(payload, type=_Models).data]


def _listed(model: _Model) -> Listed:
    told = model.max_model_len or (model.meta.n_ctx if model.meta else 0)
    return Listed(
        id=model.id,
        names=frozenset({model.id, *(model.aliases or ())}),
        context_tokens=max(0, told),
        kind=_OWNERS.get((model.owned_by or "").lower(), Kind.OPENAI),
    )


def props(payload: bytes) -> Props:
    """Read `/props`. Raises ValueError."""
    return msgspec.json.decode(payload, type=Props)
