"""What of the server behind can be reached, and no other way to write it."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.http.proxying import Gateway
from tests.http.wire import talk
from tidegate.core.admission.facts import Lane
from tidegate.http.proxy.addresses import Addresses, is_plain

CLOSED = [
    *("/", "/slots", "/slots/0?action=save", "/props", "/metrics", "/lora-adapters", "/health", "/completion"),
    *("/infill", "/tokenize", "/detokenize", "/apply-template"),
    *("/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/server_info", "/version", "/reset_prefix_cache"),
    *("/sleep", "/wake_up", "/start_profile", "/collective_rpc", "/pause", "/scale_elastic_ep", "/load", "/ping"),
    *("/invocations", "/flush_cache", "/update_weights_from_disk", "/get_model_info", "/shutdown", "/generate"),
    *("/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete", "/api/ps", "/api/blobs/sha256:00"),
    *(
        "/v1/files",
        "/v1/batches",
        "/v1/fine_tuning/jobs",
        "/v1/assistants",
        "/docs",
        "/openapi.json",
        "/sdapi/v1/txt2img",
    ),
]
OTHERWISE = [
    *("/v1//chat/completions", "//v1/chat/completions", "/v1/chat/completions/", "/V1/chat/completions"),
    *("/v1/./chat/completions", "/v1/x/../chat/completions", "/v1/chat%2fcompletions", "/v1/chat/completion%73"),
    *("/v1/chat/completions;a=b", "/v1/chat\\completions", "/v1/chat/completions%00", "/v1/chat/completions%20"),
    *("/v1/models/../../slots", "/v1/models/%2e%2e/%2e%2e/slots", "/v1/models/..", "/v1/models/..;/slots"),
    *("/v1/models//slots", "/v1/models/%2e%2e%2fslots", "/v1/models/x%0d%0ay", "/models/.%2e/slots"),
]


@pytest.mark.parametrize("path", [*CLOSED, *OTHERWISE])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH"])
async def test_what_is_not_listed_is_not_passed_on(path: str, method: str) -> None:
    gateway = Gateway()
    answered = await gateway.ask({}, path, method=method)
    assert answered.status in {404, 405}
    assert answered.error["code"] in {"route_not_found", "method_not_allowed"}
    assert gateway.fake.asks == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/chat/completions?a=b&c=%2e%2e"),
        ("POST", "/chat/completions"),
        ("POST", "/v1/messages"),
        ("POST", "/api/chat"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/meta-llama/Llama-3.1:8b"),
        ("HEAD", "/v1/models"),
        ("GET", "/api/tags?x"),
    ],
)
async def test_what_is_listed_is_passed_on_with_its_query_as_it_is(method: str, path: str) -> None:
    gateway = Gateway()
    assert (await gateway.ask({}, path, method=method)).status == 200
    (ask,) = gateway.fake.asks
    assert (ask.method, ask.target) == (method, path)
    assert ask.is_answer is (method == "POST")
    gateway.assert_all_free()


async def test_a_wrong_method_is_told_the_right_one() -> None:
    gateway = Gateway()
    for method, path, allowed in (("GET", "/v1/chat/completions", "POST"), ("POST", "/v1/models", "GET")):
        answered = await gateway.ask({}, path, method=method)
        assert (answered.status, answered.headers["allow"]) == (405, allowed)


async def test_an_operator_may_list_more_and_that_is_all_that_opens() -> None:
    gateway = Gateway(more=("/api/v1/", "/tokenize"))
    for method, path in (("POST", "/tokenize"), ("GET", "/api/v1/a/b"), ("DELETE", "/api/v1/a")):
        assert (await gateway.ask({}, path, method=method)).status == 200
    for path in ("/api/v1/../slots", "/api/v1/%2e%2e/slots", "/api/v1", "/slots", "/api/v1//x"):
        assert (await gateway.ask({}, path)).status in {404, 405}
    assert len(gateway.fake.asks) == 3


@pytest.mark.parametrize(
    "url",
    [
        b"http://gate.example/v1/chat/completions",
        b"http://gate.example/v1/chat/completions?x",
        b"/v1/chat/completions#/metrics",
        b"/v1/chat/completions#?x",
        b"HTTP://gate.example:80/v1/chat/completions#x",
    ],
)
async def test_the_gate_judges_an_address_as_the_application_reads_it(url: bytes) -> None:
    """A whole URL or a fragment is no way past the gate: there a key that was turned down is a stranger's page."""
    gateway = Gateway()
    assert gateway.addresses.find(b"POST", url).lane is Lane.INFERENCE
    principal = gateway.keys.principal(((b"authorization", b"Bearer stolen"),))
    assert principal is not None
    gateway.gate.note_dead(principal.entropy, gateway.clock())
    head = b" HTTP/1.1\r\nhost: gate.example\r\nauthorization: Bearer stolen\r\nconnection: close\r\n"
    async with gateway.listening() as port:
        said = await talk(port, b"POST " + url + head + b"content-length: 2\r\n\r\n{}")
    assert said.startswith(b"HTTP/1.1 401 ")
    assert gateway.fake.asks == []


@given(st.binary(max_size=30), st.sampled_from([b"GET", b"POST"]))
def test_gate_and_application_never_differ_on_an_address(end: bytes, method: bytes) -> None:
    addresses = Addresses(("/api/v1/",))
    for start in (b"", b"/v1/models", b"/v1/chat/completions", b"http://h", b"/api/v1/"):
        url = start + end
        entry = addresses.find(method, url)
        try:
            path = httptools.parse_url(url).path
        except httptools.HttpParserInvalidURLError:
            continue  # Refused before anybody asks.
        if path is not None:
            assert addresses.find(method, path) == entry


@given(st.text(st.sampled_from("/.%;\\2eEaA"), max_size=12))
def test_a_plain_address_has_one_spelling(text: str) -> None:
    if is_plain(text.encode()):
        assert text.startswith("/")
        assert not any(part in {"", ".", ".."} for part in text[1:].split("/")[:-1])
        assert not set(text) & set("%;\\")


@pytest.mark.parametrize("path", ["/models/load", "/models/unload", "/v1/models/m", "/api/tags", "/api/version"])
async def test_what_is_only_read_takes_no_posts(path: str) -> None:
    gateway = Gateway()
    assert (await gateway.ask({}, path)).status == 405
    assert gateway.fake.asks == []
