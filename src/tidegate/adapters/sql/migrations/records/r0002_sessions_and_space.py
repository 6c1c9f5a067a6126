"""Sessions, how answers ended, and how much space conversations and their owners take up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "records_0002"
down_revision = "records_0001"
branch_labels = None
depends_on = None

# As it was counted when this step was written: sealed text, and 512 bytes for each row.
_COUNTED = (
    """
    UPDATE conversations SET stored_bytes = length(title) + 512
      + (SELECT coalesce(sum(length(m.content) + length(m.reasoning) + 512), 0)
         FROM messages AS m WHERE m.conversation = conversations.id)
    """,
    """
    UPDATE users SET stored_bytes =
      (SELECT coalesce(sum(c.stored_bytes), 0) FROM conversations AS c WHERE c.owner = users.id)
    """,
)


def upgrade(op: Operations) -> None:
    """Make the table of sessions, add the columns, and count what is there."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at_s", sa.Double(), nullable=False),
        sa.Column("expires_at_s", sa.Double(), nullable=False),
        sa.Column("last_seen_at_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name="fk_sessions_owner_users", ondelete="CASCADE"),
    )
    op.create_index("ix_sessions_owner", "sessions", ["owner"])
    op.add_column("messages", sa.Column("reasoning_s", sa.Double(), nullable=True))
    op.add_column("messages", sa.Column("ending", sa.String(16), nullable=True))
    op.create_index(
        "ix_messages_conversation_created_at_s_sequence",
        "messages",
        ["conversation", "created_at_s", "sequence"],
    )
    for name in ("conversations", "users"):
        op.add_column(name, sa.Column("stored_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    for counted in _COUNTED:
        op.execute(counted)
