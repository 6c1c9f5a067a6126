"""Puts the services together and gives them to the applications."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import msgspec

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.secrets import Secrets
from tidegate.adapters.firewall.memory import InhabitedFile
from tidegate.adapters.sql.store import SqlStore
from tidegate.adapters.telemetry.metrics import Metrics
from tidegate.app.certificate import Certificate
from tidegate.app.door import Door, open_admission, open_door
from tidegate.app.engines import Line
from tidegate.app.fingerprints import fingerprinter
from tidegate.app.plans import plans_of
from tidegate.app.policy import live_policy
from tidegate.app.quotas import quotas
from tidegate.app.reputation import reputation
from tidegate.app.sameness import embedded, lookout
from tidegate.config import Settings
from tidegate.http.applications import Applications, build_applications
from tidegate.http.chat.events import encode
from tidegate.http.forwarded import Forwarded
from tidegate.http.gate.credential import Credentials
from tidegate.http.gate.public import public_lanes
from tidegate.http.web.assets import Asset
from tidegate.ports.engine import ReplicaReport
from tidegate.ports.journal import Journal
from tidegate.services.accounts import Clerk
from tidegate.services.keyring import Keyring
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.lookout import Lookout
from tidegate.services.looks import Target
from tidegate.services.models import Served
from tidegate.services.passwords import PasswordLane
from tidegate.services.policy import Policy
from tidegate.services.quotas import Quotas
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
    lookout: Lookout | None


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
    certificate: Certificate | None,
    read_settings: Callable[[], Settings],
    datadir: DataDir,
    model_sha256: str,
    relined: Callable[[Settings], Callable[[], None]] = lambda _: lambda: None,
    replicas: Callable[[], list[ReplicaReport]] = list,
    looked_at: Callable[[], Iterable[Target]] = tuple,
) -> Wired:
    """Make every service of what was opened. `read_settings` gives the settings as they stand at that moment.

    The first of the `lines` is the chat's. `relined` makes of settings what exchanges the engines that run elsewhere,
    `looked_at` tells them one by one.
    """
    fingerprint = fingerprinter(secrets.fingerprint_key)
    plans = plans_of(settings, secrets.fingerprint_key)
    known = reputation(settings, store)
    budgets = quotas(settings, store)
    admissions = tuple(open_admission(plans, known.register, known.served, budgets, line.fit) for line in lines)
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
    )
    policy = live_policy(
        settings,
        read=read_settings,
        shard_key=secrets.fingerprint_key,
        apply=door.apply,
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
        ended=replies.hang_up,
    )
    sessions = Sessions(
        clerk=clerk,
        is_sign_up_open=settings.accounts.sign_up == "open",
        session_s=settings.accounts.session_days * _DAY_S,
        later=later,
        ended=replies.hang_up,
        is_flooded=door.is_flooded,
        dead=door.note_dead,
    )
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
        lookout=watched,
    )
