"""Invitations, and who asked to be let in; accounts that were made before this step count as made by an operator."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "records_0006"
down_revision = "records_0004"
branch_labels = None
depends_on = None


def upgrade(op: Operations) -> None:
    """Make the tables, and the column."""
    op.add_column("standings", sa.Column("is_self_made", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "invites",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("made_by", sa.String(40), nullable=True),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("made_at_s", sa.Double(), nullable=False),
        sa.Column("expires_at_s", sa.Double(), nullable=False),
        sa.Column("used_by", sa.String(40), nullable=True),
        sa.Column("used_at_s", sa.Double(), nullable=True),
        sa.Column("revoked_at_s", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_invites"),
        sa.UniqueConstraint("digest", name="uq_invites_digest"),
        sa.ForeignKeyConstraint(["made_by"], ["users.id"], name="fk_invites_made_by_users", ondelete="SET NULL"),
    )
    for name in ("made_by", "used_by", "made_at_s"):
        op.create_index(f"ix_invites_{name}", "invites", [name])
    op.create_table(
        "join_requests",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("box", sa.String(254), nullable=False),
        sa.Column("domain", sa.String(254), nullable=False),
        sa.Column("net", sa.String(16), nullable=True),
        sa.Column("note", sa.String(300), nullable=False),
        sa.Column("asked_at_s", sa.Double(), nullable=False),
        sa.Column("expires_at_s", sa.Double(), nullable=False),
        sa.Column("place", sa.Double(), nullable=False),
        sa.Column("is_refused", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_join_requests"),
        sa.UniqueConstraint("box", "kind", name="uq_join_requests_box_kind"),
    )
    for name in ("domain", "net", "expires_at_s"):
        op.create_index(f"ix_join_requests_{name}", "join_requests", [name])
    op.create_index("ix_join_requests_kind_is_refused_place", "join_requests", ["kind", "is_refused", "place"])
