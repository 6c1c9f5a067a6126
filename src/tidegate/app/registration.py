"""Puts registration together: the mode that was last in force, the line, the challenge, and who decides by them."""

from __future__ import annotations

import time
from hashlib import blake2s

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.registration import RegistrationFile
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
) -> Joining:
    """Make what lets newcomers in; `letters` where an account begins with one."""
    return Joining(
        registration=kept,
        room=WaitingRoom(WaitingPlan(), derived(server_keys, b"tg-place")),
        works=Works(Challenges(derived(server_keys, b"tg-work"), ChallengePlan()), kept.journal, time.time),
        effort=EffortControl(EffortPlan()),
        sessions=sessions,
        letters=letters,
        recent=recent,
        invitations=invitations,
        plan=joining_plan(settings),
        clock=time.time,
    )


def derived(server_keys: ServerKeys, purpose: bytes) -> bytes:
    """A key of its own for one purpose (at most 8 bytes), of the oldest server key: the last one to go."""
    return blake2s(key=server_keys.keys[min(server_keys.keys)], person=purpose).digest()
