"""Looks at the first start whether an engine runs on this machine already, to offer it. None is used unasked.

Only the ports are tried on which these servers listen by themselves, on
127.0.0.1, and only which models they have is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from tidegate.adapters.engines.kinds import MODELS_PATH, Kind, listed
from tidegate.adapters.engines.servers import Server, ServerPlan
from tidegate.adapters.engines.upstream import UnreachableError
from tidegate.ports.upstream import UpstreamBrokeError

USUAL_PORTS: Final = {
    11434: Kind.OLLAMA,
    8000: Kind.VLLM,
    30000: Kind.SGLANG,
    8080: Kind.LLAMA_CPP,
    8081: Kind.LLAMA_CPP,
}
"""Where each listens unless it is told otherwise. llama.cpp's is this service's own: the next one is tried, too."""

_WITHIN_S: Final = 0.3
_MOST_BYTES: Final = 1 << 20
_NAMES: Final = {
    Kind.OLLAMA: "Ollama",
    Kind.VLLM: "vLLM",
    Kind.SGLANG: "SGLang",
    Kind.LLAMA_CPP: "llama.cpp",
    Kind.OPENAI: "An OpenAI-compatible server",
}


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """An engine that is there: what it is called, where, and what it could serve."""

    name: str
    url: str
    models: tuple[str, ...]


async def discover(
    besides: Collection[int], ports: Iterable[tuple[int, Kind]] = tuple(USUAL_PORTS.items())
) -> tuple[Offer, ...]:
    """Try all of them at once, but for the ports `besides` that are our own."""
    found = await asyncio.gather(*(_offer(port, kind) for port, kind in ports if port not in besides))
    return tuple(one for one in found if one is not None)


async def _offer(port: int, kind: Kind) -> Offer | None:
    url = f"http://127.0.0.1:{port}"
    server = Server(ServerPlan(url=url, models=frozenset()))
    try:
        _, payload = await server.fetch(MODELS_PATH, _WITHIN_S, _MOST_BYTES)
        models = listed(payload)
    except (UnreachableError, UpstreamBrokeError, TimeoutError, ValueError):
        return None
    finally:
        await server.retire()
    if not models:
        return None
    # Ollama names its models' owner; the others say what they are.
    told = models[0].kind
    return Offer(
        name=_NAMES[kind if told is Kind.OPENAI else told], url=url, models=tuple(one.public_name for one in models)
    )
