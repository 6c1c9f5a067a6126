"""Users, their API keys, and their conversations with encrypted contents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "records_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade(op: Operations) -> None:
    """Create the first tables."""
    op.create_table(
        "users",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password_hash", sa.String(512), nullable=True),
        sa.Column("created_at_s", sa.Double(), nullable=False),
        sa.Column("member_since_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("label", sa.String(32), nullable=False),
        sa.Column("scopes", sa.String(255), nullable=False),
        sa.Column("created_at_s", sa.Double(), nullable=False),
        sa.Column("last_used_at_s", sa.Double(), nullable=True),
        sa.Column("revoked_at_s", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name="fk_api_keys_owner_users", ondelete="CASCADE"),
    )
    op.create_index("ix_api_keys_owner", "api_keys", ["owner"])
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("title", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_s", sa.Double(), nullable=False),
        sa.Column("updated_at_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sa.UniqueConstraint("id", "owner", name="uq_conversations_id_owner"),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name="fk_conversations_owner_users", ondelete="CASCADE"),
    )
    op.create_index("ix_conversations_owner_updated_at_s", "conversations", ["owner", "updated_at_s"])
    _create_messages(op)


def _create_messages(op: Operations) -> None:
    op.create_table(
        "messages",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("conversation", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("parent", sa.String(40), nullable=True),
        sa.Column("author", sa.String(16), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("reasoning", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_messages"),
        sa.UniqueConstraint("id", name="uq_messages_id"),
        sa.UniqueConstraint("id", "conversation", name="uq_messages_id_conversation"),
        sa.ForeignKeyConstraint(
            ["conversation", "owner"],
            ["conversations.id", "conversations.owner"],
            name="fk_messages_conversation_owner_conversations",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["parent", "conversation"],
            ["messages.id", "messages.conversation"],
            name="fk_messages_parent_conversation_messages",
        ),
    )
    op.create_index("ix_messages_conversation_parent", "messages", ["conversation", "parent"])
