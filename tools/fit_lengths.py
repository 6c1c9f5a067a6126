"""Makes the tables of lengths that the lab carries.

    python -m tools.fit_lengths FOLDER

FOLDER holds the published traces, as named below. Of them only quantiles go into the package. `short` and `chat-small`
are made of nothing but what is written here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Final

import msgspec

from tidegate.lab.traces.fitting import ANSWER_PARTS, PROMPT_PARTS
from tidegate.lab.traces.lengths import Lengths, table_of
from tidegate.lab.traces.requests import read_requests
from tidegate.lab.traces.tables import VERSION, Table, check

PLACE: Final = Path(__file__).parents[1] / "src/tidegate/lab/traces/tables"

FILES: Final = {
    "azure-2023-conversation": "azure_2023_conv.csv.gz",
    "deepseek-r1-servegen": "servegen_deepseek_r1_clients.tar.gz",
    "mooncake": "mooncake_synthetic_trace.jsonl.gz",
}
TOLD: Final = {
    "azure-2023-conversation": {
        "about": "A conversation service of Azure on 2023-11-16, for 58 minutes.",
        "source": "https://github.com/Azure/AzurePublicDataset at b469a113: AzureLLMInferenceTrace_conv.csv",
        "licence": "CC-BY-4.0",
        "attribution": "Azure Public Dataset by Microsoft; Patel et al., ISCA 2024. Changed: quantiles only.",
    },
    "deepseek-r1-servegen": {
        "about": "DeepSeek-R1 at Alibaba Cloud Model Studio over a day, thinking included; half of the clients. "
        "How prompt and answer go together is known between clients, not within one.",
        "source": "https://github.com/alibaba/ServeGen at f891d118: data/reason/deepseek-r1",
        "licence": "Apache-2.0",
        "attribution": "ServeGen by Alibaba; Xiang et al., arXiv 2505.09999. Changed: drawn from, then quantiles only.",
    },
    "mooncake": {
        "about": "Long prompts that begin alike: the synthetic trace of Mooncake, the service behind Kimi.",
        "source": "https://github.com/kvcache-ai/Mooncake at 3b5a5941: FAST25-release/traces/synthetic_trace.jsonl",
        "licence": "Apache-2.0",
        "attribution": "Mooncake by Moonshot AI; Qin et al., FAST 2025. Changed: quantiles only.",
    },
}


def short() -> Table:
    """Prompts and answers that an engine on a CPU is rehearsed with: evenly 40 to 60, and 16 to 32 tokens."""
    return Table(
        version=VERSION,
        name="short",
        about="Even: prompts of 40 to 60 tokens, answers of 16 to 32. Made by hand.",
        prompt_parts=(0.0, 1.0),
        prompts=(40, 60),
        answer_parts=(0.0, 1.0),
        answers=((16, 32),),
    )


def chat_small() -> Table:
    """A small chat: nine of ten prompts have 30 to 300 tokens and nine of ten answers 40 to 200, both log-normal."""
    return Table(
        version=VERSION,
        name="chat-small",
        about="Log-normal: nine of ten prompts of 30 to 300 tokens, nine of ten answers of 40 to 200. Made by hand.",
        prompt_parts=PROMPT_PARTS,
        prompts=_log_normal(30, 300, PROMPT_PARTS),
        answer_parts=ANSWER_PARTS,
        answers=(_log_normal(40, 200, ANSWER_PARTS),),
    )


def _log_normal(low: float, high: float, parts: tuple[float, ...]) -> tuple[int, ...]:
    """Quantiles, where a twentieth is below `low` and a twentieth above `high`; the outermost thousandths are cut."""
    normal = NormalDist()
    steepness = (high / low) ** (0.5 / normal.inv_cdf(0.95))
    return tuple(
        round((low * high) ** 0.5 * steepness ** normal.inv_cdf(min(max(part, 0.001), 0.999))) for part in parts
    )


def made_of(name: str, folder: Path) -> Table:
    """The table of one of the published traces, in a folder of them. Raises TraceError."""
    return msgspec.structs.replace(table_of(folder / FILES[name], name=name), **TOLD[name])


def written(table: Table) -> bytes:
    """A table as JSON, with a row of numbers a line."""
    fields = msgspec.to_builtins(table).items()
    return ("{\n" + ",\n".join(f'"{field}": {_value(value)}' for field, value in fields) + "\n}\n").encode()


def main() -> int:
    """Write every table; tell its means, and for those of traces of requests the true ones."""
    folder = Path(sys.argv[1])
    for table in (short(), chat_small(), *(made_of(name, folder) for name in FILES)):
        check(table, table.name)
        PLACE.joinpath(f"{table.name}.json").write_bytes(written(table))
        made = Lengths(table)
        print(f"{table.name:<24} {table.rows:>7} rows, means {made.mean_prompt:8.1f} {made.mean_answer:8.1f}", end="")
        file = FILES.get(table.name, "")
        if file.endswith((".csv.gz", ".jsonl.gz")):
            rows = [(row.prompt_tokens, row.answer_tokens) for row in read_requests(folder / file)]
            print(f", truly {fmean(row[0] for row in rows):8.1f} {fmean(row[1] for row in rows):8.1f}", end="")
        print()
    return 0


def _value(value: object) -> str:
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], (list, tuple)):
        return "[\n" + ",\n".join(_value(row) for row in value) + "\n]"
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()


if __name__ == "__main__":
    sys.exit(main())
