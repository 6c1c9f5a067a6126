"""A database's failure as one sentence for the operator: what could not be used, why, and what to do.

Drivers speak in tracebacks, and their texts may carry the URL with its
password. What is repeated here is the driver's own reason, and of the URL only
the path, or host and port.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tidegate.ports.storage import StorageUnavailableError

_POSTGRES_PORT = 5432

_SQLITE_FIXES = (
    ("full", "free some space on its disk"),
    ("not a database", "restore a backup"),
    ("malformed", "restore a backup"),
    ("locked", "end the other program that writes to it"),
)
_SQLITE_FIX = "make the file and its folder readable and writable for this user"


@contextmanager
def told_in_a_sentence(url: str, *, while_opening: bool = False) -> Iterator[None]:
    """Turn what drivers raise into StorageUnavailableError about the database at `url`.

    Once it is open, what only a mistake in this program can cause goes on as it
    is, and so do errors of files and sockets: they may be anybody's.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise _unavailable(url, "all its connections are busy") from error
    except DBAPIError as error:
        if isinstance(error, (IntegrityError, ProgrammingError, DataError)) and not while_opening:
            raise
        raise _unavailable(url, _reason(error)) from error
    except OSError as error:
        if not while_opening:
            raise
        raise _unavailable(url, _reason(error)) from error
    except _postgres_errors() as error:
        raise _unavailable(url, _reason(error)) from error


def _postgres_errors() -> tuple[type[Exception], ...]:
    # Errors of connecting come from the driver itself; whoever uses SQLite has not loaded it.
    driver = sys.modules.get("asyncpg")
    return () if driver is None else (driver.PostgresError, driver.InterfaceError)


def _reason(error: Exception) -> str:
    if isinstance(error, DBAPIError) and error.orig is not None:
        text = str(error.orig)
    elif isinstance(error, OSError):
        # Resolving a name fails with numbers of its own, below zero.
        is_known = error.errno is not None and error.errno > 0
        text = os.strerror(error.errno or 0) if is_known else error.strerror or str(error) or "it does not answer"
    else:
        text = str(error)
    first = text.strip().partition("\n")[0].rstrip(".")
    # Some drivers put the name of their class before what they say.
    return first.rpartition(">: ")[2]


def _unavailable(url: str, reason: str) -> StorageUnavailableError:
    try:
        parsed = make_url(url)
    except ArgumentError:  # pragma: no cover - such a URL is refused before anything is opened
        return StorageUnavailableError(f"the database cannot be used ({reason}): check database_url")
    if parsed.get_backend_name() == "sqlite":
        fix = next((fix for word, fix in _SQLITE_FIXES if word in reason), _SQLITE_FIX)
        return StorageUnavailableError(f"the database {parsed.database} cannot be used ({reason}): {fix}")
    # A Unix socket's folder stands behind the question mark.
    place = parsed.query.get("host") or f"{parsed.host or 'localhost'}:{parsed.port or _POSTGRES_PORT}"
    return StorageUnavailableError(
        f"the database at {place} cannot be used ({reason}): see that it runs and that database_url is right"
    )
