"""Packs made-up traces as published ones are packed."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

CLIENT = {
    "r1/chunk-7-trace.csv": "0,2,1,Gamma,1,0.5\n600,0,0,,0,0\n1200,1,2,Weibull,0.5,0.5\n",
    "r1/chunk-7-dataset.json": json.dumps(
        {
            "0": {
                "input_tokens": "{10: 0.5, 20: 0.5}",
                "output_tokens": "{5: 1.0}",
                "reason_ratio": "{0.25: 0.5, 0.75: 0.5}",
            },
            "600": {"input_tokens": "{}", "output_tokens": "{}", "reason_ratio": "{}"},
            "1200": {"input_tokens": "{7: 1e-1, 9: 0.9}", "output_tokens": "{3: 1}"},
        }
    ),
}
"""One client of ServeGen's: two requests a second, then none, then one a second in bursts."""


def tarred(path: Path, files: Mapping[str, str | bytes], packing: str = "gz") -> Path:
    """Write a tar of these files, and give its path."""
    with path.open("wb") as raw, tarfile.open(fileobj=raw, mode=f"w:{packing}") as archive:  # type: ignore[call-overload] # the packing is not known to the types
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            held = content.encode() if isinstance(content, str) else content
            member.size = len(held)
            archive.addfile(member, io.BytesIO(held))
    return path


def written(path: Path, *lines: str) -> Path:
    """Write lines, and give the path."""
    path.write_text("".join(f"{line}\n" for line in lines))
    return path
