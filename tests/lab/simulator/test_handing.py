"""What is handed to a firewall in a rehearsal, and whom it keeps out."""

from __future__ import annotations

import msgspec
import pytest

from tests.lab.simulator.desks import OLD, Desk
from tests.lab.simulator.towns import RULES, somebody
from tidegate.core.firewall.elements import Mode
from tidegate.core.firewall.plan import FirewallPlan
from tidegate.lab.acts import Chat, Group

JUNK = somebody("j", Group.ATTACKER, has_account=False)
NEIGHBOUR = msgspec.structs.replace(OLD, address=JUNK.address)
ASKED = Chat(prompt_tokens=5, answer_tokens=5)


def pressed(mode: Mode) -> Desk:
    desk = Desk(msgspec.structs.replace(RULES, firewall=FirewallPlan(mode=mode, refused_rate=1.0, refused_burst=20.0)))
    for _ in range(40):
        desk.ask(JUNK, ASKED)
    return desk


@pytest.mark.parametrize(("mode", "told"), [(Mode.OFF, []), (Mode.DRY_RUN, ["dry_run"]), (Mode.ON, ["on"])])
def test_who_keeps_sending_is_handed_over_as_the_plan_says(mode: Mode, told: list[str]) -> None:
    """
    In a dry run it is only told.
    """
    desk = pressed(mode)
    assert [move.to for move in desk.moves][:1] == told
    later = desk.ask(JUNK, ASKED)
    desk.run()
    assert later[0].status == (0 if mode is Mode.ON else 401)


def test_where_somebody_known_lives_nobody_is_kept_out() -> None:
    """
    Whoever was let through before the firewall knew ends what it holds; another plan ends all of it.
    """
    desk = pressed(Mode.ON)
    desk.service.handing.seen(NEIGHBOUR.address.to_bytes(4, "big"), 0.0)
    known = desk.ask(NEIGHBOUR, ASKED)
    desk.run()
    assert known[0].is_complete
    again = pressed(Mode.ON)
    again.service.apply(RULES, 0.0)
    assert again.ask(JUNK, ASKED)[0].status == 401
    spared = Desk(
        msgspec.structs.replace(RULES, firewall=FirewallPlan(mode=Mode.ON, refused_rate=1.0, refused_burst=20.0))
    )
    spared.ask(NEIGHBOUR, ASKED)
    for _ in range(40):
        spared.ask(JUNK, ASKED)
    assert spared.moves == []
