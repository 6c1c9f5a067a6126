"""One wrapped data key per user."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "user_keys_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade(op: Operations) -> None:
    """Create the table of wrapped keys."""
    op.create_table(
        "user_keys",
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name="pk_user_keys"),
    )
