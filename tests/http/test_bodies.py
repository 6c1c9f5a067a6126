"""Bodies that are too deep, too large or not what they say do no harm."""

from __future__ import annotations

import json

import pytest

from tests.http.conftest import CHAT, CHAT_PATH, MAX_BODY_BYTES, Service
from tidegate.http import bodies
from tidegate.http.openai.requests import ChatRequest

NESTED = ["[" * n + "]" * n for n in (10, 1000, 100_000)] + ['{"a":' * n + "1" + "}" * n for n in (1000, 100_000)]
FIELDS = sorted({*ChatRequest.__struct_fields__, "metadata", "user"})


@pytest.mark.parametrize("field", FIELDS)
async def test_depth_in_any_field_does_no_harm(service: Service, field: str) -> None:
    for nested in NESTED:
        raw = json.dumps({**CHAT, field: "@"}).replace('"@"', nested).encode()
        visit = await service.ask("POST", CHAT_PATH, raw)
        assert visit.status in {200, 400}, (visit.body, nested[:20])


@pytest.mark.parametrize(
    "form",
    [
        '"chat_template_kwargs": {"a": @}',
        '"tools": [{"type": "function", "function": {"name": "t", "parameters": {"a": @}}}]',
        '"response_format": {"type": "json_schema", "json_schema": {"a": @}}',
    ],
)
async def test_depth_that_can_just_be_decoded_does_no_harm_later(service: Service, form: str) -> None:
    """Between what is refused as too deep and what is harmless there must be no depth that breaks something else."""
    head = json.dumps(CHAT)[:-1]

    async def status(depth: int) -> int:
        raw = f"{head}, {form.replace('@', '[' * depth + ']' * depth)}}}".encode()
        return (await service.ask("POST", CHAT_PATH, raw)).status

    low, high = 1, 3000
    assert (await status(low), await status(high)) == (200, 400)
    while high - low > 1:
        middle = (low + high) // 2
        found = await status(middle)
        assert found in {200, 400}
        low, high = (middle, high) if found == 200 else (low, middle)
    for depth in range(low - 15, low + 15):
        assert await status(depth) in {200, 400}, depth


async def test_a_huge_whole_number_where_any_value_goes_does_no_harm(service: Service) -> None:
    for digits in (30, 300, 4000):
        visit = await service.chat(chat_template_kwargs={"a": 10**digits}, seed=10**digits)
        assert visit.status in {200, 400}


async def test_a_body_that_says_it_is_too_large_is_refused_unread_when_the_caller_asks_first(service: Service) -> None:
    headers = {"content-length": str(MAX_BODY_BYTES + 1), "expect": "100-continue"}
    visit = service.visit("POST", CHAT_PATH, b"", headers=headers)

    await visit.ask()

    assert (visit.status, visit.error["code"], visit.error["param"]) == (413, "body_too_large", "body")
    assert visit.headers["connection"] == "close"
    assert visit.unread() == 1


@pytest.mark.parametrize("headers", [{}, {"content-length": str(20 << 20)}], ids=["undeclared", "declared"])
async def test_a_body_that_is_too_large_may_be_written_to_its_end_so_that_the_refusal_is_read(
    service: Service, headers: dict[str, str]
) -> None:
    visit = service.visit("POST", CHAT_PATH, [b" " * (1 << 20)] * 20, headers=headers)

    await visit.ask()

    assert (visit.status, visit.error["code"], visit.error["param"]) == (413, "body_too_large", "body")
    assert visit.unread() == 0
    assert "connection" not in visit.headers


async def test_a_body_without_end_is_not_read_without_end(service: Service) -> None:
    visit = service.visit("POST", CHAT_PATH, [b" " * (1 << 20)] * 60)

    await visit.ask()

    assert (visit.status, visit.error["code"]) == (413, "body_too_large")
    assert visit.headers["connection"] == "close"
    assert visit.unread() > 20


async def test_a_body_that_does_not_end_is_not_waited_for_without_end(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_DISCARDING_S", 0.01)
    headers = {"content-length": str(MAX_BODY_BYTES + 1)}
    visit = service.visit("POST", CHAT_PATH, b"a", headers=headers, is_body_whole=False)

    await visit.ask()

    assert (visit.status, visit.error["code"]) == (413, "body_too_large")
    assert visit.headers["connection"] == "close"


async def test_whoever_leaves_while_too_large_a_body_is_written_is_gone(service: Service) -> None:
    headers = {"content-length": str(MAX_BODY_BYTES + 1)}
    visit = service.visit("POST", CHAT_PATH, b"a", headers=headers, is_body_whole=False)
    visit.leave()

    await visit.ask()

    assert (visit.status, service.finished().reason) == (0, "client_left")


async def test_a_body_of_exactly_the_limit_is_read(service: Service) -> None:
    raw = json.dumps(CHAT).encode().ljust(MAX_BODY_BYTES)

    visit = await service.ask("POST", CHAT_PATH, raw, headers={"content-length": str(len(raw))})

    assert visit.status != 413
    assert service.finished().bytes_in == MAX_BODY_BYTES


@pytest.mark.parametrize(("path", "field"), [(CHAT_PATH, "messages"), ("/v1/completions", "prompt")])
async def test_what_cannot_fit_the_model_is_refused_without_asking_the_engine(
    service: Service, path: str, field: str
) -> None:
    """Counting the tokens of a long text costs the engine more than in proportion."""
    body = {"model": "tide-1", "messages": [{"role": "user", "content": "Hi"}], "prompt": "Hi"}
    raw = json.dumps(body).encode().ljust(4096 * 32 + 65536 + 1)

    visit = await service.ask("POST", path, raw)

    assert visit.status == 400
    assert (visit.error["code"], visit.error["param"]) == ("context_length_exceeded", field)
    assert not service.engine.calls


@pytest.mark.parametrize("length", ["", "-1", "1e3", "²", "0" * 30 + "5", "9" * 400])
async def test_an_odd_content_length_breaks_nothing(service: Service, length: str) -> None:
    visit = await service.ask("POST", CHAT_PATH, CHAT, headers={"content-length": length})

    assert visit.status in {200, 413}


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "gzip, identity"])
async def test_a_compressed_body_is_refused_unread(service: Service, encoding: str) -> None:
    """A few bytes of gzip can be gigabytes of text."""
    visit = service.visit("POST", CHAT_PATH, b"\x1f\x8b\x08", headers={"content-encoding": encoding})

    await visit.ask()

    assert (visit.status, visit.error["code"], visit.error["param"]) == (400, "unsupported_value", "content-encoding")
    assert visit.unread() == 1


async def test_an_identity_encoding_is_none(service: Service) -> None:
    visit = await service.ask("POST", CHAT_PATH, CHAT, headers={"content-encoding": "Identity"})

    assert visit.status == 200
