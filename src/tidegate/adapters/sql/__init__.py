"""Records in SQLite or PostgreSQL, through one set of tables."""
