"""The map is whole whenever it is read, and the memory of who lives where is private and survives what it can."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import zlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tidegate.adapters.firewall.mapfile import MapFirewall, MapForm
from tidegate.adapters.firewall.memory import InhabitedFile
from tidegate.adapters.firewall.whole import WholeFile
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
    path.write_text("198.51.100.0/24 1;\n\n")
    await firewall.enforce((), ONES[:1])
    assert path.read_text() == "203.0.113.7/32 1800000600\n", "what it wrote in the other form is its own, too"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"10.0.0.0/8 office\n", b"# ours\n", b"SQLite format 3\0"])
@pytest.mark.parametrize("form", MapForm)
async def test_a_file_that_holds_anything_else_is_left_alone(form: MapForm, content: bytes, tmp_path: Path) -> None:
    """A name given by mistake must not cost somebody a list kept by hand, or worse."""
    path = tmp_path / "blocked"
    path.write_bytes(content)
    with pytest.raises(FirewallUnavailableError, match="not written by"):
        await MapFirewall(path, form).enforce(ONES, ONES)
    assert path.read_bytes() == content


async def test_nothing_is_written_through_a_link_that_stands_in_the_way(tmp_path: Path) -> None:
    """Where others may write in the folder, they could have the service write elsewhere."""
    path, precious = tmp_path / "blocked", tmp_path / "precious"
    precious.write_text("kept")
    (tmp_path / ".blocked.new").symlink_to(precious)
    await MapFirewall(path, MapForm.NGINX).enforce(ONES, ONES)
    (tmp_path / ".inhabited.new").symlink_to(precious)
    await InhabitedFile(tmp_path / "inhabited").write(Inhabited(b"k" * 32, AT).kept(AT))
    assert precious.read_text() == "kept"
    assert path.read_text().count("\n") == 2
    assert InhabitedFile(tmp_path / "inhabited").read() is not None


class Stalled:
    """The first replacement of a file stops before its end, until it is let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.let, self.over = threading.Event(), threading.Event(), threading.Event()
        real = Path.replace

        def replace(beside: Path, path: Path) -> Path:
            is_first = not self.reached.is_set()
            if is_first:
                self.reached.set()
                assert self.let.wait(10)
            try:
                return real(beside, path)
            finally:
                if is_first:
                    self.over.set()

        monkeypatch.setattr(Path, "replace", replace)

    async def stop(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin it, and stop waiting for it."""
        task = asyncio.ensure_future(work)
        await asyncio.to_thread(self.reached.wait, 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_was_asked_last_stands_at_the_end_though_a_write_before_it_was_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop of the service empties the map: nobody would end what stays there."""
    path, stalled = tmp_path / "blocked", Stalled(monkeypatch)
    path.touch()
    firewall = MapFirewall(path, MapForm.NGINX)
    await stalled.stop(firewall.enforce(ONES, ONES))
    last = asyncio.ensure_future(firewall.enforce((), ()))
    await asyncio.sleep(0)
    stalled.let.set()
    await last
    assert await asyncio.to_thread(stalled.over.wait, 10)
    assert path.read_text() == ""


async def test_a_write_that_comes_too_late_is_not_made(tmp_path: Path) -> None:
    """Threads begin in no order."""
    whole = WholeFile(tmp_path / "one", 0o600)
    first, second = whole.turn(), whole.turn()
    whole.write(b"second", second)
    whole.write(b"first", first)
    assert (tmp_path / "one").read_bytes() == b"second"


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
