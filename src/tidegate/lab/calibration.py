"""What is known of an engine: how long its batches take. Measured by `tidegate lab calibrate`, or assumed and said so.

An engine with continuous batching (Yu et al., "Orca", OSDI 2022, section 3) runs one batch after the other. In each,
every answer that is being written gets one token, and what is left of the batch is filled with tokens of prompts that
are being read, one prompt after the other. A batch that writes `r` tokens and reads `p` takes

    batch_s + write_s * r + read_s * p        seconds,   p <= most_tokens - r,

and `mixed_s` more where it does both. llama.cpp (`is_split`) goes through the model more than once for some
batches, and `batch_s` is what each pass takes: answers in places that are not neighbours are passes of their own,
and so is what is left of a prompt when it has kept step with its neighbours' answers for one token (`passes`).

That attention takes longer in long conversations is not in the model: a calibration holds for lengths like those
that it was measured with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tidegate.lab.files import read_whole
from tidegate.lab.mistakes import field_first

VERSION: Final = 1
LEAST_BATCH_S: Final = 1e-6
"""What a batch takes that writes one token, at the least: of an engine that takes no time no load is a part."""
_MOST_BYTES: Final = 1 << 16
_SHIPPED: Final = Path(__file__).parent / "calibrations"
_Seconds = Annotated[float, Meta(ge=0.0, le=60.0)]


class CalibrationError(ValueError):
    """A calibration is not usable. The message names the file, the field and what was expected."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One replica of an engine.

    `most_tokens` fit into a batch beside the answers that are written. `begin_s` goes by before the first batch
    of a call and is nobody's work (tokenizing, HTTP, the gate), `end_s` after its last one before its place is
    free, `free_s` until a call that is cut is gone. `slots` are the answers at once that it was measured with.
    With `keeps_prefix` what a caller's last prompt began with is not read again; `prefix_tokens` of it are the
    same in all of a caller's questions (the template's). `speed` is how fast the machine was then, in additions a
    second of one core: 0 is not known. `spread` is the standard deviation of a batch's time, as a part of it.
    """

    version: int = VERSION
    name: str
    about: str
    slots: Annotated[int, Meta(ge=1, le=4096)]
    most_tokens: Annotated[int, Meta(ge=1, le=1_000_000)]
    batch_s: _Seconds
    write_s: _Seconds
    read_s: _Seconds
    mixed_s: _Seconds = 0.0
    is_split: bool = False
    begin_s: _Seconds = 0.0
    end_s: _Seconds = 0.0
    free_s: _Seconds = 0.0
    bytes_per_token: Annotated[float, Meta(gt=0.0, le=32.0)] = 4.0
    template_tokens: Annotated[int, Meta(ge=0, le=4096)] = 0
    keeps_prefix: bool = True
    prefix_tokens: Annotated[int, Meta(ge=0, le=4096)] = 0
    speed: float = 0.0
    spread: Annotated[float, Meta(ge=0, le=1)] = 0.0

    def with_places(self, slots: int) -> Calibration:
        """The same engine with so many places, and as much room for prompts beside them in a batch."""
        return msgspec.structs.replace(self, slots=slots, most_tokens=self.most_tokens - self.slots + slots)

    def step_s(self, writing: int, reading: int, passes: int = 1) -> float:
        """How long a batch takes that writes and reads so many tokens, in so many passes."""
        mixed_s = self.mixed_s if writing and reading else 0.0
        return self.batch_s * passes + self.write_s * writing + self.read_s * reading + mixed_s

    def capacity_tok_s(self) -> float:
        """Tokens a second that are written while all places write."""
        return self.slots / self.step_s(self.slots, 0)

    def prompt_weight(self, at_once: int) -> float:
        """What reading a token costs, in tokens written, while so many answers are written."""
        return self.read_s / (self.batch_s / at_once + self.write_s)

    def busy_s(self, prompt_tokens: float, answer_tokens: float, at_once: int) -> float:
        """How much of the whole engine's time one such call takes while so many run: its part of every batch."""
        shared = self.batch_s / at_once
        # While all others write, a prompt is read in what they leave of each batch; alone there is nobody to wait.
        more_s = self.mixed_s + (self.batch_s if self.is_split else 0.0) if at_once > 1 else 0.0
        batches = prompt_tokens / max(1, self.most_tokens - at_once + 1)
        return prompt_tokens * self.read_s + batches * more_s + answer_tokens * (shared + self.write_s)

    def calls_per_s(self, prompt_tokens: float, answer_tokens: float, at_once: int) -> float:
        """How many such calls a second one replica can answer at the most, with so many at once."""
        return 1.0 / self.busy_s(prompt_tokens, answer_tokens, at_once)


def passes(writing: int, reading: int, *, is_more_read: bool) -> int:
    """How often llama.cpp goes through the model for a batch, of places given as bits: those that write, that read.

    A pass takes the same number of tokens of each of its places, which must be neighbours. `is_more_read`: the batch
    reads more than a token of each prompt.
    """
    both = writing | reading
    runs = (both & ~(both << 1)).bit_count()
    beside = reading & (writing << 1 | writing >> 1)
    return max(1, runs + (1 if is_more_read and beside else 0))


def encoded(calibration: Calibration) -> bytes:
    """Give the bytes of a calibration's file: JSON, two spaces deep, with a line's end."""
    return msgspec.json.format(msgspec.json.encode(calibration), indent=2) + b"\n"


def find(wanted: str) -> Calibration:
    """Read one by its name, of those that come with Tidegate, or by its file's path. Raises CalibrationError."""
    if "/" in wanted or wanted.endswith(".json"):
        return read(Path(wanted))
    path = _SHIPPED / f"{wanted}.json"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in _SHIPPED.glob("*.json")))
        msg = f"{wanted}: no such calibration; there are {known}, and files that `tidegate lab calibrate` made"
        raise CalibrationError(msg)
    return read(path)


def read(path: Path) -> Calibration:
    """Read a calibration's file (JSON). Raises CalibrationError."""
    content = read_whole(path, _MOST_BYTES, "a calibration", CalibrationError)
    try:
        calibration = msgspec.json.decode(content, type=Calibration)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        msg = f"{path}: {field_first(error)}"
        raise CalibrationError(msg) from None
    if calibration.version != VERSION:
        msg = f"{path}: version: expected {VERSION}, not {calibration.version}"
        raise CalibrationError(msg)
    if calibration.batch_s < LEAST_BATCH_S and calibration.write_s < LEAST_BATCH_S:
        msg = f"{path}: batch_s: expected {LEAST_BATCH_S:g} at least, or of write_s: an engine takes time"
        raise CalibrationError(msg)
    return calibration
