"""The data directory: its layout and lock, the secrets in it, and its backups."""

from __future__ import annotations

from tidegate.adapters.disk.backup import write_backup
from tidegate.adapters.disk.datadir import DataDir, DataDirError, DataDirLocked
from tidegate.adapters.disk.manifest import BackupError
from tidegate.adapters.disk.restore import Restored, read_backup
from tidegate.adapters.disk.secrets import Secrets, SecretsError, load_or_create_secrets

__all__ = [
    "BackupError",
    "DataDir",
    "DataDirError",
    "DataDirLocked",
    "Restored",
    "Secrets",
    "SecretsError",
    "load_or_create_secrets",
    "read_backup",
    "write_backup",
]
