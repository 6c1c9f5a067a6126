"""The map is whole whenever it is read, and the memory of who lives where is private and survives what it can."""

from __future__ import annotations

import os
import time
import zlib
from pathlib import Path

import pytest

from tidegate.adapters.firewall.mapfile import MapFirewall, MapForm
from tidegate.adapters.firewall.memory import InhabitedFile
from tidegate.core.firewall.inhabited import Inhabited
from tidegate.ports.firewall import FirewallUnavailableError
from tidegate.testing.firewall import an_element

AT = 1.8e9
ONES = [an_element("203.0.113.7", AT), an_element("2001:db8:1:2::3", AT, 60.5)]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (MapForm.HAPROXY, "2001:db8:1:2::/64 1800000061\n203.0.113.7/32 1800000600\n"),
        (MapForm.NGINX, "2001:db8:1:2::/64 1;\n203.0.113.7/32 1;\n"),
    ],
)
async def test_the_file_says_it_in_the_proxys_own_words_and_the_proxy_may_read_it(
    form: MapForm, text: str, tmp_path: Path
) -> None:
    path = tmp_path / "blocked"
    await MapFirewall(path, form).enforce(ONES, ONES)
    assert path.read_text() == text
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["blocked"]  # noqa: PTH208 - async code may not walk paths


async def test_a_file_that_says_so_already_is_not_touched_and_any_other_is_replaced(tmp_path: Path) -> None:
    """Whoever watches it, to have the proxy read it anew, is not woken for nothing."""
    path = tmp_path / "blocked"
    firewall = MapFirewall(path, MapForm.HAPROXY)
    await firewall.enforce(ONES, ONES)
    before = path.stat()
    await firewall.enforce((), ONES)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    path.write_bytes(b"\xff\xfe")
    await firewall.enforce((), ONES[:1])
    assert path.read_text() == "203.0.113.7/32 1800000600\n"


async def test_where_it_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(FirewallUnavailableError, match="blocked"):
        await MapFirewall(tmp_path / "none" / "blocked", MapForm.NGINX).enforce(ONES, ONES)


async def test_the_memory_comes_back_as_it_was_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "inhabited"
    inhabited = Inhabited(b"k" * 32, AT)
    inhabited.note(b"\xc6\x33\x64\x07", AT)
    kept = inhabited.kept(AT)
    await InhabitedFile(path).write(kept)
    assert InhabitedFile(path).read() == kept
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size < 100_000, "mostly empty, and small"


def test_what_is_not_there_or_broken_is_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "inhabited"
    assert InhabitedFile(path).read() is None
    for content in (b"", b"x" * 100, zlib.compress(b"x" * (8 << 20))):
        path.write_bytes(content)
        assert InhabitedFile(path).read() is None


async def test_a_memory_that_was_cut_short_is_none(tmp_path: Path) -> None:
    path = tmp_path / "inhabited"
    await InhabitedFile(path).write(Inhabited(b"k" * 32, time.time()).kept(time.time()))
    path.write_bytes(path.read_bytes()[:-20])
    assert InhabitedFile(path).read() is None
