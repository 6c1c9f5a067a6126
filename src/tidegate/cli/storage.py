"""What verbs say when what is kept cannot be reached or read."""

from __future__ import annotations

from typing import Final, NoReturn

from tidegate.cli.output import NOT_SO, WRONG_USAGE, refuse
from tidegate.ports.conversations import UnreadableContentError
from tidegate.ports.storage import StorageSettingError, StorageUnavailableError

STORAGE_FAULTS: Final = (StorageUnavailableError, UnreadableContentError)


def refuse_storage(error: Exception) -> NoReturn:
    """Say what is wrong and end: with 2 when a setting is wrong, otherwise with 1."""
    refuse(str(error), WRONG_USAGE if isinstance(error, StorageSettingError) else NOT_SO)
