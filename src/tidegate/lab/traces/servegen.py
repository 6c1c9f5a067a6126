"""Reads what ServeGen tells of an LLM service's clients, and asks as they did.

A tar of two files for each client. `chunk-N-trace.csv`: for each window its beginning in seconds, requests a second,
the coefficient of variation of the gaps between them, their law (Gamma or Weibull) and its shape and scale.
`chunk-N-dataset.json`: by the beginning of longer windows, histograms of tokens of prompts and of answers, and which
part of an answer was thinking (https://github.com/alibaba/ServeGen; Xiang et al., "ServeGen", arXiv 2505.09999).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tidegate.lab.traces.archives import members
from tidegate.lab.traces.histograms import Histogram, histogram_of
from tidegate.lab.traces.rows import MOST_TOKENS
from tidegate.lab.traces.sources import TraceError, cells, decoded

MOST_CLIENTS: Final = 2000
MOST_WINDOWS: Final = 10_000
LEAST_SHAPE: Final = {"": 0.0, "Gamma": 0.001, "Weibull": 0.05}
"""Below these nearly all gaps are 0 and a few are years; what is computed with them overflows."""
MOST_TEXT_BYTES: Final = 16 << 20
"""What one file of the archive may come to."""

_NAME: Final = re.compile(r"(?:^|/)chunk-(\d{1,9})-(trace\.csv|dataset\.json)$")


class Window(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """How a client asked from `start_s` on, until its next window: `rate_rps` 0 is not at all.

    The gaps between its requests are as `law` and `shape` say, 1 / `rate_rps` in the mean; without a law they are
    Poisson's. `scale_s` is what was fitted with them, told for completeness: where gaps vary most, it is far from
    what the rate says, and the rate was counted.
    """

    start_s: Annotated[float, Meta(ge=0.0, le=1e9)]
    rate_rps: Annotated[float, Meta(ge=0.0, le=1e6)]
    cv: Annotated[float, Meta(ge=0.0, le=1e6)]
    law: Annotated[str, Meta(pattern=r"^(Gamma|Weibull|)$")]
    shape: Annotated[float, Meta(ge=0.0, le=1e6)]
    scale_s: Annotated[float, Meta(ge=0, le=1e12)]


class Spoken(msgspec.Struct, frozen=True):
    """How long a client's prompts and answers were from `start_s` on; `thinking` is the part of an answer, 0 to 1."""

    start_s: float
    prompt: Histogram
    answer: Histogram
    thinking: Histogram | None = None


class _Said(msgspec.Struct, frozen=True):
    input_tokens: str
    output_tokens: str
    reason_ratio: str = "{}"


_SPOKEN: Final = msgspec.json.Decoder(dict[Annotated[int, Meta(ge=0, le=1_000_000_000)], _Said])


class Client(msgspec.Struct, frozen=True):
    """One client: how it asked, in windows of equal length, and what."""

    name: str
    windows: tuple[Window, ...]
    spoken: tuple[Spoken, ...]

    @property
    def step_s(self) -> float:
        """How long a window is."""
        return self.windows[1].start_s - self.windows[0].start_s

    @property
    def asked(self) -> float:
        """How many requests it sent in the mean, all windows together."""
        return sum(window.rate_rps for window in self.windows) * self.step_s

    def spoken_at(self, at_s: float) -> Spoken:
        """What it said at that time; where nothing was seen, what it said before, or else first."""
        return next((said for said in reversed(self.spoken) if said.start_s <= at_s), self.spoken[0])


def read_clients(path: Path) -> tuple[Client, ...]:
    """All clients of an archive that asked at all, by their numbers. Raises TraceError."""
    windows: dict[int, tuple[Window, ...]] = {}
    spoken: dict[int, tuple[Spoken, ...]] = {}
    for name, pieces in members(path):
        found = _NAME.search(name)
        if found is None:
            continue
        where, number = f"{path}: {name}", int(found[1])
        text = _text(pieces, where)
        if found[2] == "trace.csv":
            windows[number] = _windows(text, where)
        else:
            spoken[number] = _spoken(text, where)
        if max(len(windows), len(spoken)) > MOST_CLIENTS:
            msg = f"{path}: holds more than {MOST_CLIENTS} clients"
            raise TraceError(msg)
    for number in sorted(windows.keys() ^ spoken.keys()):
        msg = f"{path}: chunk-{number}: expected both of chunk-{number}-trace.csv and chunk-{number}-dataset.json"
        raise TraceError(msg)
    clients = (Client(f"chunk-{number}", windows[number], spoken[number]) for number in sorted(windows))
    asking = tuple(client for client in clients if client.asked > 0)
    for client in asking:
        if not client.spoken:
            msg = f"{path}: {client.name}-dataset.json: expected histograms of a client that asks"
            raise TraceError(msg)
    if not asking:
        msg = f"{path}: expected files chunk-N-trace.csv and chunk-N-dataset.json of clients that ask"
        raise TraceError(msg)
    return asking


def _text(pieces: Iterator[bytes], where: str) -> str:
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) > MOST_TEXT_BYTES:
            msg = f"{where}: larger than {MOST_TEXT_BYTES} bytes"
            raise TraceError(msg)
    try:
        return held.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{where}: not UTF-8: {error.reason}"
        raise TraceError(msg) from None


def _windows(text: str, where: str) -> tuple[Window, ...]:
    found: list[Window] = []
    for here, fields in cells(where, enumerate(text.splitlines(), 1)):
        if len(found) == MOST_WINDOWS:
            msg = f"{here}: expected at most {MOST_WINDOWS} windows"
            raise TraceError(msg)
        try:
            window = msgspec.convert(fields, Window, strict=False)
        except msgspec.ValidationError as error:
            msg = f"{here}: expected {', '.join(Window.__struct_fields__)}: {error}"
            raise TraceError(msg) from None
        if window.shape < LEAST_SHAPE[window.law]:
            msg = f"{here}: shape: expected at least {LEAST_SHAPE[window.law]}, not {window.shape}"
            raise TraceError(msg)
        found.append(window)
    steps = [later.start_s - window.start_s for window, later in pairwise(found)]
    if not steps or steps[0] <= 0 or any(step != steps[0] for step in steps):
        msg = f"{where}: start_s: expected two or more windows of equal length"
        raise TraceError(msg)
    return tuple(found)


def _spoken(text: str, where: str) -> tuple[Spoken, ...]:
    found: list[Spoken] = []
    for start_s, said in sorted(decoded(_SPOKEN, text, where).items()):
        here = f"{where}: {start_s}"
        prompt = histogram_of(said.input_tokens, MOST_TOKENS, f"{here}.input_tokens")
        answer = histogram_of(said.output_tokens, MOST_TOKENS, f"{here}.output_tokens")
        thinking = histogram_of(said.reason_ratio, 1.0, f"{here}.reason_ratio")
        # A window in which nothing was seen says nothing of how long it was.
        if prompt is not None and answer is not None:
            found.append(Spoken(float(start_s), prompt, answer, thinking))
    return tuple(found)
