"""Puts registration together: the mode that was last in force, the line, the challenge, and who decides by them."""

from __future__ import annotations

import secrets
import time
from hashlib import blake2s

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.registration import RegistrationFile
from tidegate.adapters.disk.used_tickets import UsedTickets
from tidegate.app.door import steady_clock
from tidegate.app.plans import joining_plan
from tidegate.config import Settings
from tidegate.core.challenge.challenges import Challenges
from tidegate.core.challenge.effort import EffortControl
from tidegate.core.challenge.plan import ChallengePlan, EffortPlan
from tidegate.core.credentials import ServerKeys
from tidegate.core.registration.baseline import Baseline, BaselinePlan
from tidegate.core.registration.calm import Calm
from tidegate.core.registration.machine import Machine
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.names import Recent
from tidegate.core.registration.plan import ModePlan
from tidegate.core.registration.waiting import WaitingPlan
from tidegate.core.registration.waiting_room import WaitingRoom
from tidegate.ports.journal import Journal
from tidegate.services.invitations import Invitations
from tidegate.services.joining import Joining
from tidegate.services.letters import Letters
from tidegate.services.registration import Registration, Sources
from tidegate.services.sessions import Sessions
from tidegate.services.work import Works

_WORK_KEY_BYTES = 32


def calm(settings: Settings) -> Calm:
    """What asks nothing of anybody."""
    return Calm(settings.registration.calm_per_min, settings.registration.calm_at_once)


def registration(
    datadir: DataDir,
    plan: ModePlan,
    calm: Calm,
    floor: RegistrationMode,
    journal: Journal,
    *,
    sources: Sources | None = None,
) -> Registration:
    """Go on where the instance was. Without `sources` nothing is measured but who asks."""
    file = RegistrationFile(datadir)
    kept = file.read()
    return Registration(
        Machine(plan, kept.machine),
        Baseline(BaselinePlan(), kept.baseline),
        calm,
        journal=journal,
        clock=time.time,
        sources=sources or Sources(),
        keep=file.keep,
        said=kept.said,
        moves=kept.moves,
        floor=floor,
    )


def joining(
    settings: Settings,
    kept: Registration,
    server_keys: ServerKeys,
    sessions: Sessions,
    recent: Recent,
    invitations: Invitations,
    letters: Letters | None,
    used: UsedTickets,
) -> Joining:
    """Make what lets newcomers in; `letters` where an account begins with one.

    Places in line outlive this process, and those that are `used` up stay so. Work does not: which of it counted
    already is known to nobody else, so what was begun under another process is begun anew.
    """
    steady = steady_clock()
    room = WaitingRoom(WaitingPlan(), derived(server_keys, b"tg-place"))
    room.use_up(used.read(since_s=time.time() - room.plan.longest_s), steady())
    return Joining(
        registration=kept,
        room=room,
        works=Works(Challenges(secrets.token_bytes(_WORK_KEY_BYTES), ChallengePlan()), kept.journal, steady),
        effort=EffortControl(EffortPlan()),
        sessions=sessions,
        letters=letters,
        recent=recent,
        invitations=invitations,
        plan=joining_plan(settings),
        clock=time.time,
        steady=steady,
        use_up=lambda place: used.add(place, time.time()),
    )


def derived(server_keys: ServerKeys, purpose: bytes) -> bytes:
    """A key of its own for one purpose (at most 8 bytes), of the oldest server key: the last one to go."""
    return blake2s(key=server_keys.keys[min(server_keys.keys)], person=purpose).digest()
