"""Nothing that a log shows of an attacker is a mark that nobody else could bear."""

from __future__ import annotations

from random import Random

from tidegate.lab.actors.attackers.letters import address_of
from tidegate.lab.actors.attackers.seats import BROWSERS, PROGRAMS
from tidegate.lab.actors.identities import DESKS, POCKETS, TOOLS
from tidegate.lab.actors.visitors import form
from tidegate.lab.acts import Group, Who


def test_attackers_programs_are_called_as_people_s_are() -> None:
    assert {name for _, name in PROGRAMS} <= set(TOOLS.names)
    assert {name for _, name in BROWSERS} <= {*DESKS.names, *POCKETS.names}


def test_who_passes_for_people_has_their_mail_where_people_have_it() -> None:
    dice = Random(1)
    somebody = Who(name="a", group=Group.ANONYMOUS, address=1)
    people = {form(somebody, dice).mail_domain for _ in range(500)}
    attackers = {address_of(dice, "f", is_human=True, is_same=False).domain for _ in range(500)}

    assert attackers <= people
