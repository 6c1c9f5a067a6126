"""What lets newcomers in, over fakes: calm as long as a test does not press it."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.adapters.lists.carried import disposable_list, name_model
from tidegate.core.challenge.challenges import Challenges
from tidegate.core.challenge.effort import EffortControl
from tidegate.core.challenge.plan import ChallengePlan, EffortPlan
from tidegate.core.challenge.puzzles import Puzzle, PuzzleName
from tidegate.core.registration.baseline import Baseline, BaselinePlan
from tidegate.core.registration.calm import Calm
from tidegate.core.registration.machine import Machine
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.names import Letters as Names
from tidegate.core.registration.names import Recent
from tidegate.core.registration.plan import ModePlan
from tidegate.core.registration.waiting import WaitingPlan
from tidegate.core.registration.waiting_room import WaitingRoom
from tidegate.services.invitations import Invitations
from tidegate.services.joining import Joining
from tidegate.services.permits import JoiningPlan, Letting
from tidegate.services.registration import Registration
from tidegate.services.sessions import Sessions
from tidegate.services.work import Works

KEY = b"j" * 32
WORKED = "2a"
"""A piece of the easy work that stands for the real one here: a byte."""
_EASY = Puzzle(size_bytes=1, is_solved=lambda _seed, _index, piece: piece == bytes.fromhex(WORKED), is_ascending=False)
_LIST = disposable_list()
_NAMES = Names(name_model())


def a_joining(
    sessions: Sessions,
    clock: Callable[[], float],
    *,
    letters: Letting | None = None,
    invitations: Invitations | None = None,
    plan: JoiningPlan | None = None,
    floor: RegistrationMode = RegistrationMode.OPEN,
    calm_at_once: float = 1000.0,
    steady: Callable[[], float] | None = None,
    use_up: Callable[[int], None] = lambda _place: None,
) -> Joining:
    """Calm until `calm_at_once` sign-ups came at once."""
    registration = Registration(
        Machine(ModePlan()),
        Baseline(BaselinePlan()),
        Calm(60.0, calm_at_once),
        journal=sessions.clerk.journal,
        clock=clock,
        floor=floor,
    )
    return Joining(
        registration=registration,
        room=WaitingRoom(WaitingPlan(), KEY),
        works=Works(
            Challenges(KEY, ChallengePlan(), {PuzzleName.WAGNER: _EASY}), sessions.clerk.journal, steady or clock
        ),
        effort=EffortControl(EffortPlan()),
        sessions=sessions,
        letters=letters,
        recent=Recent(_NAMES, _LIST, KEY),
        invitations=invitations,
        plan=plan or JoiningPlan(),
        clock=clock,
        steady=steady,
        use_up=use_up,
    )
