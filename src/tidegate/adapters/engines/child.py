"""The engine's own process: loads a model and serves it on a Unix socket.

Run as `python -m tidegate.adapters.engines.child`, with an `EnginePlan` as one
line of JSON on standard input. It lives until standard input closes, so it
cannot outlive whoever started it; on Linux the kernel kills it too, which also
reaches a stopped process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

import msgspec

_PR_SET_PDEATHSIG = 1  # prctl(2)
_OOM_SCORE = 500  # proc(5): when memory ends, the engine goes first, not the service.


class EnginePlan(msgspec.Struct, frozen=True, kw_only=True):
    """How to run the embedded engine. `context_tokens` is per slot.

    `aside` slots come before those of callers, for what the service itself asks:
    batches are filled in the order of slots, so no crowd of prompts keeps it waiting.
    """

    model_path: str
    socket_path: str
    slots: int = 4
    aside: int = 0
    context_tokens: int = 4096
    threads: int = 1
    batch_tokens: int = 6
    niceness: int = 5
    parent_pid: int = 0


def main() -> None:
    """Load, serve, and end with the parent."""
    _die_with_parent()
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=EnginePlan)
    if os.getppid() != plan.parent_pid:
        return  # It died before the kernel had been asked to tell us.
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    # Ctrl-C and service managers signal the whole group; answers that drain still need this process.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _step_back(plan.niceness)
    server = _serve(plan)
    threading.Event().wait()
    # Never reached: the name keeps the server alive, whose destructor would wait for its threads for ever.
    del server


def _end_with_stdin() -> None:
    """End at once when the parent closes its end, by will or by death."""
    sys.stdin.buffer.read()
    os._exit(0)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _step_back(niceness: int) -> None:
    os.nice(niceness)
    oom = Path("/proc/self/oom_score_adj")
    if oom.exists():
        oom.write_text(str(_OOM_SCORE))


def _serve(plan: EnginePlan) -> object:
    import xllamacpp  # noqa: PLC0415 - 100 MB of library that only this process should map

    os.umask(0o077)  # The engine's socket asks nobody for a key.
    Path(plan.socket_path).unlink(missing_ok=True)
    params = xllamacpp.CommonParams()
    params.model.path = plan.model_path
    params.hostnames = [plan.socket_path]
    params.n_parallel = plan.slots + plan.aside
    params.n_ctx = params.n_parallel * plan.context_tokens
    # Small batches: a caller who leaves frees the engine after the batch that is under way. Answers that
    # run take their token out of it first; a prompt must still get its share when all the others run.
    params.n_batch = params.n_ubatch = plan.slots + plan.batch_tokens
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = plan.threads
    params.endpoint_metrics = True
    params.endpoint_slots = True
    params.ui = False
    params.warmup = False  # The supervisor's first probe is the warm-up, and it counts.
    params.cache_ram_mib = 0  # The host-memory prompt cache would grow by 8 GiB.
    params.verbosity = 2  # Warnings. Nothing of it is kept once the model is loaded.
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
