"""Opening both databases together, ready for use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from tidegate.adapters.sql.accounts import SqlAccountStore
from tidegate.adapters.sql.conversations import SqlConversationStore
from tidegate.adapters.sql.database import Keeping, open_database
from tidegate.adapters.sql.faults import told_in_a_sentence
from tidegate.adapters.sql.invitations import SqlInvitationStore
from tidegate.adapters.sql.join_requests import SqlJoinRequestStore
from tidegate.adapters.sql.quotas import SqlQuotaStore
from tidegate.adapters.sql.schema import RECORDS, USER_KEYS, migrate
from tidegate.adapters.sql.standing import SqlStandingStore
from tidegate.adapters.sql.vault import UserKeyVault


class SqlStore(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is kept in SQL."""

    accounts: SqlAccountStore
    conversations: SqlConversationStore
    standings: SqlStandingStore
    quotas: SqlQuotaStore
    invitations: SqlInvitationStore
    join_requests: SqlJoinRequestStore


@asynccontextmanager
async def open_store(
    database_url: str,
    keys_url: str,
    kek: bytes,
    *,
    quota_bytes: int = 256_000_000,
) -> AsyncIterator[SqlStore]:
    """Open (making or migrating as needed) the records at `database_url` and the user keys at `keys_url`.

    Both take sqlite:///PATH or postgresql://…, and on PostgreSQL may be the
    same. `kek` is the key-encryption key, 32 bytes; `quota_bytes` is the space that
    each account's conversations may take up. Raises StorageUnavailableError
    (so does the store, for a database that fails while it is used), ValueError for a bad
    key, DatabaseTooNewError, and UnreadableContentError when `kek` is not the one
    that the stored user keys were wrapped with.
    """
    with told_in_a_sentence(database_url, while_opening=True):
        records = open_database(database_url)
    try:
        with told_in_a_sentence(database_url, while_opening=True):
            await migrate(records, RECORDS)
        with told_in_a_sentence(keys_url, while_opening=True):
            user_keys = open_database(keys_url, Keeping.SECRETS)
        try:
            vault = UserKeyVault(user_keys, kek)
            with told_in_a_sentence(keys_url, while_opening=True):
                await migrate(user_keys, USER_KEYS)
                await vault.check()
            yield SqlStore(
                accounts=SqlAccountStore(records),
                conversations=SqlConversationStore(records, vault, quota_bytes=quota_bytes),
                standings=SqlStandingStore(records),
                quotas=SqlQuotaStore(records),
                invitations=SqlInvitationStore(records),
                join_requests=SqlJoinRequestStore(records),
            )
        finally:
            await user_keys.close()
    finally:
        await records.close()
