"""In a real kernel: who is handed over gets no answer any more, others do, and after the end everybody does."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.namespacing import BOT, BOT6, HOST, HOST6, STUDENT, STUDENT6, Namespace, namespace, program
from tests.integration.running import until

pytestmark = pytest.mark.integration
PORT, OTHER_PORT = 8443, 9443


@pytest.fixture
def net() -> Iterator[Namespace]:
    with namespace() as one, one.listening(PORT, OTHER_PORT):
        yield one


def say(path: Path, *lines: str) -> list[str]:
    """What the helper answers to each line."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(20)
        line.connect(str(path))
        with line.makefile("rw", newline="\n") as file:
            answers = []
            for one in lines:
                file.write(f"{one}\n")
                file.flush()
                answers.append(file.readline().strip())
            return answers


def test_who_is_added_gets_no_answer_at_the_ports_that_are_named_until_it_ends(net: Namespace, tmp_path: Path) -> None:
    with net.helper(tmp_path, PORT) as helper:
        assert net.answers(BOT, HOST, PORT)
        assert net.answers(BOT6, HOST6, PORT)
        assert say(helper, f"add {BOT}/32 12", "add fd00:9:0:66::/64 12") == ["ok", "ok"]
        assert not net.answers(BOT, HOST, PORT)
        assert not net.answers(BOT6, HOST6, PORT)
        assert net.answers(STUDENT, HOST, PORT)
        assert net.answers(STUDENT6, HOST6, PORT)
        assert net.answers(BOT, HOST, OTHER_PORT), "only the ports that are named"
        until(lambda: net.answers(BOT, HOST, PORT), 30, "it ends by the kernel's clock")
        until(lambda: net.answers(BOT6, HOST6, PORT), 30, "it ends by the kernel's clock")


def test_a_network_is_kept_out_with_all_in_it_and_nobody_beside_it(net: Namespace, tmp_path: Path) -> None:
    with net.helper(tmp_path, PORT) as helper:
        assert say(helper, "add 10.9.0.0/24 600", f"add {BOT}/32 600", "add fd00:9::/56 600") == ["ok"] * 3
        assert not net.answers(BOT, HOST, PORT)
        assert not net.answers(BOT6, HOST6, PORT)
        assert net.answers(STUDENT, HOST, PORT)
        assert net.answers(STUDENT6, HOST6, PORT)


def test_what_it_refuses_changes_nothing_in_the_kernel(net: Namespace, tmp_path: Path) -> None:
    with net.helper(tmp_path, PORT) as helper:
        before = net.run(program("nft"), "list", "table", "inet", "tidegate").stdout
        for line in ("add 0.0.0.0/0 60", "add 10.9.0.0/16 60", f"delete {BOT}/32 60", "flush ruleset", "add ::/0 60"):
            assert say(helper, line)[0].startswith("no: ")
        assert net.run(program("nft"), "list", "table", "inet", "tidegate").stdout == before


def test_a_table_that_somebody_has_removed_is_made_again(net: Namespace, tmp_path: Path) -> None:
    """A distribution's own unit empties all of the kernel's rules when it is reloaded."""
    with net.helper(tmp_path, PORT) as helper:
        net.run(program("nft"), "flush", "ruleset")
        assert net.answers(BOT, HOST, PORT)
        assert say(helper, f"add {BOT}/32 600", "add 10.9.1.0/24 600") == ["ok"] * 2
        assert not net.answers(BOT, HOST, PORT)
        assert not net.answers(STUDENT, HOST, PORT), "the first is not lost by the second"


def test_elements_outlive_the_helper_and_its_next_start(net: Namespace, tmp_path: Path) -> None:
    with net.helper(tmp_path, PORT) as helper:
        say(helper, f"add {BOT}/32 600")
    assert not net.answers(BOT, HOST, PORT)
    (tmp_path / "helper.sock").unlink(missing_ok=True)
    with net.helper(tmp_path, PORT) as helper:
        assert not net.answers(BOT, HOST, PORT)
        assert say(helper, f"add {BOT}/32 600") == ["ok"]
        shown = net.run(program("nft"), "list", "chain", "inet", "tidegate", "input").stdout
        assert shown.count("drop") == 4, "its rules stand once"
