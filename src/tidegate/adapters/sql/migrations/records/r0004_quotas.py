"""What people and keys may use, and what they have used; of what was used before this step nothing is known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "records_0004"
down_revision = "records_0003"
branch_labels = None
depends_on = None


def upgrade(op: Operations) -> None:
    """Make the table."""
    op.create_table(
        "quotas",
        sa.Column("payer", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("per_minute", sa.BigInteger(), nullable=True),
        sa.Column("per_hour", sa.BigInteger(), nullable=True),
        sa.Column("per_day", sa.BigInteger(), nullable=True),
        sa.Column("per_month", sa.BigInteger(), nullable=True),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("minute_tokens", sa.BigInteger(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("hour_tokens", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("day_tokens", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.BigInteger(), nullable=False),
        sa.Column("month_tokens", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("payer", name="pk_quotas"),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name="fk_quotas_owner_users", ondelete="CASCADE"),
    )
    op.create_index("ix_quotas_owner", "quotas", ["owner"])
