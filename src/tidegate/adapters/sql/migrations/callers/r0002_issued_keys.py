"""Keys of a gate's own, for callers of servers that know only the gate's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "callers_0002"
down_revision = "callers_0001"
branch_labels = None
depends_on = None


def upgrade(op: Operations) -> None:
    """Make the table of keys."""
    op.create_table(
        "issued_keys",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("principal", sa.String(40), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("issued_at_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_issued_keys"),
    )
    op.create_index("ix_issued_keys_principal", "issued_keys", ["principal"])
