"""Who may invite, what becomes of invitations, and of those who ask to be let in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.identifiers import Fingerprint, InviteId, UserId
from tidegate.core.registration.invites import Invite, InvitePlan, InviteState, may_make
from tidegate.core.registration.requests import NOTE_LENGTH, WINDOW_S, Nets, noted, place_of
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import DAY_S

NOW = 1_790_000_000.0
NET = Fingerprint("0123456789abcdef")
OTHER_NET = Fingerprint("fedcba9876543210")


def _invite(*, email: str | None = None, used: bool = False, revoked: bool = False) -> Invite:
    return Invite(
        id=InviteId.of(bytes(8)),
        made_by=None,
        email=email,
        made_at_s=NOW,
        expires_at_s=NOW + 60,
        used_by=UserId.of(bytes(8)) if used else None,
        revoked_at_s=NOW if revoked else None,
    )


@pytest.mark.parametrize(
    ("invite", "now", "state"),
    [
        (_invite(), NOW + 59.9, InviteState.OPEN),
        (_invite(), NOW + 60, InviteState.EXPIRED),
        (_invite(revoked=True), NOW, InviteState.REVOKED),
        (_invite(used=True), NOW + 99, InviteState.USED),
        (_invite(used=True, revoked=True), NOW, InviteState.USED),
    ],
)
def test_an_invitation_is_in_one_state(invite: Invite, now: float, state: InviteState) -> None:
    """Who used it counts for more than what happened later."""
    assert invite.state(now) is state


def test_a_bound_invitation_is_for_its_address_only() -> None:
    """And any other for everybody."""
    assert _invite(email="ana@example.org").is_for("ana@example.org")
    assert not _invite(email="ana@example.org").is_for("bo@example.org")
    assert _invite().is_for("bo@example.org")


@pytest.mark.parametrize(
    ("standing", "findings", "expected"),
    [
        (Standing.OPERATOR, 9, None),
        (Standing.ESTABLISHED, 0, 3),
        (Standing.ESTABLISHED, 2, 1),
        (Standing.ESTABLISHED, 9, 0),
        (Standing.MEMBER, 0, 0),
        (Standing.NEWCOMER, 0, 0),
        (Standing.VISITOR, 0, 0),
        (Standing.SUSPECT, 0, 0),
    ],
)
def test_only_those_who_are_well_known_invite(standing: Standing, findings: int, expected: int | None) -> None:
    """And whoever brought abusers brings fewer."""
    assert may_make(standing, InvitePlan(per_month=3), findings) == expected


@given(st.floats(0, 4e9), st.floats(0, 4e9), st.floats(0, 0.999), st.floats(0, 0.999))
def test_who_asks_in_a_later_window_comes_later(one: float, other: float, draw: float, other_draw: float) -> None:
    """Within a window the draw decides."""
    first, second = place_of(one, draw), place_of(other, other_draw)

    if one // WINDOW_S != other // WINDOW_S:
        assert (first < second) is (one < other)
    else:
        assert (first < second) is (draw < other_draw) or abs(draw - other_draw) < 1e-6


def test_a_note_is_one_short_line() -> None:
    """However it was typed."""
    assert noted("  I teach\r\n\tphysics ") == "I teach physics"
    assert noted("x" * NOTE_LENGTH) == "x" * NOTE_LENGTH


@pytest.mark.parametrize("text", ["x" * (NOTE_LENGTH + 1), " " * 5000, "bell\x07", "\u202eturned"])
def test_a_note_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="note: at most 300"):
        noted(text)


def test_a_network_leaves_so_many_a_day() -> None:
    """Each its own number, and the whole of it again on the next day."""
    nets = Nets()

    assert [nets.count(NET, 2, NOW) for _ in range(4)] == [True, True, False, False]
    assert nets.count(OTHER_NET, 2, NOW)
    assert nets.count(None, 2, NOW)
    assert not nets.count(NET, 2, NOW + DAY_S - 1)
    assert nets.count(NET, 2, NOW + DAY_S)


def test_a_clock_that_steps_back_shuts_nobody_out() -> None:
    """A day that begins in the future never was."""
    nets = Nets()

    assert nets.count(NET, 1, NOW)
    assert nets.count(NET, 1, NOW - 10)


def test_no_more_networks_are_remembered_than_there_is_room_for() -> None:
    """The one whose day began first is forgotten."""
    nets = Nets(most=2)
    third = Fingerprint("00000000000000aa")
    for net in (NET, OTHER_NET, third):
        nets.count(net, 1, NOW)

    assert len(nets) == 2
    assert not nets.count(third, 1, NOW)
    assert nets.count(NET, 1, NOW)
