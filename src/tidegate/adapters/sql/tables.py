"""The tables, as the newest migrations leave them.

Three schemas, because they live and die apart: `records` holds what people have,
`user_keys` holds what makes it readable. Destroying a row of the second makes
the first's ciphertext worthless, in every copy of it. `callers` is what a gate
before another server knows of those who call it; nobody has an account there.

Every type here exists on SQLite and PostgreSQL alike. Times are Unix seconds.
What people wrote is bytes (ciphertext), never text.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    false,
)

# Every constraint has a name, so that a later migration can drop it by name on both databases.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

records = MetaData(naming_convention=NAMING)
user_keys_schema = MetaData(naming_convention=NAMING)
callers_schema = MetaData(naming_convention=NAMING)

users = Table(
    "users",
    records,
    Column("id", String(40), primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(512)),
    Column("created_at_s", Double, nullable=False),
    Column("member_since_s", Double, nullable=False),
    # What the user's conversations take up: moved by every write to them, in the same transaction.
    Column("stored_bytes", BigInteger, nullable=False, server_default="0"),
)

api_keys = Table(
    "api_keys",
    records,
    Column("id", String(40), primary_key=True),
    Column("owner", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("label", String(32), nullable=False),
    Column("scopes", String(255), nullable=False),
    Column("created_at_s", Double, nullable=False),
    Column("last_used_at_s", Double),
    Column("revoked_at_s", Double),
)

sessions = Table(
    "sessions",
    records,
    Column("id", String(40), primary_key=True),
    Column("owner", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("created_at_s", Double, nullable=False),
    Column("expires_at_s", Double, nullable=False),
    Column("last_seen_at_s", Double, nullable=False),
)

# Written by whoever serves, in batches; a user without a row is one of whom nothing is known yet.
standings = Table(
    "standings",
    records,
    Column("owner", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("cohort", String(40), nullable=False),
    Column("is_verified", Boolean, nullable=False),
    Column("is_vouched", Boolean, nullable=False),
    Column("is_born_in_flood", Boolean, nullable=False),
    Column("is_self_made", Boolean, nullable=False, server_default=false()),
    Column("suspect_until_s", Double),
    # A history, as of its own moments: what is left of it depends on when it is asked.
    Column("days", Double, nullable=False),
    Column("last_day", Integer, nullable=False),
    Column("counted_at_s", Double, nullable=False),
    Column("tokens", Double, nullable=False),
    Column("today_tokens", Double, nullable=False),
    Column("peak", Double, nullable=False),
    Column("today_peak", Integer, nullable=False),
)

# A payer is a user or a key. Limits are set by operators, use is written by whoever serves, in batches:
# the number of the last window of each kind, and the tokens of what began in it.
quotas = Table(
    "quotas",
    records,
    Column("payer", String(40), primary_key=True),
    Column("owner", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("per_minute", BigInteger),
    Column("per_hour", BigInteger),
    Column("per_day", BigInteger),
    Column("per_month", BigInteger),
    Column("minute", BigInteger, nullable=False),
    Column("minute_tokens", BigInteger, nullable=False),
    Column("hour", BigInteger, nullable=False),
    Column("hour_tokens", BigInteger, nullable=False),
    Column("day", BigInteger, nullable=False),
    Column("day_tokens", BigInteger, nullable=False),
    Column("month", BigInteger, nullable=False),
    Column("month_tokens", BigInteger, nullable=False),
)

# `used_by` stands before the account does, and is nobody's if that was never made: no foreign key.
invites = Table(
    "invites",
    records,
    Column("id", String(40), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("made_by", ForeignKey("users.id", ondelete="SET NULL"), index=True),
    Column("email", String(254)),
    Column("made_at_s", Double, nullable=False),
    Column("expires_at_s", Double, nullable=False),
    Column("used_by", String(40), index=True),
    Column("used_at_s", Double),
    Column("revoked_at_s", Double),
    Index("ix_invites_made_at_s", "made_at_s"),
)

# Whoever asked to be let in. `box` is the address as `canonical` has it.
join_requests = Table(
    "join_requests",
    records,
    Column("id", String(40), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("email", String(254), nullable=False),
    Column("box", String(254), nullable=False),
    Column("domain", String(254), nullable=False, index=True),
    Column("net", String(16), index=True),
    Column("note", String(300), nullable=False),
    Column("asked_at_s", Double, nullable=False),
    Column("expires_at_s", Double, nullable=False, index=True),
    Column("place", Double, nullable=False),
    Column("is_refused", Boolean, nullable=False),
    UniqueConstraint("box", "kind"),
    Index("ix_join_requests_kind_is_refused_place", "kind", "is_refused", "place"),
)

conversations = Table(
    "conversations",
    records,
    Column("id", String(40), primary_key=True),
    Column("owner", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("title", LargeBinary, nullable=False),
    Column("created_at_s", Double, nullable=False),
    Column("updated_at_s", Double, nullable=False),
    # What it takes up with its messages: a part of what its owner's do, and moved together with that.
    Column("stored_bytes", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("id", "owner"),
    Index("ix_conversations_owner_updated_at_s", "owner", "updated_at_s"),
)

messages = Table(
    "messages",
    records,
    # The order of arrival; the clock alone cannot order messages written in the same instant.
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("conversation", String(40), nullable=False),
    Column("owner", String(40), nullable=False),
    Column("parent", String(40)),
    Column("author", String(16), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("reasoning", LargeBinary, nullable=False),
    Column("created_at_s", Double, nullable=False),
    Column("reasoning_s", Double),
    Column("ending", String(16)),
    UniqueConstraint("id", "conversation"),
    # The database itself refuses a message whose owner is not its conversation's.
    ForeignKeyConstraint(
        ["conversation", "owner"],
        ["conversations.id", "conversations.owner"],
        ondelete="CASCADE",
    ),
    # Without CASCADE on purpose: it would recurse once per generation, and SQLite
    # gives up at 1000. The conversation's own cascade takes the whole tree at once.
    ForeignKeyConstraint(["parent", "conversation"], ["messages.id", "messages.conversation"]),
    Index("ix_messages_conversation_parent", "conversation", "parent"),
    # A conversation in its order, from either end.
    Index("ix_messages_conversation_created_at_s_sequence", "conversation", "created_at_s", "sequence"),
)

user_keys = Table(
    "user_keys",
    user_keys_schema,
    Column("owner", String(40), primary_key=True),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("created_at_s", Double, nullable=False),
)

# As `standings`, with all that a user's row says there.
callers = Table(
    "callers",
    callers_schema,
    Column("principal", String(40), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("created_at_s", Double, nullable=False),
    Column("member_since_s", Double, nullable=False),
    Column("cohort", String(40), nullable=False),
    Column("is_verified", Boolean, nullable=False),
    Column("is_vouched", Boolean, nullable=False),
    Column("is_born_in_flood", Boolean, nullable=False),
    Column("suspect_until_s", Double),
    Column("days", Double, nullable=False),
    Column("last_day", Integer, nullable=False),
    Column("counted_at_s", Double, nullable=False),
    Column("tokens", Double, nullable=False),
    Column("today_tokens", Double, nullable=False),
    Column("peak", Double, nullable=False),
    Column("today_peak", Integer, nullable=False),
    # Made of the history, for the question whom there is no room for: asked with every write, over all rows.
    Column("fades_at_s", Double, nullable=False),
    Index("ix_callers_is_vouched_fades_at_s", "is_vouched", "fades_at_s"),
)

# Keys of a gate's own that count. Whose record was forgotten in `callers` keeps the key.
issued_keys = Table(
    "issued_keys",
    callers_schema,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("principal", String(40), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("issued_at_s", Double, nullable=False),
)
