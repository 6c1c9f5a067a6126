"""Puts the services together and gives them to the applications."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import msgspec

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.secrets import Secrets
from tidegate.adapters.disk.used_tickets import UsedTickets
from tidegate.adapters.firewall.memory import InhabitedFile
from tidegate.adapters.sql.store import SqlStore
from tidegate.adapters.telemetry.metrics import Metrics
from tidegate.app.certificate import Certificate
from tidegate.app.door import Door, open_admission, open_door
from tidegate.app.engines import Line
from tidegate.app.fingerprints import fingerprinter
from tidegate.app.mail import post
from tidegate.app.people import People, open_invitations, open_recent
from tidegate.app.plans import Plans, entering_plan, mode_plan, plans_of
from tidegate.app.policy import live_policy
from tidegate.app.quotas import quotas
from tidegate.app.registration import calm, joining, registration
from tidegate.app.reputation import reputation
from tidegate.app.sameness import embedded, lookout
from tidegate.config import Settings
from tidegate.core.accounts import User
from tidegate.core.entering.entering import Entering
from tidegate.core.registration.probation import Probation
from tidegate.core.registration.signals import Share
from tidegate.http.applications import Applications, build_applications
from tidegate.http.challenge.screen import Screen
from tidegate.http.chat.events import encode
from tidegate.http.forwarded import Forwarded
from tidegate.http.gate.credential import Credentials, Marks, Turns
from tidegate.http.gate.public import public_lanes
from tidegate.http.web.assets import Asset
from tidegate.ports.engine import ReplicaReport
from tidegate.ports.journal import Journal
from tidegate.services.accounts import Clerk
from tidegate.services.asking import Asking
from tidegate.services.joining import Joining
from tidegate.services.keyring import Keyring
from tidegate.services.letters import Letters
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.lookout import Lookout
from tidegate.services.looks import Target
from tidegate.services.models import Served
from tidegate.services.passwords import PasswordLane
from tidegate.services.policy import Policy
from tidegate.services.quotas import Quotas
from tidegate.services.recorder import Recorder
from tidegate.services.registration import Sources
from tidegate.services.replies import Replies
from tidegate.services.reputation import Reputation
from tidegate.services.sessions import Sessions
from tidegate.services.setup import Setup
from tidegate.services.writing import Desk

_DAY_S = 86400.0


class Wired(msgspec.Struct, frozen=True, kw_only=True):
    """What is served, and what is kept going beside it."""

    applications: Applications
    setup: Setup
    door: Door
    policy: Policy
    reputation: Reputation
    quotas: Quotas
    people: People
    lookout: Lookout | None
    letters: Letters
    joining: Joining
    asking: Asking


async def wire(
    settings: Settings,
    *,
    lines: tuple[Line, ...],
    store: SqlStore,
    secrets: Secrets,
    lifecycle: Lifecycle,
    journal: Journal,
    metrics: Metrics,
    passwords: PasswordLane,
    later: Callable[[Coroutine[Any, Any, None]], None],
    assets: dict[str, Asset],
    local_status_url: str,
    local_url: str,
    certificate: Certificate | None,
    read_settings: Callable[[], Settings],
    datadir: DataDir,
    model_sha256: str,
    relined: Callable[[Settings], Callable[[], None]] = lambda _: lambda: None,
    replicas: Callable[[], list[ReplicaReport]] = list,
    looked_at: Callable[[], Iterable[Target]] = tuple,
    recorder: Recorder | None = None,
) -> Wired:
    """Make every service of what was opened. `read_settings` gives the settings as they stand at that moment.

    The first of the `lines` is the chat's. `relined` makes of settings what exchanges the engines that run elsewhere,
    `looked_at` tells them one by one.
    """
    fingerprint = fingerprinter(secrets.fingerprint_key)
    plans = plans_of(settings, secrets.fingerprint_key)
    known = reputation(settings, store)
    probation = Probation(known.register, plans.probation)
    budgets = quotas(settings, store, probation)
    usher = open_invitations(
        store=store,
        reputation=known,
        invites=plans.invites,
        requests=plans.requests,
        server_keys=secrets.server_keys,
        journal=journal,
        fingerprint=fingerprint,
    )
    people = People(probation=probation, usher=usher, recent=open_recent(secrets.fingerprint_key))
    admissions = tuple(
        open_admission(plans, known.register, known.served, budgets, line.fit, recorder=recorder, line=number)
        for number, line in enumerate(lines)
    )
    door = open_door(
        settings,
        plans,
        credentials=Credentials(secrets.server_keys),
        lanes=public_lanes(),
        register=known.register,
        lines=tuple((admission, line.fit) for admission, line in zip(admissions, lines, strict=True)),
        journal=journal,
        fingerprint=fingerprint,
        key=secrets.fingerprint_key,
        memory=InhabitedFile(datadir.inhabited_path),
        is_nobody_known=not await store.accounts.newest_users(1),
        marks=Marks(secrets.server_keys, settings.sign_in.device_days * _DAY_S),
        recorder=recorder,
    )

    def apply(plans: Plans) -> None:
        door.apply(plans)
        people.apply(plans)
        newcomers.replan(plans.joining)
        kept.machine.plan = plans.modes
        kept.hold_to(plans.sign_up)
        kept.calm.replan(*plans.calm)

    policy = live_policy(
        settings,
        read=read_settings,
        shard_key=secrets.fingerprint_key,
        apply=apply,
        relined=relined,
        certificate=certificate,
        journal=journal,
        clock=time.time,
    )
    here = (embedded(lines[0].engine, admissions[0], model_sha256),) if model_sha256 else ()
    watched = lookout(settings, lambda: (*here, *looked_at()), datadir=datadir, journal=journal, looked=metrics.looked)
    desk = Desk(
        engine=lines[0].engine,
        admission=admissions[0],
        conversations=store.conversations,
        lifecycle=lifecycle,
        journal=journal,
        fingerprint=fingerprint,
        clock=time.time,
        ticks=time.monotonic,
    )
    replies = Replies(desk, encode)
    keyring = Keyring(store.accounts, time.monotonic, met=known.meet, dead=door.note_dead)
    clerk = Clerk(
        accounts=store.accounts,
        server_keys=secrets.server_keys,
        journal=journal,
        fingerprint=fingerprint,
        clock=time.time,
        keyring=keyring,
        passwords=passwords,
        reputation=known,
        quotas=budgets,
        on_probation=lambda record: probation.of(record, time.time()),
        ended=replies.hang_up,
    )
    mail = post(settings, clerk, datadir, local_url, later)
    letters = mail.letters if mail.letters.is_on else None
    if letters is not None:
        people = people.with_letters(letters)
    sessions = Sessions(
        clerk=clerk,
        session_s=settings.accounts.session_days * _DAY_S,
        later=later,
        ended=replies.hang_up,
        is_flooded=door.is_flooded,
        dead=door.note_dead,
        entering=Entering(entering_plan(settings)),
        on_new_device=lambda user, _: _write_of_device(letters, user),
    )
    passwords.is_attacked = sessions.is_attacked
    kept = registration(
        datadir,
        mode_plan(settings),
        calm(settings),
        plans.sign_up,
        journal,
        sources=Sources(
            headroom=lambda: min(one.scheduler.headroom(time.monotonic()) for one in admissions),
            mail_left=mail.letters.budget_left,
            verified=lambda since: None if letters is None else _verified(letters, since),
            turned_away=door.telling.take_sign_ups,
        ),
    )
    metrics.registration.in_force(kept.mode)
    newcomers = joining(
        settings,
        kept,
        secrets.server_keys,
        sessions,
        people.recent,
        people.usher.invitations,
        letters,
        UsedTickets(datadir),
    )
    metrics.registration.watch(
        lambda: newcomers.line().places, lambda: newcomers.line().kept, lambda: newcomers.line().missed
    )
    asking = Asking(newcomers, people.usher.requests, letters, time.time)
    door.guard.turns = Turns(newcomers.room.turn)
    door.guard.screen = Screen(newcomers.works, lambda: newcomers.is_calm)
    await known.load()
    setup = await Setup.prepare(sessions)
    applications = build_applications(
        desk=desk,
        aliases=settings.engine.aliases,
        clerk=clerk,
        keyring=keyring,
        sessions=sessions,
        setup=setup,
        replies=replies,
        assets=assets,
        status_url=settings.server.status_url,
        local_status_url=local_status_url,
        max_body_bytes=settings.server.max_body_bytes,
        exposition=metrics.exposition,
        later=later,
        policy=policy,
        others=tuple(
            Served(engine=line.engine, admission=admission)
            for line, admission in zip(lines[1:], admissions[1:], strict=True)
        ),
        replicas=replicas,
        lookout=watched,
        handover=door.handover,
        usher=people.usher,
        disposable=people.recent.disposable,
        letters=mail.letters,
        mailbox=mail.mailbox,
        joining=newcomers,
        asking=asking,
    )
    if settings.server.trusted_proxies:
        public = Forwarded(applications.public, door.guard.peer)
        applications = msgspec.structs.replace(applications, public=public)
    return Wired(
        applications=applications,
        setup=setup,
        door=door,
        policy=policy,
        reputation=known,
        quotas=budgets,
        people=people,
        lookout=watched,
        letters=mail.letters,
        joining=newcomers,
        asking=asking,
    )


def _write_of_device(letters: Letters | None, user: User) -> None:
    if letters is not None:
        letters.new_device(user)


def _verified(letters: Letters, since: float | None) -> Share:
    part, of = letters.verified_share(time.time(), since)
    return Share(round(part * of), of)
