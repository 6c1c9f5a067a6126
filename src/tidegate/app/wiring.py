"""Puts the services together and gives them to the applications."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from tidegate.adapters.disk.secrets import Secrets
from tidegate.adapters.sql.store import SqlStore
from tidegate.adapters.telemetry.metrics import Metrics
from tidegate.app.fingerprints import fingerprinter
from tidegate.config import Settings
from tidegate.core.admission.slots import SlotPlan
from tidegate.http.applications import Applications, build_applications
from tidegate.http.chat.events import encode
from tidegate.http.web.assets import Asset
from tidegate.ports.engine import Engine
from tidegate.ports.journal import Journal
from tidegate.services.accounts import Clerk
from tidegate.services.keyring import Keyring
from tidegate.services.lane import Lane
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.passwords import PasswordLane
from tidegate.services.replies import Replies
from tidegate.services.sessions import Sessions
from tidegate.services.setup import Setup
from tidegate.services.writing import Desk

_DAY_S = 86400.0


async def wire(
    settings: Settings,
    *,
    engine: Engine,
    store: SqlStore,
    secrets: Secrets,
    lifecycle: Lifecycle,
    journal: Journal,
    metrics: Metrics,
    passwords: PasswordLane,
    later: Callable[[Coroutine[Any, Any, None]], None],
    assets: dict[str, Asset],
    local_status_url: str,
) -> tuple[Applications, Setup]:
    """Make every service of what was opened; answers what to serve, and where the first operator is made."""
    fingerprint = fingerprinter(secrets.fingerprint_key)
    desk = Desk(
        engine=engine,
        lane=Lane(_slots(settings), time.monotonic),
        conversations=store.conversations,
        lifecycle=lifecycle,
        journal=journal,
        fingerprint=fingerprint,
        clock=time.time,
        ticks=time.monotonic,
    )
    replies = Replies(desk, encode)
    keyring = Keyring(store.accounts, time.monotonic)
    clerk = Clerk(
        accounts=store.accounts,
        server_keys=secrets.server_keys,
        journal=journal,
        fingerprint=fingerprint,
        clock=time.time,
        keyring=keyring,
        passwords=passwords,
        ended=replies.hang_up,
    )
    sessions = Sessions(
        clerk=clerk,
        is_sign_up_open=settings.accounts.sign_up == "open",
        session_s=settings.accounts.session_days * _DAY_S,
        later=later,
        ended=replies.hang_up,
    )
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
    )
    return applications, setup


def _slots(settings: Settings) -> SlotPlan:
    given = settings.engine
    return SlotPlan(given.slots, given.max_waiting, given.max_per_account)
