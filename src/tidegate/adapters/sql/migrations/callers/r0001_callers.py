"""What a gate knows of its callers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "callers_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade(op: Operations) -> None:
    """Make the table of callers."""
    op.create_table(
        "callers",
        sa.Column("principal", sa.String(40), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created_at_s", sa.Double(), nullable=False),
        sa.Column("member_since_s", sa.Double(), nullable=False),
        sa.Column("cohort", sa.String(40), nullable=False),
        sa.Column("is_verified", sa.Boolean(), nullable=False),
        sa.Column("is_vouched", sa.Boolean(), nullable=False),
        sa.Column("is_born_in_flood", sa.Boolean(), nullable=False),
        sa.Column("suspect_until_s", sa.Double(), nullable=True),
        sa.Column("days", sa.Double(), nullable=False),
        sa.Column("last_day", sa.Integer(), nullable=False),
        sa.Column("counted_at_s", sa.Double(), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        sa.Column("today_tokens", sa.Double(), nullable=False),
        sa.Column("peak", sa.Double(), nullable=False),
        sa.Column("today_peak", sa.Integer(), nullable=False),
        sa.Column("fades_at_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("principal", name="pk_callers"),
    )
    op.create_index("ix_callers_is_vouched_fades_at_s", "callers", ["is_vouched", "fades_at_s"])
