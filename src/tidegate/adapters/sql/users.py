"""The rows of users that other tables hang on: read as values, and held while what they own changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from tidegate.adapters.sql.tables import users
from tidegate.core.accounts import Role, User
from tidegate.core.identifiers import UserId
from tidegate.ports.accounts import PasswordChangedError

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

USER_COLUMNS: Final = (users.c.id, users.c.email, users.c.role, users.c.created_at_s, users.c.member_since_s)
OWNER_COLUMNS: Final = tuple(column.label(f"user_{column.name}") for column in USER_COLUMNS)
"""The same beside the columns of what the user owns: `user_of(row, "user_")`."""


def user_of(row: Row[*tuple[Any, ...]], prefix: str = "") -> User:
    """The user in a row that has USER_COLUMNS, or OWNER_COLUMNS with their prefix."""
    columns = row._mapping  # noqa: SLF001 - SQLAlchemy's documented access by name
    return User(
        id=UserId(columns[f"{prefix}id"]),
        email=columns[f"{prefix}email"],
        role=Role(columns[f"{prefix}role"]),
        created_at_s=columns[f"{prefix}created_at_s"],
        member_since_s=columns[f"{prefix}member_since_s"],
    )


async def hold(connection: AsyncConnection, owner: UserId) -> bool:
    """Let nobody else change what `owner` has until this transaction ends. False when there is no such user.

    SQLite has one writer anyway. On PostgreSQL every transaction that counts
    what an owner has takes this first, so that they neither miss each other's
    rows nor wait for each other in a ring.
    """
    query = select(users.c.id).where(users.c.id == owner).with_for_update(key_share=True)
    return await connection.scalar(query) is not None


async def require_hash(connection: AsyncConnection, owner: UserId, verified: str | None) -> None:
    """Raise PasswordChangedError unless `verified` is None or the hash that `owner` has, who is held already."""
    if verified is None:
        return
    # A statement of its own: it sees what was committed while `hold` waited.
    if await connection.scalar(select(users.c.password_hash).where(users.c.id == owner)) != verified:
        raise PasswordChangedError
