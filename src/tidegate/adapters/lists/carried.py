"""Reads what the package carries: disposable domains and how names are written. tools/ has what makes them."""

from __future__ import annotations

from importlib.resources import files

import msgspec

from tidegate.core.registration.disposable import DisposableList
from tidegate.core.registration.names import NameModel


def disposable_list() -> DisposableList:
    """The list of domains that hand out addresses for minutes."""
    return msgspec.json.decode(_read("disposable.json"), type=DisposableList)


def name_model() -> NameModel:
    """How people's names are written."""
    return msgspec.json.decode(_read("letters.json"), type=NameModel)


def _read(name: str) -> bytes:
    return files("tidegate.adapters.lists").joinpath(name).read_bytes()
