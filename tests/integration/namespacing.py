"""A network of its own for a test: a namespace with addresses that stand for the world's, and nothing outside."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.running import until

HOST, BOT, STUDENT = "10.9.0.1", "10.9.0.66", "10.9.1.5"
BOT6, STUDENT6, HOST6 = "fd00:9:0:66::1", "fd00:9:1:5::1", "fd00:9::1"
_ADDRESSES = (f"{HOST}/32", f"{BOT}/32", f"{STUDENT}/32", f"{BOT6}/128", f"{STUDENT6}/128", f"{HOST6}/128")
_PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
UNIT = Path(__file__).parents[2] / "deploy" / "firewall" / "tidegate-firewall.service"

_ASK = """
import socket, sys
source, host, port, patience = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
try:
    socket.create_connection((host, port), timeout=patience, source_address=(source, 0)).close()
except TimeoutError:
    sys.exit("no answer")
"""

_LISTEN = """
import socket, sys
listeners = [socket.create_server((host, int(port)), family=family) for port in sys.argv[1:]
             for host, family in (("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6))]
print("listening", flush=True)
sys.stdin.read()
"""


def program(name: str) -> str:
    """Where it is; without it the test is skipped."""
    found = shutil.which(name, path=_PLACES)
    if found is None:
        pytest.skip(f"No {name} here. On Debian and Ubuntu: sudo apt install nftables iproute2 util-linux")
    return found


class Namespace:
    """Runs programs in a network namespace that lasts as long as its holder."""

    def __init__(self, holder: int) -> None:
        self.holder = holder
        own = [] if os.geteuid() == 0 else ["-U", "--preserve-credentials"]
        self.enter = [program("nsenter"), "-t", str(holder), "-n", *own]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.enter, *command], capture_output=True, text=True, timeout=30, check=check)

    def answers(self, source: str, host: str, port: int, patience_s: float = 0.7) -> bool:
        """Whether a connection comes about; a SYN that is dropped gets no answer at all."""
        done = self.run(sys.executable, "-c", _ASK, source, host, str(port), str(patience_s), check=False)
        assert done.returncode == 0 or "no answer" in done.stderr, done.stderr
        return done.returncode == 0

    def accepts(self, host: str, port: int) -> bool:
        """Whether anybody listens there."""
        asked = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()"
        return self.run(sys.executable, "-c", asked, host, str(port), check=False).returncode == 0

    @contextmanager
    def world(self, *addresses: str) -> Iterator[Namespace]:
        """Another namespace beyond a cable, which has these addresses; this one has HOST at its end."""
        if os.geteuid() != 0:
            pytest.skip("Two namespaces are joined by root only.")
        ip = program("ip")
        with holding() as other:
            pid = str(other.holder)
            self.run(ip, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", pid)
            for one in (self, other):
                one.run(ip, "link", "set", "lo", "up")
                one.run(ip, "link", "set", "cable", "up")
            self.run(ip, "address", "replace", f"{HOST}/32", "dev", "cable")
            other.run(ip, "route", "add", f"{HOST}/32", "dev", "cable")
            for address in addresses:
                other.run(ip, "address", "add", f"{address}/32", "dev", "cable")
                self.run(ip, "route", "add", f"{address}/32", "dev", "cable")
            yield other

    @contextmanager
    def listening(self, *ports: int) -> Iterator[None]:
        """Somebody who accepts connections at these ports."""
        command = [*self.enter, sys.executable, "-c", _LISTEN, *map(str, ports)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "listening\n"
            yield
            process.communicate(timeout=20)

    @contextmanager
    def helper(self, folder: Path, port: int) -> Iterator[Path]:
        """The helper as the unit starts it, with the one right that the unit gives it."""
        path = folder / "helper.sock"
        started = re.search(r"^ExecStart=\S+ (-I .*)--user tidegate --port 443$", UNIT.read_text("utf-8"), re.MULTILINE)
        assert started is not None
        # Isolated, it would not find a tree that is not installed.
        words = [word for word in shlex.split(started[1]) if word != "-I"]
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        rights = [program("setpriv"), "--bounding-set=-all,+net_admin", "--inh-caps=-all,+net_admin"]
        command = [*self.enter, *(rights if os.geteuid() == 0 else []), sys.executable, *words]
        command += ["--user", "root" if os.geteuid() else user, "--port", str(port), "--socket", str(path)]
        command += ["--nft", program("nft")]
        with (folder / "helper.log").open("ab") as log:
            process = subprocess.Popen(command, stderr=log)
        try:
            until(lambda: path.is_socket() or process.poll() is not None, 20, "the helper listens")
            assert process.poll() is None, (folder / "helper.log").read_text()
            yield path
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def holding() -> Iterator[Namespace]:
    """A namespace with nothing in it; without the right to make one the test is skipped."""
    own: Sequence[str] = () if os.geteuid() == 0 else ("-r",)
    command = [program("unshare"), *own, "-n", "sh", "-c", "echo made; read _"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"made\n":
            assert holder.stderr is not None
            pytest.skip(f"No network namespace here: {holder.stderr.read().decode().strip()}")
        one = Namespace(holder.pid)
        probed = one.run(program("nft"), "add", "table", "inet", "probe", check=False)
        if probed.returncode != 0:
            pytest.skip(textwrap.shorten(f"nft may not be used here: {probed.stderr}", 200))
        one.run(program("nft"), "delete", "table", "inet", "probe")
        yield one
        holder.communicate(b"\n", timeout=20)


@contextmanager
def namespace() -> Iterator[Namespace]:
    """One with all the addresses above on its loopback device."""
    with holding() as one:
        ip = program("ip")
        one.run(ip, "link", "set", "lo", "up")
        for address in _ADDRESSES:
            one.run(ip, "address", "add", address, "dev", "lo", *(("nodad",) if ":" in address else ()))
        yield one
