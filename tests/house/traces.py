"""Traces that a machine leaves in a repository and nobody else can use: its paths, its package sources."""

from __future__ import annotations

import re
from typing import Final

REGISTRIES: Final = frozenset({"pypi.org", "files.pythonhosted.org", "registry.npmjs.org"})

# The word boundary before the slash lets URLs and relative paths pass.
_PATH = re.compile(r"(?<![\w.}\])/-])/(?:work|root|Users|home/(?!\w*user\b|you\b|tidegate\b)\w+)/[\w.]")
_SOURCE = re.compile(
    r"\b(?:extra-)?index-url\b|\bfind-links\b|--index\b|\bindex-strategy\b|\[\[?(?:tool\.uv\.)?index\]"
)
_URL = re.compile(r"\bhttps?://(?:[^/@\s\"']*@)?([^/:\s\"']+)")
_FUNDING = re.compile(r'"funding": (?:\{[^}]*\}|\[[^\]]*\])')
_FILE_URL = re.compile(r"\bfile:/{2,3}\w")


def paths(text: str) -> list[str]:
    """Absolute paths of one machine or person in `text`."""
    return [match.group() for match in _PATH.finditer(text)]


def foreign_hosts(lock: str) -> list[str]:
    """Hosts in a lock file that are not the public registries."""
    # npm copies from each package where its authors take gifts. Nothing is fetched from there.
    hosts = sorted(set(_URL.findall(_FUNDING.sub("", lock))) - REGISTRIES)
    return hosts + _FILE_URL.findall(lock)


def package_sources(settings: str) -> list[str]:
    """Words in a settings or build file that send a package client elsewhere than its public registry."""
    return _SOURCE.findall(settings) + _FILE_URL.findall(settings)
