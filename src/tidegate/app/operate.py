"""Doing operator acts on a data directory without a running service."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.secrets import load_or_create_secrets
from tidegate.adapters.sql.callers import open_callers
from tidegate.adapters.sql.store import open_store
from tidegate.app.fingerprints import fingerprinter
from tidegate.app.people import open_invitations
from tidegate.app.plans import invite_plan, mode_plan, probation_plan, request_plan
from tidegate.app.quotas import quotas
from tidegate.app.registration import calm, registration
from tidegate.app.reputation import caller_reputation, reputation
from tidegate.app.running import open_log
from tidegate.config import Settings
from tidegate.config.engines import shows_own_keys
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.probation import Probation
from tidegate.services.accounts import Clerk
from tidegate.services.callers import Callers
from tidegate.services.issuing import Issuing
from tidegate.services.passwords import PasswordLane
from tidegate.services.registration import Registration
from tidegate.services.usher import Usher

_MOST_LOOKED_AT: Final = 1000


@asynccontextmanager
async def open_desk(settings: Settings, datadir: DataDir) -> AsyncIterator[Clerk]:
    """Open the stores for account acts. The caller holds the directory's lock."""
    secrets = load_or_create_secrets(datadir)
    with contextlib.closing(open_log(settings, datadir)) as log:
        database_url = settings.database_url or datadir.database_url
        with contextlib.closing(PasswordLane()) as passwords:
            async with open_store(database_url, datadir.user_keys_url, secrets.kek) as store:
                known = reputation(settings, store)
                probation = Probation(known.register, probation_plan(settings))
                yield Clerk(
                    accounts=store.accounts,
                    server_keys=secrets.server_keys,
                    journal=log,
                    fingerprint=fingerprinter(secrets.fingerprint_key),
                    clock=time.time,
                    passwords=passwords,
                    reputation=known,
                    quotas=quotas(settings, store, probation),
                    on_probation=lambda record: probation.of(record, time.time()),
                )


@contextlib.contextmanager
def open_registration(settings: Settings, datadir: DataDir) -> Iterator[Registration]:
    """Open what is kept of registration, for the operator's word. The caller holds the directory's lock."""
    with contextlib.closing(open_log(settings, datadir)) as log:
        floor = RegistrationMode(settings.accounts.sign_up)
        yield registration(datadir, mode_plan(settings), calm(settings), floor, log)


@asynccontextmanager
async def open_usher(settings: Settings, datadir: DataDir) -> AsyncIterator[Usher]:
    """Open the stores for acts on invitations and requests. The caller holds the directory's lock."""
    secrets = load_or_create_secrets(datadir)
    with contextlib.closing(open_log(settings, datadir)) as log:
        database_url = settings.database_url or datadir.database_url
        async with open_store(database_url, datadir.user_keys_url, secrets.kek) as store:
            yield open_invitations(
                store=store,
                reputation=reputation(settings, store),
                invites=invite_plan(settings),
                requests=request_plan(settings),
                server_keys=secrets.server_keys,
                journal=log,
                fingerprint=fingerprinter(secrets.fingerprint_key),
            )


@asynccontextmanager
async def open_caller_desk(settings: Settings, datadir: DataDir) -> AsyncIterator[Callers]:
    """Open the store for acts on callers of a gate. The caller holds the directory's lock."""
    secrets = load_or_create_secrets(datadir)
    half_life_days = settings.standing.half_life_days
    with contextlib.closing(open_log(settings, datadir)) as log:
        async with open_callers(datadir.callers_url, half_life_days=half_life_days) as store:
            known = caller_reputation(settings, store)
            yield Callers(
                reputation=known,
                recent=store.recent,
                journal=log,
                fingerprint=fingerprinter(secrets.fingerprint_key),
                clock=time.time,
                issuing=Issuing(store, secrets.server_keys, known, time.time),
            )


async def callers_left(settings: Settings, datadir: DataDir) -> int:
    """How many callers a gate knows by keys that count no more, since it is told to take the other kind.

    0 as soon as one was served whose key is of the right kind: then the change is made. Raises
    StorageUnavailableError. The caller holds the directory's lock.
    """
    if not datadir.callers_path.exists():
        return 0
    async with open_callers(datadir.callers_url) as store:
        records = await store.recent(_MOST_LOOKED_AT)
        own = {key.principal for key in await store.issued_to([record.principal for record in records])}
    is_own = shows_own_keys(settings)
    left = [record for record in records if (record.principal in own) is not is_own]
    right = [record for record in records if (record.principal in own) is is_own]
    if any(record.history.seen_at_s for record in right):
        return 0
    return sum(1 for record in left if record.history.seen_at_s or record.is_vouched)
