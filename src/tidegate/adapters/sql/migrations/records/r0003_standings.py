"""What is known of accounts; those who were answered before this step keep the days of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "records_0003"
down_revision = "records_0002"
branch_labels = None
depends_on = None

# As days were counted when this step was written: one for each Unix day with an answer that is still
# kept, 400 at most. Answers over the API were not kept; who had only those begins anew.
_COUNTED = """
    INSERT INTO standings (
      owner, cohort, is_verified, is_vouched, is_born_in_flood, days, last_day, counted_at_s,
      tokens, today_tokens, peak, today_peak
    )
    SELECT m.owner, m.owner, false, false, false,
      CASE WHEN count(DISTINCT CAST(m.created_at_s AS BIGINT) / 86400) > 400 THEN 400
           ELSE count(DISTINCT CAST(m.created_at_s AS BIGINT) / 86400) END,
      max(CAST(m.created_at_s AS BIGINT) / 86400), max(m.created_at_s), 0, 0, 1, 0
    FROM messages AS m WHERE m.author = 'assistant' AND m.created_at_s BETWEEN 0 AND 100000000000
    GROUP BY m.owner
"""


def upgrade(op: Operations) -> None:
    """Make the table, and count what is there."""
    op.create_table(
        "standings",
        sa.Column("owner", sa.String(40), nullable=False),
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
        sa.PrimaryKeyConstraint("owner", name="pk_standings"),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name="fk_standings_owner_users", ondelete="CASCADE"),
    )
    op.execute(_COUNTED)
