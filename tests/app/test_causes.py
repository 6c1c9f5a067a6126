"""Why a server does not answer is told in words, and what may be wrong with its address."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.certificates import make
from tidegate.adapters.engines.servers import Server, ServerPlan
from tidegate.adapters.engines.upstream import UnreachableError
from tidegate.app.causes import in_words


async def _told(scheme: str, port: int) -> str:
    url = f"{scheme}://127.0.0.1:{port}"
    server = Server(ServerPlan(url=url, models=frozenset()))
    try:
        with pytest.raises(UnreachableError) as error:
            await server.fetch("/v1/models", 5.0, 1000)
    finally:
        await server.retire()
    return in_words(error.value.kind, url)


async def _answer_nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"-ERR unknown command\r\n")
    await writer.drain()
    writer.close()


async def test_plain_http_to_a_server_of_tls_and_the_other_way_round_are_told_apart(tmp_path: Path) -> None:
    made = make(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.cert, made.key)
    plain = await asyncio.start_server(_answer_nonsense, "127.0.0.1", 0)
    with_tls = await asyncio.start_server(_answer_nonsense, "127.0.0.1", 0, ssl=context)
    async with plain, with_tls:
        assert await _told("https", plain.sockets[0].getsockname()[1]) == (
            "it does not speak TLS: http:// instead of https://?"
        )
        assert (await _told("http", with_tls.sockets[0].getsockname()[1])).endswith("https:// instead of http://?")
        assert await _told("https", with_tls.sockets[0].getsockname()[1]) == "its certificate is not trusted"
    assert await _told("http", 9) == "nothing listens there"


def test_what_is_not_known_stays_as_it_is_and_no_scheme_is_guessed_without_an_address() -> None:
    assert in_words("SomeNewError", "https://a") == "SomeNewError"
    assert in_words("") == "no answer"
    assert in_words("TimeoutError") == "silent"
    assert in_words("TimeoutError", "http://a") == "silent"
    assert in_words("TimeoutError", "https://a") == "silent: http:// instead of https://?"
    assert in_words("BrokenOffError", "https://a") == "it closes connections"
