"""Reads the traces of Mooncake, which tell which prompts begin alike.

JSON lines: `timestamp` in milliseconds, `input_length`, `output_length`, and in `hash_ids` a hash for each block
of 512 tokens of the prompt, each of which stands for all blocks before it too (https://github.com/kvcache-ai/Mooncake;
Qin et al., "Mooncake", FAST 2025, section 4).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tidegate.lab.traces.rows import MOST_BLOCKS, Elapsed, Moment, Tokens, TraceRow
from tidegate.lab.traces.sources import objects

BLOCK_TOKENS: Final = 512
MOST_KNOWN: Final = 200_000
"""Blocks that are remembered at once: a hundred million tokens of prompts."""


class _Line(msgspec.Struct, frozen=True, gc=False):
    timestamp: Moment
    input_length: Tokens
    output_length: Tokens
    hash_ids: Annotated[tuple[int, ...], Meta(max_length=20_000)] = ()


class SeenBlocks:
    """Remembers the blocks that were asked for last, and so how much of a prompt a cache would hold."""

    def __init__(self, most: int = MOST_KNOWN) -> None:
        """Remember at most so many; those asked for longest ago are forgotten first."""
        self._most = most
        self._seen: OrderedDict[int, None] = OrderedDict()

    def known(self, blocks: tuple[int, ...]) -> int:
        """How many blocks at the beginning were seen before. All of them have been seen then."""
        known, is_known = 0, True
        for block in blocks:
            is_known = is_known and block in self._seen
            known += is_known
            self._seen[block] = None
            self._seen.move_to_end(block)
            if len(self._seen) > self._most:
                self._seen.popitem(last=False)
        return known


def mooncake_rows(path: Path, lines: Iterator[tuple[int, str]], most_known: int = MOST_KNOWN) -> Iterator[TraceRow]:
    """Each request, with what a cache of the last `most_known` blocks would hold of it. Raises TraceError."""
    elapsed, seen = Elapsed(), SeenBlocks(most_known)
    for where, said in objects(path, lines, msgspec.json.Decoder(_Line)):
        yield TraceRow(
            at_s=elapsed.at_s(said.timestamp / 1000.0, f"{where}: timestamp"),
            prompt_tokens=said.input_length,
            answer_tokens=said.output_length,
            cached_tokens=min(said.input_length, BLOCK_TOKENS * seen.known(said.hash_ids)),
            prefix=said.hash_ids[:MOST_BLOCKS],
        )
