"""What can go wrong with the place where everything is kept."""

from __future__ import annotations


class StorageUnavailableError(Exception):
    """A database cannot be reached, opened or written, now or at all.

    Raised when stores are opened, and by every call of them. The text is one
    sentence with the fix, for the operator, and never a password.
    """


class StorageSettingError(StorageUnavailableError, ValueError):
    """The database's URL is not one that can be used. The text says what is wrong, and never repeats the URL."""
