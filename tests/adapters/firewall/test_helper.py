"""The helper does one thing within its bounds, for one user, and refuses everything else."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.adapters.firewall import helper
from tidegate.adapters.firewall.helper import LINE_BYTES, LONGEST_S, MOST_PER_MINUTE, Bounds, RefusedError, table

COMMAND = re.compile(
    r"add element inet tidegate "
    r"(?:blocked4 { [0-9.]+|blocked4_24 { [0-9.]+\.0|blocked6_64 { [0-9a-f:]+|blocked6_56 { [0-9a-f:]+)"
    r" timeout [1-9][0-9]{0,4}s }\n\Z"
)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"add 203.0.113.7/32 600", "add element inet tidegate blocked4 { 203.0.113.7 timeout 600s }\n"),
        (b"add 203.0.113.0/24 1", "add element inet tidegate blocked4_24 { 203.0.113.0 timeout 1s }\n"),
        (b"add 2001:db8:1:2::/64 86400", "add element inet tidegate blocked6_64 { 2001:db8:1:2:: timeout 86400s }\n"),
        (b"add 2001:db8:1::/56 60", "add element inet tidegate blocked6_56 { 2001:db8:1:: timeout 60s }\n"),
    ],
)
def test_it_understands_one_sentence(line: bytes, command: str) -> None:
    assert Bounds().command(line) == command
    assert COMMAND.match(command)


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"",
            b"add",
            b"del 203.0.113.7/32 600",
            b"add 203.0.113.7/32",
            b"add 203.0.113.7 600",
            b"ADD 203.0.113.7/32 6",
        ),
        *(
            b"add 203.0.113.7/32 600 ",
            b" add 203.0.113.7/32 600",
            b"add  203.0.113.7/32 600",
            b"add 203.0.113.7/32 600\r",
        ),
        *(b"add 203.0.113.7/32 0", b"add 203.0.113.7/32 86401", b"add 203.0.113.7/32 -1", b"add 203.0.113.7/32 99999"),
        *(b"add 203.0.113.7/24 60", b"add 203.0.0.0/16 60", b"add 0.0.0.0/0 60", b"add 203.0.113.0/25 60"),
        *(b"add 2001:db8::/48 60", b"add ::/0 60", b"add 2001:db8::1/128 60", b"add 2001:db8::/65 60"),
        *(
            b"add 127.0.0.1/32 60",
            b"add 127.0.0.0/24 60",
            b"add 0.0.0.0/32 60",
            b"add 0.1.2.3/32 60",
            b"add 224.0.0.1/32 60",
        ),
        *(
            b"add 255.255.255.255/32 60",
            b"add 169.254.1.1/32 60",
            b"add ::/64 60",
            b"add ::/56 60",
            b"add ff02::/64 60",
        ),
        *(b"add 64:ff9b::/64 60", b"add 64:ff9b::/56 60", b"add 64:ff9b:1:7::/64 60", b"add 2001:0:1:2::/64 60"),
        *(b"add fe80::/64 60", b"add ::ffff:1.2.3.4/128 60", b"add 1.2.3.4;flush ruleset/32 6", b"add 1.2.3/32 60"),
        *(
            b"add {203.0.113.7}/32 60",
            b"add 203.0.113.007/32 60",
            "add 2\u0660.0.0.1/32 60".encode(),
            b"add 1.1.1.1/\xd9\xa3 6",
        ),
    ],
)
def test_it_refuses_whatever_else_it_is_asked(line: bytes) -> None:
    with pytest.raises(RefusedError):
        Bounds().command(line)


_PARTS = st.sampled_from(
    b"add| |  |/|\n|;|{|}|flush ruleset|delete table inet tidegate|0|1|24|32|56|64|600|86400|1.2.3.4|10.0.0.0|"
    b"2001:db8::|::|%lo|timeout|\0".split(b"|")
)


@settings(max_examples=2000)
@given(st.one_of(st.binary(max_size=90), st.lists(_PARTS, max_size=9).map(b"".join)))
def test_no_input_makes_it_say_anything_else_to_nft(line: bytes) -> None:
    try:
        command = Bounds().command(line)
    except RefusedError:
        return
    assert COMMAND.match(command), command


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, LONGEST_S + 5))
def test_no_ipv4_prefix_is_wider_than_a_24_and_none_lasts_longer_than_a_day(
    address: int, bits: int, seconds: int
) -> None:
    network = address >> (32 - bits) << (32 - bits)
    text = ".".join(str(part) for part in network.to_bytes(4, "big"))
    try:
        Bounds().command(f"add {text}/{bits} {seconds}".encode())
    except RefusedError:
        return
    assert bits in {24, 32}
    assert 1 <= seconds <= LONGEST_S
    assert 0 < network >> 24 < 224
    assert network >> 24 != 127


def test_it_takes_so_many_in_a_minute_and_no_more() -> None:
    now = [0.0]
    bounds = Bounds(lambda: now[0])
    for _ in range(MOST_PER_MINUTE):
        bounds.command(b"add 203.0.113.7/32 600")
    with pytest.raises(RefusedError, match="in a minute"):
        bounds.command(b"add 203.0.113.7/32 600")
    now[0] = 60.0
    bounds.command(b"add 203.0.113.7/32 600")


def test_its_table_drops_tcp_to_the_given_ports_only_and_is_made_without_losing_elements() -> None:
    text = table([80, 443])
    assert text.count("tcp dport { 80, 443 } ") == 4 == text.count(" drop\n")
    assert not re.search(r"delete|flush (?!chain)", text)


class Asked:
    """A helper's loop on a socket, for one user."""

    def __init__(self, folder: Path, user_id: int) -> None:
        self.commands: list[str] = []
        self.is_broken = False
        self.path = str(folder / "helper")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve, args=(user_id,), daemon=True)
        self.thread.start()

    def serve(self, user_id: int) -> None:
        try:
            helper.serve(self.listener, user_id, Bounds(), self.run)
        except OSError:
            return  # The listener was closed.

    def run(self, command: str) -> None:
        if self.is_broken:
            raise OSError
        self.commands.append(command)

    def say(self, *pieces: bytes) -> bytes:
        """Everything that comes back for these bytes, to the end of the connection."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(10)
            line.connect(self.path)
            try:
                for piece in pieces:
                    line.sendall(piece)
                line.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # It has hung up already.
            answer = b""
            while more := _received(line):
                answer += more
            return answer


def _received(line: socket.socket) -> bytes:
    try:
        return line.recv(4096)
    except ConnectionError:
        return b""


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    one = Asked(tmp_path, os.getuid())
    yield one
    one.listener.shutdown(socket.SHUT_RDWR)
    one.listener.close()
    one.thread.join(10)
    assert not one.thread.is_alive()


def test_each_line_is_answered_however_it_is_cut_into_pieces(asked: Asked) -> None:
    assert asked.say(b"add 203.0.1", b"13.7/32 60", b"0\nadd 203.0.113.8/32 600\nadd x 1\n") == (
        b"ok\nok\nno: expected: add PREFIX SECONDS\n"
    )
    assert len(asked.commands) == 2


def test_what_nft_fails_at_is_said_and_the_next_line_answered(asked: Asked) -> None:
    asked.is_broken = True
    assert asked.say(b"add 203.0.113.7/32 600\n") == b"no: nft failed\n"
    asked.is_broken = False
    assert asked.say(b"add 203.0.113.7/32 600\n") == b"ok\n"


def test_a_line_without_an_end_is_hung_up_on_and_half_a_line_does_nothing(asked: Asked) -> None:
    assert asked.say(b"a" * (3 * LINE_BYTES)) == b""
    assert asked.say(b"add 203.0.113.7/32 600") == b""
    assert asked.say(b"add 203.0.113.8/32 600\n") == b"ok\n"
    assert len(asked.commands) == 1


def test_a_line_that_never_ends_is_hung_up_on_at_once(asked: Asked) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(helper.PATIENCE_S / 2)
        line.connect(asked.path)
        line.sendall(b"a" * (3 * LINE_BYTES))
        assert _received(line) == b""


def test_a_caller_that_says_nothing_keeps_nobody_waiting_for_long(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(helper, "PATIENCE_S", 1.0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.connect(asked.path)
        assert asked.say(b"add 203.0.113.7/32 600\n") == b"ok\n"


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_no_bytes_end_it(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one = Asked(Path(folder), os.getuid())
        one.say(data)
        assert one.say(b"add 203.0.113.7/32 600\n") == b"ok\n"
        one.listener.shutdown(socket.SHUT_RDWR)
        one.listener.close()
        one.thread.join(10)


def test_another_user_is_hung_up_on(tmp_path: Path) -> None:
    one = Asked(tmp_path, os.getuid() + 1)
    assert one.say(b"add 203.0.113.7/32 600\n") == b""
    assert one.commands == []
    one.listener.shutdown(socket.SHUT_RDWR)
    one.listener.close()
    one.thread.join(10)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--user", "nobody-by-this-name", "--port", "443"), "there is no such user"),
        (("--user", "root", "--port", "0"), "--port"),
        (("--user", "root"), "--port"),
        (("--user", "root", "--port", "443", "--nft", "/bin/false"), "the table could not be made"),
        (("--user", "root", "--port", "443", "--nft", "/no/nft"), "the table could not be made"),
    ],
)
def test_what_it_cannot_begin_with_is_said_in_a_sentence(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tidegate.adapters.firewall.helper", *arguments, "--socket", str(tmp_path / "s")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "s").exists()


def test_it_is_made_of_the_standard_library_alone() -> None:
    """It is to be read before it is trusted with the kernel."""
    asked = "import sys, tidegate.adapters.firewall.helper; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=30, check=True)
    foreign = {name for name in done.stdout.split() if name not in sys.stdlib_module_names}
    assert not foreign & {"msgspec", "aiohttp", "starlette", "cryptography", "yarl"}
