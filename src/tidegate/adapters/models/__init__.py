"""Model files: where they come from, where they are kept, and whether they are what was promised."""

from tidegate.adapters.models.cache import Manifest
from tidegate.adapters.models.library import ListedModel, ModelLibrary

__all__ = ["ListedModel", "Manifest", "ModelLibrary"]
