"""Settings: read once at the edge, into frozen values. Nothing else reads files or the environment."""

from tidegate.config.load import SettingsError, load_data_dir, load_settings
from tidegate.config.settings import Settings

__all__ = ["Settings", "SettingsError", "load_data_dir", "load_settings"]
