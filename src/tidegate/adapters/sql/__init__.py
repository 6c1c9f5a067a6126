"""Records in SQLite or PostgreSQL, through one set of tables."""

from __future__ import annotations

from tidegate.adapters.sql.callers import CallerStore, open_callers
from tidegate.adapters.sql.schema import DatabaseTooNewError
from tidegate.adapters.sql.store import SqlStore, open_store

__all__ = ["CallerStore", "DatabaseTooNewError", "SqlStore", "open_callers", "open_store"]
