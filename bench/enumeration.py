"""Does the time of a failed sign-in, or of asking for a letter, tell a stranger who has an account here?

    python bench/enumeration.py [ATTEMPTS]

Against a running service over HTTP: wrong passwords for an address with a
password, for one whose account has none, and for one that nobody has, taken in
turns in random order; and the same for signing up, for a forgotten password and
for a link that signs in, with letters kept on disk. What is done for a letter is
done after the answer: so the next answer on another connection is timed, too.
Slips are overlooked here and sign-ins a pause apart, or nobody's password would
be looked at. AUC is how often a guess by the time alone would be right
(0.5 is a coin), p how likely a difference as large is by chance (two-sided
Kolmogorov-Smirnov, asymptotic).
"""

from __future__ import annotations

import bisect
import http.client
import json
import math
import random
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

from service import report, running

ADDRESSES = {
    "known": "known@example.org",
    "without password": "machine@example.org",
    "unknown": "nobody@example.org",
}
PASSWORD = "a tide waits for nobody"  # noqa: S105 - of an account that lives as long as the measurement
PATHS = {
    "/sign-up": ("/sign-up", "sign-ups by letter"),
    "/forgot": ("/forgot", "forgotten passwords"),
    "/sign-in/letter": ("/sign-in", "links that sign in"),
    "/sign-in": ("/sign-in", "failed sign-ins"),
}
"""Where a form is sent, the page that it is on, and what it is."""

_ROOM = "[gate]\n" + "".join(
    f"{bucket}_rate = 10000\n{bucket}_burst = 10000\n"
    for bucket in ("account_address", "account_strangers", "address", "network", "strangers")
)
_CALM = (
    "[sign_in]\naccount_slips = 1000\naddress_slips = 1000\nstrangers_part = 1.0\n"
    "[registration]\ncalm_per_min = 100000\ncalm_at_once = 100000\n"
)
# Budgets that are never used up: what is looked at is the work for a letter that is written.
_MAIL = "[mail]\ndelivery = 'disk'\nper_hour = 100000\nper_day = 100000\nperson_per_hour = 100\nperson_per_day = 1000\n"
_WARMING = 5
_CHALLENGED = 403
_WAIT_S = 15.0
_MOST_WAITS = 12
"""What asks for a challenge is tried again after that, and its time is not counted."""

_PAUSE_S = 0.5
"""Between sign-ins: more wrong passwords in a second look like guessing, and a challenge is asked for instead."""


def main() -> None:
    """Measure and print."""
    attempts = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    # All tries come from one address: its budget is not what is measured.
    config = _ROOM + _MAIL + _CALM
    with running(config) as service:
        create(service.data_dir, ADDRESSES["known"], "--password-stdin", said=PASSWORD)
        create(service.data_dir, ADDRESSES["without password"])
        for path, (page, what) in PATHS.items():
            answers, next_ones = measure(service.port, page, path, attempts)
            tell(what, attempts, answers)
            tell(f"the next answer after {what}", attempts, next_ones)


def tell(what: str, attempts: int, taken: dict[str, list[float]]) -> None:
    """Print one table."""
    unknown = taken["unknown"]
    rows: list[tuple[str, ...]] = [("address", "median ms", "p10 ms", "p90 ms", "AUC against unknown", "KS p")]
    figures = {}
    for name, times in taken.items():
        deciles = statistics.quantiles(times, n=10)
        figures[name] = {
            "median_ms": round(statistics.median(times) * 1000, 3),
            "p10_ms": round(deciles[0] * 1000, 3),
            "p90_ms": round(deciles[-1] * 1000, 3),
            "auc": round(auc(times, unknown), 4),
            "ks_p": round(ks_p(times, unknown), 4),
        }
        rows.append((name, *(str(figure) for figure in figures[name].values())))
    report(what, {"attempts": attempts, "addresses": figures}, rows)


def create(data_dir: Path, email: str, *options: str, said: str = "") -> None:
    """Make a user through the running service."""
    command = [sys.executable, "-m", "tidegate", "users", "create", email, *options, "--data", str(data_dir), "--json"]
    json.loads(subprocess.run(command, input=said + "\n", check=True, capture_output=True, text=True).stdout)


def measure(port: int, page: str, path: str, attempts: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of each attempt, and of the next answer to somebody else, by kind of address."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    other = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"sec-fetch-site": "same-origin", "accept": "text/html"}
    connection.request("GET", page, headers=headers)
    answer = connection.getresponse()
    found = re.search(r'name="csrf" value="([^"]+)"', answer.read().decode())
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert found is not None
    headers |= {"cookie": cookie, "content-type": "application/x-www-form-urlencoded"}
    taken: dict[str, list[float]] = {name: [] for name in ADDRESSES}
    taken_next: dict[str, list[float]] = {name: [] for name in ADDRESSES}
    for attempt in range(_WARMING + attempts):
        for name in random.sample(list(ADDRESSES), len(ADDRESSES)):
            form = {"csrf": found[1], "email": ADDRESSES[name], "password": f"not the right one {attempt}"}
            body = urlencode(form)
            status, passed_s = timed(connection, "POST", path, body, headers)
            for _ in range(_MOST_WAITS):
                if status != _CHALLENGED:
                    break
                time.sleep(_WAIT_S)
                for one in (connection, other):
                    one.close()  # It may have been closed meanwhile; asking opens it again.
                    timed(one, "GET", "/healthz")
                status, passed_s = timed(connection, "POST", path, body, headers)
            _, next_s = timed(other, "GET", "/healthz")
            assert status == (401 if path == "/sign-in" else 200), status
            if path == "/sign-in":
                time.sleep(_PAUSE_S)
            if attempt >= _WARMING:  # The first ones warm up.
                taken[name].append(passed_s)
                taken_next[name].append(next_s)
    return taken, taken_next


def timed(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: str = "",
    headers: dict[str, str] | None = None,
) -> tuple[int, float]:
    """Ask, and answer the status and the seconds that it took."""
    began_at = time.perf_counter()
    connection.request(method, path, body or None, headers or {})
    answer = connection.getresponse()
    answer.read()
    return answer.status, time.perf_counter() - began_at


def auc(some: list[float], others: list[float]) -> float:
    """The chance that one of `some` took longer than one of `others`, ties half (Mann-Whitney)."""
    ordered = sorted(others)
    longer = sum(bisect.bisect_left(ordered, one) + bisect.bisect_right(ordered, one) for one in some) / 2
    return longer / (len(some) * len(others))


def ks_p(some: list[float], others: list[float]) -> float:
    """Two-sided two-sample Kolmogorov-Smirnov p-value, by the asymptotic series with Stephens' correction."""
    first, second = sorted(some), sorted(others)
    gap = max(
        abs(bisect.bisect_right(first, at) / len(first) - bisect.bisect_right(second, at) / len(second))
        for at in [*first, *second]
    )
    size = math.sqrt(len(first) * len(second) / (len(first) + len(second)))
    scaled = (size + 0.12 + 0.11 / size) * gap
    if scaled < 0.2:  # The series does not converge there, and p is 1 to many digits.
        return 1.0
    series = sum((-1.0) ** (k - 1) * math.exp(-2 * k * k * scaled * scaled) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * series))


if __name__ == "__main__":
    main()
