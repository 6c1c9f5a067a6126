"""Memory of the whole process tree at eight slots of 2,048 tokens, while eight answers run.

Proportional set size: each process's own pages and its share of those it has in
common with others, so the sum counts nothing twice.
"""

from __future__ import annotations

import json
import threading
import urllib.request

from service import MODEL, Service, pss_bytes, report, running

SETTINGS = "[engine]\nslots = 8\ncontext_tokens = 2048\n"
STREAMS = 8
LIMITS_MB = {"tidegate": 120, "whole tree": 700}


def ask(service: Service) -> None:
    """One answer of 64 tokens to a prompt of some hundred."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "The tide comes in. " * 60}], "max_tokens": 64}
    request = urllib.request.Request(  # noqa: S310 - our own service
        f"{service.url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"authorization": f"Bearer {service.key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=300) as response:  # noqa: S310 - our own service
        response.read()


def main() -> None:
    """Measure and report."""
    with running(SETTINGS) as service:
        idle = {name: pss_bytes(pid) for name, pid in service.pids().items()}
        callers = [threading.Thread(target=ask, args=(service,)) for _ in range(STREAMS)]
        for caller in callers:
            caller.start()
        peak = dict(idle)
        while any(caller.is_alive() for caller in callers):
            for name, pid in service.pids().items():
                peak[name] = max(peak[name], pss_bytes(pid))
            callers[0].join(0.2) if callers[0].is_alive() else callers[-1].join(0.2)
    for figures in (idle, peak):
        figures["whole tree"] = sum(figures.values())
    rows = [("process", "idle MB", "8 answers, peak MB", "limit MB")]
    for name, used in peak.items():
        limit = LIMITS_MB.get(name)
        rows.append((name, f"{idle[name] / 1e6:.0f}", f"{used / 1e6:.0f}", str(limit or "")))
    report("memory", {"idle_bytes": idle, "peak_bytes": peak, "limits_mb": LIMITS_MB}, rows)


if __name__ == "__main__":
    main()
