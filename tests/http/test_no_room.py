"""Who finds no room is told so from the head alone, in words of its own for each reason."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import tidegate
from tests.http.wire import Echo, Gatehouse, a_credential, a_line, bearer, serving
from tidegate.core.admission.claims import Crowded, Shed
from tidegate.core.reasons import Reason
from tidegate.http.gate.connections import ConnectionPlan, Connections
from tidegate.http.gate.guard import REPORTS_PER_S
from tidegate.http.gate.refusing import answer

HEAD = [(b"host", b"x"), (b"authorization", b"Bearer " + a_credential())]
SOURCE = Path(tidegate.__file__).parent
DECIDES = [SOURCE / "core/admission/gate.py", *sorted((SOURCE / "http/gate").glob("*.py"))]


@pytest.mark.parametrize(
    ("found", "status", "code"),
    [(Shed(7.0), 503, Reason.SERVER_IS_OVERLOADED), (Crowded(3.0), 429, Reason.CONCURRENCY_LIMIT_EXCEEDED)],
)
async def test_no_room_is_told_by_the_head_with_a_time_and_the_connection_goes_on(
    found: Shed | Crowded, status: int, code: Reason
) -> None:
    app, house = Echo(), Gatehouse(preview=lambda *_: found)
    house.knows(1)
    ask = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n" + bearer(1) + b"content-length: 2\r\n\r\n{}"
    async with serving(app, house.guard, Connections(ConnectionPlan())) as port, a_line(port) as line:
        for _ in range(2):
            await line.send(ask)
            told = await line.answer()
            error = json.loads(told.body)["error"]
            assert (told.status, error["code"]) == (status, code)
            assert float(told.headers["retry-after"]) >= found.retry_after_s
            assert error["message"].endswith(f"try again in {told.headers['retry-after']} s.")
    assert app.paths == []
    assert house.reasons == [code, code]


async def test_a_defect_of_the_gate_is_answered_and_written_down_and_ends_only_its_own_connection() -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    app, house = Echo(), Gatehouse(preview=broken)
    house.knows(1)
    ask = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n" + bearer(1) + b"content-length: 2\r\n\r\n"
    async with serving(app, house.guard, Connections(ConnectionPlan())) as port:
        for pieces in ([ask + b"{}"], [ask[:40], ask[40:], b"{}"]):
            async with a_line(port) as line:
                await line.send(*pieces)
                told = await line.answer()
                assert (told.status, json.loads(told.body)["error"]["code"]) == (500, Reason.INTERNAL_ERROR)
                assert await line.is_ended()
        async with a_line(port) as line:
            await line.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await line.answer()).status == 200
    assert [type(error) for _, error in house.crashes] == [ZeroDivisionError, ZeroDivisionError]
    assert house.reasons == [Reason.INTERNAL_ERROR] * 2


def test_a_flood_of_defects_has_few_lines_in_the_log() -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    house = Gatehouse(preview=broken)
    for _ in range(200):
        house.guard.judge(b"POST", b"/v1/chat/completions", HEAD, house.guard.peer(("127.0.0.1", 5)))
    assert len(house.crashes) == REPORTS_PER_S
    assert house.reasons == [Reason.INTERNAL_ERROR] * 200


def _reasons_named() -> set[Reason]:
    """Every reason that the gate's own modules name."""
    return {
        Reason[node.attr]
        for path in DECIDES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"
    }


@pytest.mark.parametrize("reason", sorted(_reasons_named()))
@pytest.mark.parametrize("is_page", [False, True])
def test_whatever_the_gate_refuses_for_it_has_words_for_it(reason: Reason, is_page: bool) -> None:
    assert reason.encode() in answer(reason, 3.0, is_page).body
    assert reason.encode() in answer(reason, None, is_page).body
