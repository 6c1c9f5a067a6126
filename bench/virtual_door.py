"""What an hour of sign-ups costs in virtual time: people who wait, programs that work, programs that do not.

Ten come each second, and find what the service makes of that. Prints a table and, as its last line, JSON.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

from rooted import ROOT

from tests.lab.simulator.street import Street, a_bot, a_person
from tidegate.lab.acts import Outcome, SignUp, Who

HOUR_S = 3600.0
PER_S = 10
_NAMES = ("maria", "johannes", "chen", "okafor", "lena", "patel", "yusuf", "garcia", "smith", "novak")


def main() -> None:
    """Measure and print."""
    figures = {name: hour(comer) for name, comer in COMERS.items()}
    print(f"{ROOT.name}: {int(HOUR_S * PER_S):,} sign-ups in a virtual hour")
    print(f"{'who comes':28} {'cpu s':>8} {'accounts':>9} {'ended':>8} {'mode':>14}")
    for name, figure in figures.items():
        row = f"{figure['cpu_s']:8} {figure['accounts']:9} {figure['ended']:8} {figure['mode']:>14}"
        print(f"{name:28} {row}")
    print(json.dumps(figures))


def hour(comer: Callable[[int, random.Random], tuple[Who, SignUp]]) -> dict[str, object]:
    """Play it."""
    street, dice, outcomes = Street(), random.Random(1), list[Outcome]()
    for number in range(int(HOUR_S * PER_S)):
        who, what = comer(number, dice)
        street.ask_at(number / PER_S, who, what, outcomes.append)
    began_s = time.process_time()
    street.wait(HOUR_S)
    return {
        "cpu_s": round(time.process_time() - began_s, 1),
        "accounts": sum(one.is_complete for one in outcomes),
        "ended": len(outcomes),
        "mode": str(street.door.mode),
    }


def waiting(number: int, dice: random.Random) -> tuple[Who, SignUp]:
    """A person who does what the pages say, for half an hour."""
    return a_person(number), SignUp(local_part=f"{dice.choice(_NAMES)}.{dice.choice(_NAMES)}{dice.randrange(100)}")


def working(number: int, dice: random.Random) -> tuple[Who, SignUp]:
    """A program with a fast machine, of 2,000."""
    del dice
    return a_bot(number % 2000), SignUp(effort_s=0.02, local_part=f"user{number}", reads_mail_after_s=2.0)


def blind(number: int, dice: random.Random) -> tuple[Who, SignUp]:
    """A program that does nothing of what it is asked for, of 2,000; each tenth is a person."""
    if number % PER_S == 0:
        return waiting(number, dice)
    return a_bot(number % 2000), SignUp(effort_s=None, heeds=False, gives_up_after_s=30.0, local_part=f"x{number}q")


COMERS = {"people who wait": waiting, "programs that work": working, "blind programs, 10 % people": blind}


if __name__ == "__main__":
    main()
