"""What a challenge costs: us to make and check, a page to solve, and an attacker who brings a program of his own.

Pages run the very script that ships, on the main thread, because that is the one
which Chromium slows down on request. The native solver is solver.c beside this
file, compiled for this machine. Node (18 or newer), Chromium and a C compiler are
each used if they are there. Ratios compare processor time for a piece, of one core;
page and native program take turns, and what is told is the median of their turns, since
what else a machine does makes both slower.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import statistics
import subprocess
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from service import report

from tidegate.core.challenge.challenges import Challenges, Scope
from tidegate.core.challenge.plan import ChallengePlan
from tidegate.core.challenge.puzzles import PuzzleName, seed_of
from tidegate.core.challenge.solving import solve
from tidegate.http.web.assets import DIST

SUBJECT = b"a form"
NATIVE_NONCES = 200
PAGE_ROUNDS = 40
NODE_ROUNDS = 60
TURNS = 7
TARGETS_US = {"issue": 5.0, "verify": 20.0}
_PIECE_LETTERS = 72

# The shipped worker, run in place: what it would post comes here, and when there is enough, out of its endless loop.
_SHIM = """
const DONE = new Error("enough");
let handler, pieces, runs, wanted;
(function (addEventListener, postMessage) { %s })(
  (_, given) => { handler = given; },
  (found) => { runs += 1; pieces.push(...found.pieces); if (pieces.length >= wanted) throw DONE; },
);
globalThis.solved = (text, effort) => {
  [pieces, runs, wanted] = [[], 0, effort];
  const begun = performance.now();
  try { handler({ data: { text, first: 0, step: 1 } }); } catch (error) { if (error !== DONE) throw error; }
  return { ms: performance.now() - begun, runs, pieces: pieces.length };
};
"""
_IN_NODE = """
const texts = %s;
solved(texts[0], 1);
const lists = process.memoryUsage().arrayBuffers;
const before = process.cpuUsage();
const found = texts.map((text) => solved(text, 1));
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ found, cpu_ms: (user + system) / 1000, lists }));
"""


class Bench:
    """Challenges of one service, and figures as they come in."""

    def __init__(self) -> None:
        self.challenges = Challenges(secrets.token_bytes(32), ChallengePlan())
        self.figures: dict[str, Any] = {}
        self.lists_bytes = 0
        self.table: list[tuple[str, ...]] = [("What", "Figure", "Target")]
        self.script = _SHIM % (DIST / "challenge" / "worker.js").read_text()

    def text(self, effort: int = 1, puzzle: PuzzleName = PuzzleName.WAGNER) -> str:
        """A challenge that nobody has seen."""
        return self.challenges.issue(Scope.SIGN_UP, SUBJECT, effort, puzzle, time.time(), secrets.token_bytes(16))

    def note(self, name: str, figure: float, unit: str, target: str = "") -> None:
        """Keep a figure for the table and for programs."""
        self.figures[name.replace(" ", "_").replace(",", "")] = round(figure, 3)
        self.table.append((name, f"{figure:,.2f} {unit}", target))

    # ------------------------------------------------------------ ours

    def measure_service(self, solver: Callable[[str, int], str]) -> None:
        """Making and checking, with answers that `solver` works out."""
        now, entropy = time.time(), secrets.token_bytes(16)
        issue = _us(lambda: self.challenges.issue(Scope.SIGN_UP, SUBJECT, 1, PuzzleName.WAGNER, now, entropy))
        self.note("issue", issue, "us", f"<= {TARGETS_US['issue']:.0f} us")
        for effort in (1, 2, 4, 8, 16):
            text = self.text(effort)
            target = f"<= {TARGETS_US['verify']:.0f} us" if effort == 1 else ""
            self.note(f"verify, effort {effort}", self._verify_us(text, solver(text, effort)), "us", target)
        by_hash = self.text(1, PuzzleName.SHA256)
        begun = time.perf_counter()
        answer = solve(by_hash)
        self.note("sha256 solved by tidegate solve", 1e3 * (time.perf_counter() - begun), "ms")
        self.note("verify, sha256", self._verify_us(by_hash, answer), "us")
        self._measure_garbage(solver)

    def _measure_garbage(self, solver: Callable[[str, int], str]) -> None:
        text = self.text(2)
        right = solver(text, 2)
        forged = text[:-1] + ("0" if text[-1] != "0" else "1")
        fields = text.split(".")
        old = ".".join([*fields[:3], str(int(fields[3]) - 700_000), *fields[4:]])
        unordered = right[:8] + right[16:24] + right[8:16] + right[24:]
        one_off = f"{right[: _PIECE_LETTERS - 8]}{int(right[_PIECE_LETTERS - 8 : _PIECE_LETTERS], 16) ^ 1:08x}"
        kinds = {
            "garbage, too long": ("x" * 5000, right),
            "garbage, no challenge": ("hello", right),
            "garbage, expired": (old, right),
            "garbage, forged": (forged, right),
            "garbage, no hex": (text, "z" * len(right)),
            "garbage, out of order": (text, unordered),
            "garbage, random places": (text, _ordered_garbage()),
            "garbage, last place wrong": (text, one_off + right[_PIECE_LETTERS:]),
        }
        slowest_us = 0.0
        for name, (challenge, answer) in kinds.items():
            slowest_us = max(slowest_us, taken_us := self._verify_us(challenge, answer))
            self.note(name, taken_us, "us")
        self.note("garbage refused a second by one core, slowest kind", 1e6 / slowest_us, "/s", ">= 10,000 /s")
        self._replayed(text, right)

    def _replayed(self, text: str, right: str) -> None:
        wrong = right[:-8] + f"{int(right[-8:], 16) ^ 1:08x}"
        for _ in range(5):
            self.challenges.verify(text, wrong, Scope.SIGN_UP, SUBJECT, time.time())
        self.note("garbage, half right and again", self._verify_us(text, wrong), "us")

    def _verify_us(self, text: str, answer: str) -> float:
        now = time.time()
        return _us(lambda: self.challenges.verify(text, answer, Scope.SIGN_UP, SUBJECT, now))

    # ------------------------------------------------------------ theirs

    def measure_turns(self, node: str | None, solver: Path | None) -> None:
        """Processor time for a piece, of a page's script and of a native program by turns."""
        native_ms, page_ms = [], []
        for _ in range(TURNS):
            native_ms += [self._native_ms(solver)] if solver else []
            page_ms += [self._page_ms(node)] if node else []
        if native_ms:
            self.note("native, 1 thread, a piece", statistics.median(native_ms), "ms of a core")
        if page_ms:
            self.note("page script in Node, a piece", statistics.median(page_ms), "ms of a core")
            self.note("page script, its lists", self.lists_bytes / 1e6, "MB", "<= 64 MB")
        ratios = [page / native for page, native in zip(page_ms, native_ms, strict=False)]
        if ratios:
            self.note("page to native, a core", statistics.median(ratios), "times", "<= 3.5 hoped for")
            self.note("page to native, least of the turns", min(ratios), "times")
            self.note("page to native, most of the turns", max(ratios), "times")

    def _page_ms(self, node: str) -> float:
        texts = [self.text() for _ in range(NODE_ROUNDS)]
        with tempfile.NamedTemporaryFile("w", suffix=".js") as script:
            script.write(self.script + _IN_NODE % json.dumps(texts))
            script.flush()
            said = subprocess.run([node, script.name], check=True, capture_output=True, text=True).stdout
        result = json.loads(said)
        self.lists_bytes = int(result["lists"])
        pieces = sum(int(one["pieces"]) for one in result["found"])
        return float(result["cpu_ms"]) / pieces

    def _native_ms(self, solver: Path) -> float:
        arguments = [str(solver), seed_of(self.text()).hex(), "0", str(NATIVE_NONCES), "1", "quiet"]
        said = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
        _, pieces, _, cpu_s = map(float, said.split())
        return 1e3 * cpu_s / pieces

    def measure_pages(self, chromium: str) -> None:
        """Effort 1 in a page, as fast as this machine is and slowed down as phones are."""
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
            page = browser.new_page()
            page.add_script_tag(content=self.script)
            session = page.context.new_cdp_session(page)
            for rate in (1, 4, 6):
                session.send("Emulation.setCPUThrottlingRate", {"rate": rate})
                texts = [self.text() for _ in range(PAGE_ROUNDS)]
                found = [page.evaluate("(text) => solved(text, 1)", text) for text in texts]
                took = sorted(one["ms"] for one in found)
                pieces_ms = sum(took) / sum(one["pieces"] for one in found)
                name = f"Chromium, {rate} times slower" if rate > 1 else "Chromium"
                phone = rate == 6
                self.note(f"{name}, effort 1, median", statistics.median(took), "ms", "<= 1,000 ms" if phone else "")
                self.note(f"{name}, effort 1, p95", took[int(0.95 * len(took))], "ms", "<= 3,000 ms" if phone else "")
                self.note(f"{name}, a piece", pieces_ms, "ms")
            browser.close()

    def measure_all_cores(self, solver: Path) -> None:
        """Pieces a second that a native program makes of this whole machine."""
        threads = os.cpu_count() or 1
        arguments = [str(solver), seed_of(self.text()).hex(), "0", str(NATIVE_NONCES), str(threads), "quiet"]
        said = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
        _, pieces, wall_s, _ = map(float, said.split())
        self.note(f"native, {threads} threads, pieces a second", pieces / wall_s, "/s")


def _ordered_garbage() -> str:
    pieces = sorted(
        [*secrets.randbits(16).to_bytes(4, "big"), *b"".join(place.to_bytes(4, "big") for place in range(at, at + 8))]
        for at in (1, 100)
    )
    return "".join(bytes(piece).hex() for piece in pieces)


def _us(act: Callable[[], object]) -> float:
    number = 5000
    # Processor time: what else the machine does is not what this costs.
    return min(timeit.repeat(act, number=number, repeat=7, timer=time.process_time)) / number * 1e6


def compiled(folder: Path) -> Path | None:
    """The native solver, if there is a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    solver, source = folder / "solver", Path(__file__).with_name("solver.c")
    subprocess.run([compiler, "-O3", "-march=native", "-pthread", source, "-o", solver], check=True)
    return solver


def native_answer(solver: Path, text: str, effort: int) -> str:
    """An answer worked out by the native solver: what it finds, the service takes."""
    said = subprocess.run([solver, seed_of(text).hex(), "0", str(4 * effort + 8), "1"], check=True, capture_output=True)
    return "".join(sorted(said.stdout.decode().splitlines()[:-1])[:effort])


def main() -> None:
    """Measure what can be measured here."""
    bench = Bench()
    node = os.environ.get("NODE") or shutil.which("node")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder:
        solver = compiled(Path(folder))
        bench.measure_service(
            (lambda text, _effort: solve(text)) if solver is None else lambda *asked: native_answer(solver, *asked)
        )
        bench.measure_turns(node, solver)
        if solver:
            bench.measure_all_cores(solver)
        if chromium:
            bench.measure_pages(chromium)
    report("challenge", bench.figures, bench.table)


if __name__ == "__main__":
    main()
