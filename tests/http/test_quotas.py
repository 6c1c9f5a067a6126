"""What callers are told of their budgets: in headers, in refusals, in the web chat, at /user/balance."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from tests.http.asgi import Visit
from tests.http.chatting import Page
from tests.http.conftest import CHAT, CHAT_PATH, Service
from tidegate.core.admission.claims import Claim
from tidegate.core.quotas.budget import Budget, Payer
from tidegate.core.quotas.windows import Window
from tidegate.core.reasons import Reason
from tidegate.http.openai.limits import duration
from tidegate.services.accounts import SetQuota
from tidegate.services.quotas import of_key, of_user
from tidegate.testing.clock import until
from tidegate.testing.engine import Hold, saying

# The clock of these tests stands at 2026-09-21 14:13:20 UTC.
TO_THE_MINUTE_S, TO_THE_DAY = 40, "9h46m40s"
_RESERVED = 5 + 512 + 32 + 50
"""Five letters, what a template may write around one message, and the longest answer that was asked for."""
LIMITS = ("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens")


def told(visit: Visit) -> list[str | None]:
    return [visit.headers.get(name) for name in LIMITS]


async def test_without_a_budget_no_header_tells_of_one(service: Service) -> None:
    visit = await service.chat()

    assert (visit.status, told(visit)) == (200, [None] * 3)


@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_answer_tells_what_is_left_of_the_tightest_budget(service: Service, is_stream: bool) -> None:
    """As it is when the answer begins: what a stream may still use is not promised to others."""
    service.quotas.ledger.defaults = Budget(per_minute=9000, per_day=5000)

    visit = await service.chat(stream=is_stream, max_tokens=50)

    left = str(5000 - _RESERVED) if is_stream else "4990"
    assert (visit.status, told(visit)) == (200, ["5000", left, TO_THE_DAY])
    assert told(await service.ask("GET", "/v1/models")) == [None] * 3


async def test_a_spent_budget_is_refused_before_the_engine_is_asked(service: Service) -> None:
    """In OpenAI's words, with the time at which there is a new one; SDKs are told not to sit and wait for a day."""
    service.quotas.ledger.defaults = Budget(per_day=10)
    await service.chat()
    asked = len(service.engine.calls)

    visit = await service.chat()

    assert (visit.status, visit.error["code"], visit.error["type"]) == (429, "insufficient_quota", "insufficient_quota")
    assert "from 2026-09-22 00:00 UTC on" in visit.error["message"]
    assert (visit.headers["retry-after"], visit.headers["x-should-retry"]) == ("35200", "false")
    assert told(visit) == ["10", "0", TO_THE_DAY]
    assert service.finished().reason is Reason.INSUFFICIENT_QUOTA
    assert len(service.engine.calls) == asked
    service.clock.advance(35_200)
    assert (await service.chat()).status == 200


async def test_a_spent_minute_is_worth_waiting_for(service: Service) -> None:
    """A client that waits as long as it is told is served."""
    service.quotas.ledger.defaults = Budget(per_minute=10)
    await service.text()

    visit = await service.text()

    assert (visit.status, visit.headers["retry-after"]) == (429, str(TO_THE_MINUTE_S))
    assert "x-should-retry" not in visit.headers
    service.clock.advance(TO_THE_MINUTE_S)
    assert (await service.text()).status == 200


async def test_requests_at_once_overshoot_by_one_at_most(service: Service) -> None:
    """Those that find the rest held are told to wait for one of theirs, not for tomorrow."""
    service.quotas.ledger.defaults = Budget(per_day=60)
    hold = Hold()
    service.engine.script = [hold, *saying("Hello")]
    first = service.visit(
        "POST", CHAT_PATH, b'{"model":"tide-1","messages":[{"role":"user","content":"Hi"}],"max_tokens":90}'
    )
    first.start()
    await asyncio.wait_for(hold.reached.wait(), 5)

    second = await service.chat(max_tokens=1)

    assert (second.status, second.error["code"]) == (429, "concurrency_limit_exceeded")
    assert int(second.headers["retry-after"]) < 60
    hold.let.set()
    await first.finish()
    assert first.status == 200
    service.engine.script = saying("Hello")
    assert (await service.chat(max_tokens=1)).status == 200


async def test_a_key_has_a_budget_beside_its_owners(service: Service) -> None:
    """Another key of theirs goes on."""
    owner = (await service.accounts.users())[0]
    other = (await service.clerk.create_key("ana@example.org", budget=Budget(per_hour=5))).text
    assert (await service.ask("POST", CHAT_PATH, CHAT, key=other)).status == 200

    refused = await service.ask("POST", CHAT_PATH, CHAT, key=other)

    assert (refused.status, told(refused)[0]) == (429, "5")
    assert "This key" in refused.error["message"]
    assert (await service.chat()).status == 200
    keys = await service.accounts.keys(owner.id)
    used = {state.payer: state.used for state in service.quotas.states([of_user(owner.id), *map(of_key, keys)])}
    assert sorted(used.values()) == [10, 10, 20]


async def test_the_web_chat_says_in_words_when_it_goes_on_and_keeps_no_question(service: Service) -> None:
    """The same budget as the API's; another answer to a question that is there is refused alike."""
    ana = await Page.of(service, "ana@example.org")
    talked = await ana.talk()
    await service.clerk.perform(SetQuota(email="ana@example.org", limits={Window.DAY: 5}))

    new = await ana.call("POST", "/api/conversations", {"content": "And why?"})
    known = talked["conversation"]["id"]
    again = await ana.call("POST", f"/api/conversations/{known}/replies", {"parent": talked["message"]["id"]})

    for visit in (new, again):
        assert (visit.status, visit.error["code"]) == (429, "insufficient_quota")
        assert visit.error["message"] == (
            "This account has used up the 5 tokens that it may use in one day. "
            "Please try again from 2026-09-22 00:00 UTC on."
        )
    assert len(await service.conversations.conversations(ana.owner, limit=9)) == 1
    await until(lambda: service.quotas.ledger.out == 0)


# ------------------------------------------------------------ /user/balance


async def test_without_a_budget_the_balance_is_available_and_names_no_amount(service: Service) -> None:
    visit = await service.ask("GET", "/user/balance")

    assert (visit.status, visit.json()) == (200, {"is_available": True, "balance_infos": []})


@pytest.mark.parametrize("prefix", ["", "/v1", "/beta"])
async def test_the_balance_is_what_is_left_of_the_tightest_budget_in_deepseeks_form(
    service: Service, prefix: str
) -> None:
    """Amounts are text, and tokens are no currency."""
    service.quotas.ledger.defaults = Budget(per_day=15, per_month=9000)
    await service.chat()

    visit = await service.ask("GET", f"{prefix}/user/balance")
    info = {"currency": "XXX", "total_balance": "5", "granted_balance": "5", "topped_up_balance": "0"}
    assert visit.json() == {"is_available": True, "balance_infos": [info]}

    await service.chat()
    visit = await service.ask("GET", f"{prefix}/user/balance")
    info |= {"total_balance": "0", "granted_balance": "0"}
    assert visit.json() == {"is_available": False, "balance_infos": [info]}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.2, "1s"), (59.0, "59s"), (360.0, "6m0s"), (3600.0, "1h0m0s"), (86_399.5, "24h0m0s")],
)
def test_a_reset_is_written_as_openai_writes_it_and_never_too_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# ------------------------------------------------------------ whom of its people an account asks for


@pytest.mark.parametrize("field", ["user", "user_id", "safety_identifier"])
async def test_an_end_user_is_told_from_another_whatever_the_field_is_called(service: Service, field: str) -> None:
    """DeepSeek's field, OpenAI's newer and its older one; what it says is kept nowhere."""
    claims = heard(service)

    for name in ("ana's cousin", "ana's cousin", "ana's uncle", ""):
        assert (await service.chat(**{field: name})).status == 200
    assert (await service.chat(**{field: None})).status == 200
    assert (await service.text(**{field: "ana's cousin"})).status == 200

    first, again, other, empty, none, text = claims
    assert first == again == text != other
    assert (empty, none) == ("", "")
    assert "cousin" not in first


async def test_a_name_of_no_length_that_anybody_needs_is_refused(service: Service) -> None:
    visit = await service.chat(user="x" * 513)

    assert (visit.status, visit.error["param"]) == (400, "user")


async def test_an_end_user_who_has_as_many_as_may_be_one_users_is_told_so(service: Service) -> None:
    """And another one is let in."""
    hold = Hold()
    service.engine.script = [hold, *saying("Hello")]
    service.scheduler.replan(msgspec.structs.replace(service.scheduler.plan, max_per_owner=4, max_waiting=9), 0.0)
    started = [service.visit("POST", CHAT_PATH, {**CHAT, "user": name}).start() for name in ("x", "y", "x")]
    await until(lambda: service.scheduler.owners == 1 and service.scheduler.running + service.scheduler.waiting == 3)

    refused = await service.chat(user="x")
    let_in = service.visit("POST", CHAT_PATH, {**CHAT, "user": "z"}).start()
    await until(lambda: service.scheduler.running + service.scheduler.waiting == 4)

    assert (refused.status, refused.error["code"]) == (429, "concurrency_limit_exceeded")
    assert "3 requests running or waiting, and this user as many" in refused.error["message"]
    hold.let.set()
    for visit in (*started, let_in):
        await visit.finish()
        assert visit.status == 200


def heard(service: Service) -> list[str]:
    """The end users of all that ask from now on, as admission hears of them."""
    found: list[str] = []
    take = service.admission.take

    def listening(claim: Claim, payers: Sequence[Payer] = (), most_tokens: int = 0) -> int:
        found.append(claim.end_user)
        return take(claim, payers, most_tokens)

    service.admission.take = listening  # type: ignore[method-assign] # to hear of it
    return found
