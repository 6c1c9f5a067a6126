"""The web chat's page and files: small on the way, asked for once, and under a policy that lets nothing else in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.http.conftest import ASSETS, Service
from tidegate.http import cookies
from tidegate.http.web.assets import NotBuiltError, load

PROMISED_POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "font-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types svelte-trusted-html",
}


async def _session(service: Service) -> dict[str, str]:
    _, text = await service.sessions.begin((await service.accounts.users())[0])
    return {"cookie": f"__Host-{cookies.SESSION}={text}"}


@pytest.mark.parametrize("path", ["/chat", "/chat/cnv_0123456789abcdef"])
async def test_the_chat_is_for_whoever_is_signed_in_and_others_are_shown_the_way(service: Service, path: str) -> None:
    stranger = await service.ask("GET", path)
    ana = await service.ask("GET", path, headers=await _session(service))

    assert (stranger.status, stranger.headers["location"]) == (303, f"/sign-in?next={path}")
    assert stranger.headers["cache-control"] == "no-store"
    assert (ana.status, ana.body) == (200, ASSETS["index.html"].bodies["identity"])


async def test_the_page_lives_under_the_promised_policy_and_no_other(service: Service) -> None:
    page = await service.ask("GET", "/chat", headers=await _session(service))

    assert set(page.headers["content-security-policy"].split("; ")) == PROMISED_POLICY
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cross-origin-opener-policy"] == "same-origin"


async def test_the_page_is_asked_for_each_time_and_sent_when_it_changed(service: Service) -> None:
    session = await _session(service)
    page = await service.ask("GET", "/chat", headers=session)
    again = await service.ask("GET", "/chat", headers={**session, "if-none-match": f'"x", {page.headers["etag"]}'})

    assert page.headers["cache-control"] == "no-cache"
    assert (again.status, again.body) == (304, b"")
    assert (await service.ask("GET", "/chat", headers={"if-none-match": page.headers["etag"]})).status == 303


async def test_a_file_is_named_by_its_content_and_kept_for_ever(service: Service) -> None:
    found = await service.ask("GET", "/assets/chat.js")

    assert found.status == 200
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert found.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    ("accepted", "encoding", "body"),
    [
        ("gzip, deflate, br, zstd", "br", b"br"),
        ("gzip", "gzip", b"gz"),
        ("br;q=0, gzip;q=0.5", "gzip", b"gz"),
        ("identity", None, b"1;"),
        ("", None, b"1;"),
        ("BR", "br", b"br"),
    ],
)
async def test_a_file_is_sent_in_the_smallest_form_that_is_taken(
    service: Service, accepted: str, encoding: str | None, body: bytes
) -> None:
    found = await service.ask("GET", "/assets/chat.js", headers={"accept-encoding": accepted})

    assert (found.headers.get("content-encoding"), found.body) == (encoding, body)
    assert found.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize(
    "path",
    ["/assets/none.js", "/assets/", "/assets/../index.html", "/assets/../../routes.py", "/assets/%2e%2e/index.html"],
)
async def test_what_is_no_file_of_the_page_is_not_there(service: Service, path: str) -> None:
    assert (await service.ask("GET", path)).status == 404


def test_files_are_read_with_their_compressed_forms_and_a_page_that_was_not_built_says_how(tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="make run"):
        load(tmp_path)
    (tmp_path / "assets").mkdir()
    for name, content in {"index.html": b"page", "assets/a.css": b"plain", "assets/a.css.br": b"packed"}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / ".stamp").write_text("digest")

    found = load(tmp_path)

    assert set(found) == {"index.html", "assets/a.css"}
    assert found["assets/a.css"].bodies == {"identity": b"plain", "br": b"packed"}
    assert found["assets/a.css"].media_type == "text/css; charset=utf-8"
    assert found["index.html"].etag != found["assets/a.css"].etag
