"""What `tidegate serve` asks of its options and its directory, and what it says, up to where the engine begins."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import msgspec
import pytest

from tests.certificates import DAY, NOW, make
from tests.cli.verbs import Verb, sentence
from tidegate.adapters.disk import DataDir, SecretsError
from tidegate.app.audience import Audience
from tidegate.app.serve import Listeners, ServePlan
from tidegate.core.models.catalogue import CATALOGUE
from tidegate.ports.conversations import UnreadableContentError
from tidegate.ports.engine import ModelCard
from tidegate.ports.storage import StorageSettingError, StorageUnavailableError


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[ServePlan]:
    """What would be served: everything up to the engine is real, and then it says that it is ready."""
    plans: list[ServePlan] = []

    async def run(plan: ServePlan, listeners: Listeners, audience: Audience) -> None:
        for listener in (listeners.public, listeners.status, listeners.operator):
            listener.close()
        plans.append(plan)
        audience.ready(0.1, "/setup/c0de")

    monkeypatch.setattr("tidegate.app.serve.run", run)
    monkeypatch.setattr("tidegate.app.serve.Listeners.urls", lambda *_, **__: ("http://a", "http://b", "http://c"))
    monkeypatch.setenv("TIDEGATE_MODELS", str(tmp_path / "models"))
    (tmp_path / "own.gguf").write_bytes(b"GGUF" + b"weights")
    return plans


_ANY_PORTS = ("--port", "0", "--status-port", "0", "--operator-port", "0")


def _model(plan: ServePlan) -> ModelCard:
    assert plan.model is not None, "the embedded engine runs"
    return plan.model


def test_a_model_is_served_under_the_names_that_were_chosen(
    verb: Verb, served: list[ServePlan], tmp_path: Path
) -> None:
    own = str(tmp_path / "own.gguf")
    said = verb("serve", *_ANY_PORTS, "--model", own, "--alias", "mine", "--alias", "gpt-4o")
    assert said.code == 0, said.err
    (plan,) = served
    assert plan.settings.engine.aliases == ("mine", "gpt-4o")


def test_a_better_model_is_suggested_for_the_ports_that_this_start_was_given(
    verb: Verb, served: list[ServePlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("serve", *_ANY_PORTS[:2], "--operator-port", "0", "--model", str(tmp_path / "own.gguf"))
    assert verb(*arguments, TIDEGATE_SERVER_STATUS_PORT="0").code == 0
    demonstration = msgspec.structs.replace(CATALOGUE[0], id=_model(served[0]).id, is_demonstration=True)
    monkeypatch.setattr("tidegate.core.models.catalogue.CATALOGUE", (demonstration, *CATALOGUE[1:]))
    said = verb(*arguments, TIDEGATE_SERVER_STATUS_PORT="0", TIDEGATE_DATA=str(tmp_path / "another"))
    suggested = [line for line in said.out.splitlines() if "serve --model" in line]
    assert suggested
    assert all(line.endswith(" --port 0 --operator-port 0") for line in suggested), "the environment says the rest"


@pytest.mark.parametrize(("context_tokens", "is_warned"), [("4096", False), ("4097", True)])
def test_more_context_than_the_model_was_made_for_is_warned_of(
    verb: Verb,
    served: list[ServePlan],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    context_tokens: str,
    is_warned: bool,
) -> None:
    arguments = ("serve", *_ANY_PORTS, "--model", str(tmp_path / "own.gguf"))
    assert verb(*arguments).code == 0
    known = msgspec.structs.replace(CATALOGUE[1], id=_model(served[0]).id, context_tokens=4096)
    monkeypatch.setattr("tidegate.core.models.catalogue.CATALOGUE", (known,))
    said = verb(*arguments, TIDEGATE_ENGINE_CONTEXT_TOKENS=context_tokens)
    assert said.code == 0, said.err
    assert ("more than this model was made for" in said.out) is is_warned
    assert (f"engine.context_tokens = {context_tokens}" in said.out) is is_warned


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StorageUnavailableError("the database at h:1 cannot be used"), 1),
        (StorageSettingError("database_url: no support"), 2),
        (UnreadableContentError("user keys: this key-encryption key opens none of them"), 1),
        (SecretsError("secrets/kek is missing"), 2),
    ],
)
def test_a_service_that_cannot_open_what_is_kept_ends_with_itssentence(
    verb: Verb, served: list[ServePlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    async def run(_plan: ServePlan, listeners: Listeners, _audience: Audience) -> None:
        for listener in (listeners.public, listeners.status, listeners.operator):
            listener.close()
        raise error

    monkeypatch.setattr("tidegate.app.serve.run", run)
    assert sentence(verb("serve", *_ANY_PORTS, "--model", str(tmp_path / "own.gguf")), code).strip() == str(error)
    assert served == []


def test_a_service_waits_for_a_verb_that_holds_the_directory_for_a_moment(verb: Verb, data: Path) -> None:
    """Without the wait the refusal would be about the lock; with it, it is about the next thing that is wrong."""
    held, ended = threading.Event(), threading.Event()

    def hold() -> None:
        with DataDir.open(data).lock():
            held.set()
            ended.wait(0.3)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = verb("serve", "--port", port, "--status-port", "0", "--operator-port", "0")
    ended.set()
    holder.join()
    assert f"cannot listen on 127.0.0.1:{port}" in sentence(said, 2)


def test_the_link_that_makes_the_first_operator_is_shown_to_whoever_starts_the_service(
    verb: Verb, served: list[ServePlan], tmp_path: Path
) -> None:
    said = verb("serve", *_ANY_PORTS, "--model", str(tmp_path / "own.gguf"))
    assert len(served) == 1
    assert "http://a/setup/c0de" in said.out


@pytest.mark.parametrize(
    ("reach", "is_warned"),
    [
        (("--host", "127.0.0.1"), False),
        (("--host", "0.0.0.0", "--allow-plain-http"), True),
        (("--host", "0.0.0.0", "--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "::1"), False),
    ],
)
def test_plain_http_for_other_machines_is_warned_of(
    verb: Verb, served: list[ServePlan], tmp_path: Path, reach: tuple[str, ...], is_warned: bool
) -> None:
    said = verb("serve", *_ANY_PORTS, *reach, "--model", str(tmp_path / "own.gguf"))
    assert len(served) == 1
    assert ("plain HTTP" in said.out) is is_warned
    assert served[0].settings.server.trusted_proxies == reach[3::2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "0.0.0.0"), "--host '0.0.0.0': other machines could reach it"),
        (("--trusted-proxy", "0.0.0.0/0"), "--trusted-proxy '0.0.0.0/0': whoever"),
        (("--tls-cert", "a.pem"), "server.tls_key (--tls-key)"),
        (("--tls-key", "a.key"), "server.tls_cert (--tls-cert)"),
        (("--tls-cert", "none.pem", "--tls-key", "none.key"), "none.pem: No such file or directory"),
    ],
)
def test_what_must_not_be_served_stops_the_start_before_anything_is_fetched(
    verb: Verb, served: list[ServePlan], options: tuple[str, ...], said: str
) -> None:
    assert said in sentence(verb("serve", *_ANY_PORTS, *options), 2)
    assert served == []


def test_an_expired_certificate_is_served_and_warned_of(verb: Verb, served: list[ServePlan], tmp_path: Path) -> None:
    cert, key = make(tmp_path, begins=NOW - 3 * DAY, ends=NOW - DAY)
    options = ("--tls-cert", str(cert), "--tls-key", str(key), "--host", "0.0.0.0")
    said = verb("serve", *_ANY_PORTS, *options, "--model", str(tmp_path / "own.gguf"))
    assert said.code == 0
    assert f"Warning: server.tls_cert = {cert}: expired on" in said.err
    assert served[0].certificate is not None
    assert "plain HTTP" not in said.out
