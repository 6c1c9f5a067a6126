"""Does the door close by itself in a flood, and do people come in all the same?

    python bench/registration.py [--seconds 180] [--calm 60] [--after 180] [--newcomers 60] [--chromium 6]

A real service with its shipped settings and timers. First calm: people sign in and
chat. Then the same, while hundreds of addresses (half of them in networks of their own,
half in four /24) post 500 sign-ups and 200 wrong passwords a second; programs with
the native solver take accounts through the line like people; attackers carry device
marks of accounts of their own. Meanwhile newcomers arrive, each from a network of
their own: browsers, phones six times slower, and browsers without JavaScript. With
`--chromium N` so many of them come in a real one, which must be there and takes the
same cores. What is measured stands in docs/registration.md. Everything shares this
machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import chromium
from accounts import Accounts
from arrivals import Arrivals, figures_of
from attackers import Flood, address
from challenge import compiled
from garbage import garbage
from garbage import rows as garbage_rows
from newcomers import Device, Newcomer, Visit
from service import Service, cpu_s, own_cpu_s, report, running
from sign_in_flood import Town, posting
from solving import Solver

SIGN_UP_CONNECTIONS = 500
GUESSING_CONNECTIONS = 400
PROGRAMS = 40
PLACES_OF_PROGRAM = 5
VCPU_HOUR_DOLLARS = 0.04
PROBATION_TOKENS = 200_000 // 2
"""What an account may use on its first day where no mail proved the address: half of the setting."""
ASK_MODE_EVERY_S = 1.0
SECONDS_AN_HOUR = 3600.0
HALF = 2


def source(number: int) -> str:
    """Every second one in a network of its own, the others in four /24."""
    return address(number) if number % HALF else f"127.20.{number // 2 % 4}.{number // 8 % 250 + 1}"


class Modes:
    """Which mode was in force when, as the control socket tells."""

    def __init__(self, control_socket: str) -> None:
        """Nothing was seen."""
        self._control_socket = control_socket
        self.seen: list[tuple[float, str]] = []

    async def watch(self) -> None:
        """Ask for ever, until cancelled."""
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(self._control_socket)) as http:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with http.get("http://control/mode") as answer:
                        mode = (await answer.json())["mode"]
                        if not self.seen or self.seen[-1][1] != mode:
                            self.seen.append((time.time(), mode))
                await asyncio.sleep(ASK_MODE_EVERY_S)

    def reached_s(self, mode: str, since: float) -> float | None:
        """How long after `since` this mode came; None when it did not."""
        return next((round(at - since, 1) for at, name in self.seen if name == mode and at >= since), None)


class Programs:
    """Attackers who solve: each takes account after account, a few places in line at once."""

    def __init__(self, port: int, solver: Solver) -> None:
        """Nothing was asked yet."""
        self._port = port
        self._solver = solver
        self._numbers = itertools.count()
        self.visits: list[Visit] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, gives_up_s: float) -> None:
        """Let them loose; each tries until then."""
        self._tasks = [
            asyncio.create_task(self._keep(source(number), gives_up_s))
            for number in range(PROGRAMS)
            for _ in range(PLACES_OF_PROGRAM)
        ]

    async def stop(self) -> None:
        """End them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, at: str, gives_up_s: float) -> None:
        ends_at = time.perf_counter() + gives_up_s
        while (left_s := ends_at - time.perf_counter()) > 1.0:
            email = f"solver{next(self._numbers)}@example.org"
            self.visits.append(await Newcomer(self._port, at, email, Device.PROGRAM, self._solver).join(left_s))


def made(data_dir: Path, prefix: str, since: float, until: float | None = None) -> int:
    """How many accounts there are whose addresses begin so, made in this time."""
    with contextlib.closing(sqlite3.connect(f"file:{data_dir / 'tidegate.db'}?mode=ro", uri=True)) as records:
        asked = "select count(*) from users where email like ? and created_at_s >= ? and created_at_s < ?"
        found: int = records.execute(asked, (f"{prefix}%", since, until or time.time() + 1.0)).fetchone()[0]
        return found


class Siege:
    """One service, calm and then attacked."""

    def __init__(self, service: Service, solver: Path, wish: argparse.Namespace) -> None:
        """Nothing happened yet."""
        self._service = service
        self._wish = wish
        self._people_solver = Solver(solver)
        self._attackers_solver = Solver(solver)
        self._town = Town(service.port, service.process.pid, self._people_solver)
        self._modes = Modes(service.control_socket)

    async def measure(self) -> dict[str, Any]:
        """All of it."""
        async with Accounts(self._service.control_socket, str(self._service.data_dir)) as accounts:
            await self._town.settle(accounts)
        watching = asyncio.create_task(self._modes.watch())
        calm = await self._town.phase(self._wish.calm, {})
        found = await self._attacked()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return {"calm": calm.figures(), **found}

    async def _attacked(self) -> dict[str, Any]:
        wish, port, onset = self._wish, self._service.port, time.time()
        until_s = wish.seconds + 5.0 + wish.after
        programs = Programs(port, self._attackers_solver)
        programs.start(wish.seconds)
        arrivals = Arrivals(port, wish.newcomers, wish.chromium, self._people_solver)
        arriving = asyncio.create_task(arrivals.come(wish.seconds, until_s))
        used_s, own_s = cpu_s(self._service.process.pid), own_cpu_s()
        attacked = await self._town.phase(wish.seconds, await self._floods())
        over_at = time.time()
        figures = {
            "attacked": attacked.figures(),
            "cpu": {
                "service": round((cpu_s(self._service.process.pid) - used_s) / (over_at - onset), 3),
                "everything": round((own_cpu_s() - own_s) / (over_at - onset), 3),
            },
        }
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(arriving), wish.after)
        await programs.stop()
        await arriving
        return {
            **figures,
            "modes": [(round(at - onset, 1), mode) for at, mode in self._modes.seen],
            "waiting_room_s": self._modes.reached_s("waiting_room", onset),
            "newcomers": figures_of(arrivals.visits),
            **({"in_chromium": figures_of(arrivals.visits_in_chromium)} if wish.chromium else {}),
            "price": self._price(programs.visits, onset),
            "calm_allowance": self._unasked(onset),
        }

    async def _floods(self) -> dict[str, Flood]:
        wish, town = self._wish, self._town
        victims = [browser.email for browser in (*town.known, *town.elsewhere)]
        seed, csrf = await town.form()
        guess = posting("/sign-in", seed, csrf, victims, town.marks)
        join = posting("/sign-up", seed, csrf, [], town.marks)
        port = self._service.port
        return {
            "wrong passwords": Flood(port, GUESSING_CONNECTIONS, wish.wrong, guess, source=source),
            "sign-ups": Flood(port, SIGN_UP_CONNECTIONS, wish.sign_ups, join, source=source),
        }

    def _price(self, visits: list[Visit], onset: float) -> dict[str, Any]:
        """What attackers who solve got, and for what."""
        won = made(self._service.data_dir, "solver", onset)
        hours = self._attackers_solver.cpu_s / SECONDS_AN_HOUR
        per_hour = won / hours if hours else 0.0
        dollars = 1000 / per_hour * VCPU_HOUR_DOLLARS if per_hour else 0.0
        return {
            "accounts_won": won,
            "by_solving": sum(visit.is_in and visit.solve_cpu_s > 0.0 for visit in visits),
            "challenges_solved": self._attackers_solver.solved,
            "solving_cpu_s": round(self._attackers_solver.cpu_s, 2),
            "accounts_per_cpu_hour": round(per_hour, 1),
            "dollars_per_1000_accounts": round(dollars, 4),
            "accounts_per_min": round(won / (self._wish.seconds / 60.0), 1),
            "tokens_a_day_of_1000_accounts": 1000 * PROBATION_TOKENS,
        }

    def _unasked(self, onset: float) -> dict[str, int]:
        """Accounts of who only posts: those were asked for nothing."""
        asked_from = next((at for at, mode in self._modes.seen if mode != "open" and at >= onset), None)
        data_dir = self._service.data_dir
        return {
            "made": made(data_dir, "bot", onset),
            "after_open": 0 if asked_from is None else made(data_dir, "bot", asked_from),
        }


async def measure(wish: argparse.Namespace, solver: Path) -> dict[str, Any]:
    """The siege, and what refusing garbage costs, each way in a service of its own."""
    with running() as service:
        found = await Siege(service, solver, wish).measure()
    return {**found, "garbage": await garbage(wish.garbage)} if wish.garbage else found


def rows(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """What people read."""
    calm, beset, came, price = found["calm"], found["attacked"], found["newcomers"], found["price"]
    table: list[tuple[str, ...]] = [
        ("", "calm", "attacked", "target"),
        (
            "known devices in",
            f"{calm['known_in']}/{calm['known']}",
            f"{beset['known_in']}/{beset['known']}",
            ">= 99 %",
        ),
        ("  their p95, ms", str(calm["known_p95_ms"]), str(beset["known_p95_ms"]), "<= 2x"),
        ("new devices in 30 s", _within(calm), _within(beset), "stated"),
        (
            "chat good",
            f"{calm['chat_good']}/{calm['chat']}",
            f"{beset['chat_good']}/{beset['chat']}",
            ">= 99 % of calm",
        ),
        ("waiting_room after, s", "", str(found["waiting_room_s"]), "<= 120"),
        ("newcomers in as told", "", f"{came['as_told']}/{came['came']}", ">= 90 %"),
        ("  their p50/p90, s", "", f"{came['p50_s']}/{came['p90_s']}", ""),
        *_real(found.get("in_chromium")),
        ("accounts unasked", "", f"{found['calm_allowance']['made']}", "the calm allowance"),
        ("  of them after open", "", f"{found['calm_allowance']['after_open']}", "0"),
        ("won by solvers", "", f"{price['accounts_won']} ({price['accounts_per_cpu_hour']}/CPU-h)", "reported"),
        ("  1,000 accounts, $", "", f"{price['dollars_per_1000_accounts']}", "reported"),
        ("flood sent, 1/s", "", str(beset["sent_per_s"]), ""),
    ]
    if "garbage" in found:
        table.extend(garbage_rows(found["garbage"]))
    return table


def _real(came: dict[str, Any] | None) -> list[tuple[str, ...]]:
    """The rows of those who came in a real browser."""
    if came is None:
        return []
    kinds = ", ".join(f"{kind} {share}" for kind, share in came["kinds"].items())
    return [
        ("in real Chromium: in", "", f"{came['in']}/{came['came']} ({kinds})", ""),
        ("  as told", "", f"{came['as_told']}/{came['came']}, {came['told']} were told a time", ">= 90 %"),
        ("  waited p50/p90, s", "", f"{came['p50_s']}/{came['p90_s']}", ""),
    ]


def _within(phase: dict[str, Any]) -> str:
    return f"{phase['elsewhere_in_30_s']}/{phase['elsewhere']}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Registration in a flood.")
    parser.add_argument("--seconds", type=float, default=180.0, help="of the attack")
    parser.add_argument("--calm", type=float, default=60.0, help="seconds before it")
    parser.add_argument("--after", type=float, default=180.0, help="seconds at most that newcomers wait on after it")
    parser.add_argument("--newcomers", type=int, default=60, help="honest people who want an account")
    parser.add_argument("--wrong", type=float, default=200.0, help="wrong passwords a second")
    parser.add_argument("--sign-ups", type=float, default=500.0, help="sign-ups a second")
    parser.add_argument(
        "--garbage", type=float, default=10.0, help="seconds of garbage proofs, each of three ways; 0 leaves it out"
    )
    parser.add_argument("--chromium", type=int, default=0, help="so many of the newcomers come in a real Chromium")
    wish = parser.parse_args()
    if not 0 <= wish.chromium <= wish.newcomers:
        parser.error("--chromium: some of the newcomers, so at most as many")
    if wish.chromium and chromium.program() is None:
        parser.error("--chromium: there is none here; name one: CHROMIUM=/path/to/chrome")
    with tempfile.TemporaryDirectory() as folder:
        solver = compiled(Path(folder))
        if solver is None:
            parser.error("a C compiler is needed: attackers solve natively")
        found = asyncio.run(measure(wish, solver))
    report("registration in a flood", found, rows(found))


if __name__ == "__main__":
    main()
