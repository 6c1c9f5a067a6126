"""A key opens what its scopes say; everybody else gets the same answer, whatever they tried."""

from __future__ import annotations

from zlib import crc32

import msgspec
import pytest

from tests.http.conftest import CHAT, CHAT_PATH, Service, fingerprint
from tidegate.core import credentials
from tidegate.core.accounts import ApiKey, Scope
from tidegate.core.credentials import Kind, ServerKeys
from tidegate.core.identifiers import KeyId

DOORS = [("GET", "/v1/models"), ("GET", "/models/tide-1"), ("POST", CHAT_PATH), ("POST", "/beta/completions")]
SOMEBODY = b"\7" * 8


def _key(service: Service, kind: Kind = Kind.API_KEY, entropy: bytes = b"f" * 16) -> str:
    user = next(iter(service.accounts._users))
    return credentials.issue(kind, user, service.keys, now=1e9, entropy=entropy)


async def _bad_keys(service: Service) -> dict[str, str]:
    revoked = await service.clerk.create_key("ana@example.org")
    await service.clerk.revoke_key("ana@example.org", revoked.key.id)
    user = next(iter(service.accounts._users))
    forged = credentials.issue(Kind.API_KEY, user, ServerKeys(1, {1: b"x" * 32}), now=1e9, entropy=b"f" * 16)
    assert crc32(b"") == 0  # The forgery's checksum is right: it was written by the same code.
    return {
        "junk": "sk-proj-0123456789",
        "revoked": revoked.text,
        "forged": forged,
        "never kept": _key(service),
        "session": _key(service, Kind.SESSION),
        "mistyped": service.key[:-1] + ("0" if service.key[-1] != "0" else "1"),
        "not ascii": "clé",
        "spaces": "a b c",
    }


@pytest.mark.parametrize(("method", "path"), DOORS)
async def test_every_bad_key_gets_one_and_the_same_answer(service: Service, method: str, path: str) -> None:
    answers = {}
    for name, key in (await _bad_keys(service)).items():
        visit = await service.ask(method, path, CHAT, key=key)
        assert visit.status == 401, name
        visit.headers.pop("x-request-id")
        answers[name] = (visit.body, tuple(sorted(visit.headers.items())))

    assert len(set(answers.values())) == 1
    assert service.engine.calls == []


async def test_the_answer_to_a_bad_key_is_what_clients_know(service: Service) -> None:
    visit = await service.ask("POST", CHAT_PATH, CHAT, key="sk-wrong")

    assert visit.error["code"] == "invalid_api_key"
    assert visit.error["type"] == "invalid_request_error"
    assert visit.error["param"] is None
    assert "sk-wrong" not in visit.body.decode()
    assert visit.headers["www-authenticate"] == 'Bearer realm="tidegate"'
    assert visit.headers["connection"] == "close"
    assert visit.unread() == 1, "the body of a stranger was read"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Token x", "bearer"])
async def test_without_a_key_it_is_said_how_to_send_one(service: Service, header: str) -> None:
    visit = await service.ask("GET", "/v1/models", headers={"authorization": header})

    assert (visit.status, visit.error["code"]) == (401, "invalid_api_key")
    assert "Authorization: Bearer" in visit.error["message"]


async def test_how_the_header_is_written_does_not_matter(service: Service) -> None:
    for header in (f"bearer {service.key}", f"BEARER   {service.key}  "):
        assert (await service.ask("GET", "/v1/models", headers={"authorization": header})).status == 200


async def test_forgeries_ask_no_store(service: Service) -> None:
    bad = await _bad_keys(service)
    service.accounts.calls.clear()

    for name in ("junk", "forged", "session", "mistyped", "not ascii"):
        await service.ask("GET", "/v1/models", key=bad[name])

    assert service.accounts.calls.total() == 0


@pytest.mark.parametrize(
    ("held", "refused"), [(Scope.MODELS, ("POST", CHAT_PATH)), (Scope.CHAT, ("GET", "/v1/models"))]
)
async def test_a_key_does_only_what_its_scopes_allow(service: Service, held: Scope, refused: tuple[str, str]) -> None:
    user = next(iter(service.accounts._users))
    text = _key(service)
    key = ApiKey(id=KeyId.of(SOMEBODY), owner=user, name="", label="", scopes=frozenset({held}), created_at_s=1.0)
    await service.accounts.add_key(user, key, credentials.digest(text))

    visit = await service.ask(*refused, CHAT, key=text)

    missing = Scope.CHAT if held is Scope.MODELS else Scope.MODELS
    assert (visit.status, visit.error["code"]) == (403, "missing_scope")
    assert f"'{missing}'" in visit.error["message"]
    assert service.finished().key == fingerprint(key.id), "whose key it was is known and written down"
    allowed = ("GET", "/v1/models") if held is Scope.MODELS else ("POST", CHAT_PATH)
    assert (await service.ask(*allowed, CHAT, key=text)).status == 200


async def test_the_last_use_of_a_key_is_remembered_to_the_minute(service: Service) -> None:
    async def last_used_at_s() -> float | None:
        await service.finish_later()
        return (await service.clerk.keys("ana@example.org"))[0].last_used_at_s

    begun = service.clock.now
    await service.ask("GET", "/v1/models")
    assert await last_used_at_s() == begun
    service.clock.advance(59.0)
    await service.ask("GET", "/v1/models")
    assert await last_used_at_s() == begun
    service.clock.advance(1.0)
    await service.ask("GET", "/v1/models")
    assert await last_used_at_s() == begun + 60.0
    assert service.accounts.calls["note_key_use"] == 2


async def test_what_is_for_everybody_needs_no_key(service: Service) -> None:
    for path in ("/", "/icon.svg", "/openapi.json", "/healthz", "/readyz"):
        assert (await service.ask("GET", path, headers={"authorization": ""})).status == 200


async def test_a_caller_is_written_down_by_fingerprint_only(service: Service) -> None:
    await service.chat()

    user = next(iter(service.accounts._users))
    assert service.finished().acct == fingerprint(user)
    written = msgspec.json.encode(service.journal.events, enc_hook=str).decode()
    for secret in (service.key, service.key[8:40], user, "ana@example.org", "203.0.113", "Hello"):
        assert secret not in written
