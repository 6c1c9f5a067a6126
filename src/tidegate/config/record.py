"""Settings of the record of decisions."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class RecordSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was decided of requests, written down so that it can be decided again under another policy."""

    decisions: Annotated[
        bool,
        Meta(
            description="Write decisions down, in `logs/decisions-*.jsonl` of the data directory: numbers, words of "
            "fixed lists and keyed fingerprints, no text, for `tidegate lab replay`."
        ),
    ] = False
    most_mib: Annotated[
        int,
        Meta(ge=8, le=1 << 20, description="What all of its files may take up, in MiB; the oldest are deleted first."),
    ] = 256
    keep_days: Annotated[float, Meta(ge=0.01, le=3650, description="And after so many days they are deleted.")] = 14.0
