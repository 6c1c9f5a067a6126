"""The rooms beside the API: front page, health, status, operator, control."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.http.asgi import Visit
from tests.http.conftest import CHAT, Service
from tidegate.core.capacity.health import EngineState


async def _get(app: Any, path: str, **headers: str) -> Visit:
    return await Visit(app, "GET", path, headers={"host": "127.0.0.1:1", **headers}).ask()


async def _act(service: Service, act: dict[str, Any]) -> Visit:
    return await Visit(service.apps.control, "POST", "/acts", body=json.dumps(act).encode(), client=None).ask()


@pytest.mark.parametrize(
    ("state", "ready"),
    [(state, state is EngineState.READY) for state in EngineState],
)
async def test_readiness_says_whether_a_request_would_be_served(
    service: Service, state: EngineState, *, ready: bool
) -> None:
    service.engine.state = state

    for app in (service.apps.public, service.apps.operator):
        visit = await _get(app, "/readyz")
        assert visit.status == (200 if ready else 503)
        assert visit.json() == {"ready": ready, "engine": state.value, "draining": False}
        assert visit.headers["cache-control"] == "no-store"
        assert ("retry-after" in visit.headers) is not ready
        assert (await _get(app, "/healthz")).status == 200


@pytest.mark.parametrize("path", ["/", "/icon.svg"])
async def test_pages_come_with_a_strict_policy_and_without_scripts(service: Service, path: str) -> None:
    for app in (service.apps.public, service.apps.status, service.apps.operator):
        visit = await _get(app, path)
        assert visit.status == 200
        assert visit.headers["content-security-policy"].startswith("default-src 'none'")
        assert visit.headers["x-content-type-options"] == "nosniff"
        assert visit.headers["referrer-policy"] == "same-origin"
        assert b"<script" not in visit.body
        assert b"style=" not in visit.body


async def test_the_front_page_shows_a_host_that_somebody_made_up_as_text_only(service: Service) -> None:
    visit = await _get(service.apps.public, "/", host='"><script>alert(1)</script>')

    assert b"<script" not in visit.body
    assert b"&lt;script&gt;" in visit.body


@pytest.mark.parametrize(
    ("state", "indicator"),
    [
        (EngineState.READY, "none"),
        (EngineState.LOADING, "major"),
        (EngineState.STOPPED, "major"),
        (EngineState.FAILED, "critical"),
    ],
)
async def test_the_public_is_told_how_it_is(service: Service, state: EngineState, indicator: str) -> None:
    service.engine.state = state

    body = (await _get(service.apps.status, "/api/v2/status.json")).json()
    page = (await _get(service.apps.status, "/")).body.decode()

    assert body["status"]["indicator"] == indicator
    assert body["page"] == {"id": "tidegate", "name": "Tidegate", "updated_at": "2026-09-21T14:13:20+00:00"}
    assert f'class="verdict {indicator}"' in page
    assert body["status"]["description"] in page
    assert "2026-09-21T14:13:20+00:00" in page


async def test_the_public_is_told_of_a_stop(service: Service) -> None:
    service.lifecycle.is_draining = True

    body = (await _get(service.apps.status, "/api/v2/status.json")).json()
    page = await _get(service.apps.status, "/")

    sentence = "The service is being stopped or restarted."
    assert body["status"] == {"indicator": "major", "description": sentence}
    assert (page.status, sentence in page.body.decode()) == (200, True)


async def test_the_operator_can_watch_it_drain(service: Service) -> None:
    service.lifecycle.is_draining = True

    vitals, metrics = await _get(service.apps.operator, "/api/vitals"), await _get(service.apps.operator, "/metrics")

    assert (vitals.status, vitals.json()["draining"]) == (200, True)
    assert metrics.status == 200
    assert (await _act(service, {"act": "list_users"})).status == 503


async def test_the_operator_sees_the_cause_and_how_full_it_is(service: Service) -> None:
    service.engine.state = EngineState.FAILED

    body = (await _get(service.apps.operator, "/api/vitals")).json()

    assert [one["name"] for one in body.pop("lists")] == ["disposable mail domains"]
    assert body == {
        "engine": {"state": "failed", "why": "failed", "restarts": 0, "retry_after_s": 2.0},
        "running": 0,
        "waiting": 0,
        "slots": 2,
        "draining": False,
        "models": [
            {
                "id": "tide-1",
                "engine": {"state": "failed", "why": "failed", "restarts": 0, "retry_after_s": 2.0},
                "running": 0,
                "waiting": 0,
                "slots": 2,
            }
        ],
        "replicas": [],
        "sameness": [],
    }
    metrics = await _get(service.apps.operator, "/metrics")
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert metrics.body == b"tidegate_engine_ready 1.0\n"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8082", ""])
async def test_the_operators_port_is_not_read_under_another_name(service: Service, host: str) -> None:
    """A page from elsewhere could make its own name point at this machine (DNS rebinding)."""
    visit = await Visit(service.apps.operator, "GET", "/metrics", headers={"host": host}).ask()

    assert visit.status == 400
    assert b"tidegate_" not in visit.body


async def test_the_rooms_are_apart(service: Service) -> None:
    for app, path in (
        (service.apps.public, "/metrics"),
        (service.apps.public, "/api/vitals"),
        (service.apps.public, "/acts"),
        (service.apps.status, "/metrics"),
        (service.apps.status, "/v1/models"),
        (service.apps.operator, "/acts"),
        (service.apps.operator, "/v1/models"),
        (service.apps.control, "/v1/models"),
    ):
        assert (await _get(app, path)).status == 404, path


async def test_the_control_socket_does_account_acts(service: Service) -> None:
    user = await _act(service, {"act": "create_user", "email": "Bo@example.org", "password": "waves in the night"})
    key = await _act(service, {"act": "create_key", "email": "bo@example.org", "name": "laptop"})
    keys = await _act(service, {"act": "list_keys", "email": "bo@example.org"})
    users = await _act(service, {"act": "list_users"})
    vouched = await _act(service, {"act": "vouch", "email": "bo@example.org"})

    assert [visit.status for visit in (user, key, keys, users, vouched)] == [200] * 5
    assert (user.json()["email"], user.json()["standing"]) == ("bo@example.org", "newcomer")
    assert vouched.json() == {**user.json(), "standing": "established", "is_vouched": True}
    assert keys.json() == [key.json()["key"]]
    assert user.json() in users.json()
    assert (await service.ask("POST", "/v1/chat/completions", CHAT, key=key.json()["text"])).status == 200
    revoked = await _act(service, {"act": "revoke_key", "email": "bo@example.org", "key_id": key.json()["key"]["id"]})
    assert (revoked.status, revoked.json()) == (200, None)
    assert (await service.ask("GET", "/v1/models", key=key.json()["text"])).status == 401


@pytest.mark.parametrize(
    ("act", "status"),
    [
        ({}, 400),
        ({"act": "burn"}, 400),
        ({"act": "create_user"}, 400),
        ({"act": "create_user", "email": "nobody"}, 400),
        ({"act": "create_user", "email": "bo@example.org", "role": "admiral"}, 400),
        ({"act": "create_user", "email": "bo@example.org", "password": "short"}, 400),
        ({"act": "create_user", "email": "bo@example.org", "member_since_s": 9e12}, 400),
        ({"act": "revoke_key", "email": "ana@example.org", "key_id": "tg_live_x"}, 400),
        ({"act": "create_user", "email": "ANA@example.org"}, 409),
        ({"act": "list_keys", "email": "bo@example.org"}, 404),
        ({"act": "vouch", "email": "bo@example.org"}, 404),
        ({"act": "revoke_key", "email": "ana@example.org", "key_id": "key_0123456789abcdef"}, 404),
    ],
    ids=str,
)
async def test_what_cannot_be_done_is_told_from_what_was_said_wrong(
    service: Service, act: dict[str, Any], status: int
) -> None:
    visit = await _act(service, act)

    assert visit.status == status
    assert visit.json()["error"]["message"]
    assert [user.email for user in await service.clerk.users()] == ["ana@example.org"]


async def test_too_long_an_act_is_refused(service: Service) -> None:
    visit = await _act(service, {"act": "create_user", "email": "a" * 70_000})

    assert (visit.status, visit.error["code"]) == (413, "body_too_large")
