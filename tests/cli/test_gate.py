"""What `tidegate gate` asks of its options and settings: what is wrong is said in the words that were typed."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest

from tests.cli.verbs import Verb, sentence
from tidegate.adapters.disk import DataDir
from tidegate.adapters.sql.callers import open_callers
from tidegate.app.audience import ServeAudience
from tidegate.app.gate import GateListeners, GateRun
from tidegate.config.engines import root_of
from tidegate.core.identifiers import UserId
from tidegate.core.standing.record import Record, StandingPlan

ONE = "http://127.0.0.1:8000"
PORTS = ("--port", "0", "--operator-port", "0")


@pytest.fixture
def gates(monkeypatch: pytest.MonkeyPatch) -> list[GateRun]:
    """What would run: everything up to the first request is real, and then the gate says that it is open."""
    plans: list[GateRun] = []

    async def run_gate(plan: GateRun, listeners: GateListeners, audience: ServeAudience) -> None:
        plans.append(plan)
        audience.ready(0.1, None)
        listeners.public.close()
        listeners.operator.close()

    monkeypatch.setattr("tidegate.app.gate.run_gate", run_gate)
    return plans


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--upstream", "127.0.0.1:8000"), "--upstream '127.0.0.1:8000': expected http:// or https:// and a host"),
        (("--upstream", "http://me:pw@a"), "--upstream: holds a name or password; put the key into a variable"),
        (("--upstream", f"{ONE}/v1/models"), f"--upstream '{ONE}/v1/models': name the server, not one of its"),
        (("--upstream", "http://a:99999"), "--upstream: no address; expected http://HOST:PORT"),
        (("--upstream", ""), "--upstream: expected the address of a server, such as http://127.0.0.1:8000"),
        (
            ("--upstream", ONE, "--upstream", f"{ONE}/v1"),
            f"--upstream '{ONE}': names the same server as --upstream; name each server once",
        ),
        (
            ("--upstream", ONE, "--upstream-key-env", "NOT_THERE"),
            "--upstream-key-env 'NOT_THERE': no environment variable of this name is set; put the server's key into it",
        ),
        (
            ("--upstream", ONE, "--upstream-key-env", "EMPTY"),
            "--upstream-key-env 'EMPTY': this environment variable is empty; put",
        ),
        (
            ("--upstream", ONE, "--upstream-key-env", "sk-987654321"),
            "--upstream-key-env: expected the name of an environment variable, in capitals such as UPSTREAM_KEY",
        ),
        (("--upstream", ONE, "--port", "70000"), "--port 70000: expected a whole number from 0 to 65535"),
        (("--upstream", ONE, "--host", "0.0.0.0"), "--host '0.0.0.0': other machines could reach it"),
        (("--upstream", ONE, "--trusted-proxy", "a.example"), "--trusted-proxy 'a.example': not an address or a net"),
        (("--upstream", ONE, "--tls-cert", "/a.pem"), "--tls-cert '/a.pem': its key is missing; set server.tls_key"),
        (("--upstream", ONE, "--host", "192.0.2.1", "--allow-plain-http"), "--host: cannot listen on 192.0.2.1:8080"),
        ((), "--upstream: which server shall be protected? Name it, as in --upstream http://127.0.0.1:8000"),
        (("--upstream-key-env", "KEY"), "--upstream-key-env: of which server? Name it with --upstream URL"),
    ],
)
def test_what_is_wrong_with_an_option_names_the_option(
    verb: Verb, gates: list[GateRun], arguments: tuple[str, ...], said: str
) -> None:
    told = sentence(verb("gate", *arguments, EMPTY=""), 2)

    assert told.startswith(said)
    assert "987654321" not in told
    assert "engines[" not in told
    assert gates == []


def test_what_is_wrong_with_the_file_names_the_setting(verb: Verb, tmp_path: Path) -> None:
    config = tmp_path / "tidegate.toml"
    config.write_text('[[engines]]\nurl = "127.0.0.1:8000"\n')

    assert sentence(verb("gate", "--config", str(config)), 2).startswith("engines[0].url = '127.0.0.1:8000': expected")


def test_a_port_that_is_taken_names_the_option_that_chose_it(verb: Verb) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = sentence(verb("gate", "--upstream", ONE, "--port", port, "--operator-port", "0"), 2)

    assert said.startswith(f"--port: cannot listen on 127.0.0.1:{port}")


@pytest.mark.parametrize("is_in_the_environment", [False, True])
def test_servers_that_the_settings_name_are_not_exchanged_for_others_without_a_word(
    verb: Verb, gates: list[GateRun], tmp_path: Path, is_in_the_environment: bool
) -> None:
    """Whose keys count could change with them."""
    config = tmp_path / "tidegate.toml"
    config.write_text('[[engines]]\nurl = "http://b:1/v1"\nkey_env = "THEIRS"\n')
    given = (
        {"TIDEGATE_ENGINES": '[{url = "http://b:1"}]'} if is_in_the_environment else {"TIDEGATE_CONFIG": str(config)}
    )

    said = sentence(verb("gate", "--upstream", ONE, *PORTS, **given), 2)

    assert said.startswith("--upstream: the settings name servers already, as [[engines]] (http://b:1); name all of")
    assert gates == []


def test_servers_come_from_the_options_or_from_the_settings(verb: Verb, gates: list[GateRun], tmp_path: Path) -> None:
    config = tmp_path / "tidegate.toml"
    config.write_text('[[engines]]\nurl = "http://b:1/v1"\n')

    assert verb("gate", "--upstream", ONE, *PORTS).code == 0
    assert verb("gate", "--config", str(config), *PORTS).code == 0
    assert [root_of(engine.url) for plan in gates for engine in plan.settings.engines] == [ONE, "http://b:1"]


def test_settings_that_are_read_again_are_those_of_the_options_too(
    verb: Verb, gates: list[GateRun], tmp_path: Path
) -> None:
    config = tmp_path / "tidegate.toml"
    config.write_text("[gate]\naddress_rate = 5\n")
    assert verb("gate", "--upstream", ONE, "--config", str(config), *PORTS).code == 0
    config.write_text("[gate]\naddress_rate = 6\n")

    read = gates[0].read_settings()

    assert (read.gate.address_rate, read.engines[0].url, read.server.port) == (6.0, ONE, 0)
    assert not read.engine.enabled


def _served(data: Path, principal: UserId) -> None:
    """Let the gate have served a caller."""

    async def write() -> None:
        async with open_callers(DataDir.open(data).callers_url) as store:
            record = Record.of_caller(principal, 1_795_000_000.0)
            await store.save([record.with_served(100.0, 1, 1_795_000_000.0, StandingPlan())])

    asyncio.run(write())


def test_whom_a_gate_knows_by_keys_that_count_no_more_is_said_until_the_change_is_made(
    verb: Verb, gates: list[GateRun], data: Path
) -> None:
    """What was learned of a caller is learned of a key: with another kind of keys everybody begins anew."""
    passed, own = ("gate", "--upstream", ONE, *PORTS), {"TIDEGATE_PASSING_KEYS": "own"}
    assert "count no more" not in verb(*passed, **own).out
    verb("callers", "vouch", "--key-stdin", typed="sk-ana")
    _served(data, UserId.of(b"somebody"))

    assert "known here by" not in verb(*passed).out
    told = verb(*passed, **own).out
    assert "2 callers are known here by keys of the server's, which count no more" in told
    assert "callers create --name NAME" in told
    assert "callers vouch PRINCIPAL" in told

    made = json.loads(verb("callers", "create", "--json").out)
    assert "2 callers are known" in verb(*passed, **own).out, "nobody shows the new key yet"
    _served(data, UserId(made["principal"]))
    assert "known here by" not in verb(*passed, **own).out
    assert len(gates) == 5


def test_the_other_way_round_it_is_said_too(verb: Verb, data: Path, gates: list[GateRun]) -> None:
    made = json.loads(verb("callers", "create", "--json").out)
    _served(data, UserId(made["principal"]))

    told = verb("gate", "--upstream", ONE, *PORTS).out
    assert "1 caller is known here by keys of the gate's own, which are passed on now as any other" in told
    assert len(gates) == 1
