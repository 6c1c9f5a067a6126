"""Budgets on a real service: given while it runs, exact under many requests at once, and kept over a restart."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tests.integration.conftest import Serve
from tests.integration.running import EMAIL, MODEL, Instance, until
from tests.integration.speaking import Answer

pytestmark = pytest.mark.integration

ANSWER_TOKENS = 16
LIMIT = 300
ASK = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Count to a hundred."}],
    "max_tokens": ANSWER_TOKENS,
}


def sheet(instance: Instance, *options: str) -> dict[str, dict[str, int]]:
    """What the seed's user may use and has used, by window."""
    done = instance.verb("users", "quota", EMAIL, *options, "--json")
    assert done.returncode == 0, done.stderr
    return {window["window"]: window for window in json.loads(done.stdout)["windows"]}


@pytest.fixture(autouse=True)
def _a_day_that_lasts() -> None:
    """What was used by midnight is another day's: none of these tests may begin just before it."""
    until(lambda: -time.time() % 86_400 > 180, 200, "there is enough left of the day")


def _is_used_up(answer: Answer) -> bool:
    return b'"insufficient_quota"' in answer.body


def test_a_budget_given_to_a_running_service_holds_under_many_requests_at_once_and_over_a_restart(
    serve: Serve,
) -> None:
    """What all of them came to is at most the budget and what the last one reserved; the log and the bill agree."""
    service = serve("[engine]\nslots = 2\n[quotas]\nper_month = 1000000\n").ready()
    assert sheet(service, "--per-day", str(LIMIT))["day"]["limit"] == LIMIT

    answers: list[Answer] = []
    with ThreadPoolExecutor(8) as pool:
        # At least one of each eight is served.
        while len(answers) < 8 * LIMIT / ANSWER_TOKENS and not any(map(_is_used_up, answers)):
            answers += pool.map(lambda _: service.ask("/v1/chat/completions", ASK), range(8))

    served = [answer for answer in answers if answer.status == 200]
    usage = [json.loads(answer.body)["usage"]["total_tokens"] for answer in served]
    refused = {json.loads(answer.body)["error"]["code"] for answer in answers if answer.status == 429}
    assert "insufficient_quota" in refused <= {"insufficient_quota", "concurrency_limit_exceeded"}
    assert len(served) + sum(answer.status == 429 for answer in answers) == len(answers)
    assert LIMIT <= sum(usage) < LIMIT + max(usage)
    assert sheet(service)["day"]["used"] == sheet(service)["month"]["used"] == sum(usage)

    assert service.stop() == 0
    again = serve(data=service.data).ready()
    assert sheet(again)["day"]["used"] == sum(usage)
    assert again.ask("/v1/chat/completions", ASK).status == 429
    balance = json.loads(again.ask("/user/balance").body)
    assert (balance["is_available"], balance["balance_infos"][0]["total_balance"]) == (False, "0")


def test_defaults_change_while_the_service_runs_and_what_was_used_stays(serve: Serve) -> None:
    """They count for the next request; limits of somebody's own go before them."""
    service = serve("[quotas]\nper_day = 1000\n").ready()
    assert service.ask("/v1/chat/completions", ASK).headers["x-ratelimit-limit-tokens"] == "1000"
    used = sheet(service)["day"]["used"]

    (service.folder / "tidegate.toml").write_text("[quotas]\nper_day = 1\n")
    assert service.verb("policy", "reload").returncode == 0

    refused = service.ask("/v1/chat/completions", ASK)
    assert (refused.status, refused.headers["x-ratelimit-limit-tokens"]) == (429, "1")
    assert sheet(service)["day"]["used"] == used > 0
    sheet(service, "--per-day", "0")
    assert service.ask("/v1/chat/completions", ASK).status == 200


def test_openais_client_gives_up_at_once_where_a_day_is_over(serve: Serve) -> None:
    """It would repeat any other 429 by itself; and it can read what is left."""
    service = serve().ready()
    sheet(service, "--per-day", "60")
    client = openai.OpenAI(base_url=f"{service.public}/v1", api_key=service.key)

    raw = client.chat.completions.with_raw_response.create(**ASK, user="somebody")  # type: ignore[call-overload] # a dict
    assert raw.headers["x-ratelimit-limit-tokens"] == "60"
    while sheet(service)["day"]["remaining"]:
        client.chat.completions.create(**ASK)  # type: ignore[call-overload] # a dict
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(**ASK)  # type: ignore[call-overload] # a dict

    assert refused.value.code == "insufficient_quota"

    def refusals() -> list[dict[str, Any]]:
        return [line for line in service.events() if line.get("route") == "chat" and line["status"] == 429]

    until(refusals, 10, "the refusal stands in the log")  # Written after the answer, and nobody waits for it there.
    assert [line["reason"] for line in refusals()] == ["insufficient_quota"]
