"""The guard tells of refusals and of known people only where the peer is the caller; the operator sees the rest."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tests.handing import AT, BOT, OTHER, PLAN, Post, control_of
from tests.http.asgi import Visit
from tests.http.wire import SERVER_KEYS, SPENT, Echo, Gatehouse, a_credential, a_line, serving, talk
from tidegate.core.admission.gate import GatePlan
from tidegate.core.credentials import Kind, ServerKeys, digest
from tidegate.core.firewall.elements import Element, Mode, Spared
from tidegate.http.gate.connections import ConnectionPlan, Connections
from tidegate.http.gate.guard import NOTED_EVERY_S, Entered, Peer
from tidegate.testing.clock import until

STRANGERS = [(b"accept", b"*/*")]


class House:
    """A gate that lets each address in once, and who was handed over by it."""

    def __init__(self, plan: GatePlan = SPENT, *, mode: Mode = Mode.ON, trusted: tuple[str, ...] = ()) -> None:
        self.post = Post(msgspec.structs.replace(PLAN, mode=mode))
        self.gatehouse = Gatehouse(plan, trusted=trusted, handover=self.post.handover)
        self.gatehouse.now = AT
        self.guard = self.gatehouse.guard

    def peer(self, address: str) -> Peer:
        return self.guard.peer((address, 4000))

    def ask(self, peer: Peer, *headers: tuple[bytes, bytes], path: bytes = b"/", times: int = 1) -> list[bool]:
        """Ask so often; which were let in."""
        return [isinstance(self.guard.judge(b"GET", path, list(headers), peer), Entered) for _ in range(times)]

    @property
    def live(self) -> list[str]:
        return [str(element.network) for element in self.post.handover.offloading.live]


def key(number: int = 1, keys: ServerKeys = SERVER_KEYS) -> tuple[bytes, bytes]:
    return (b"authorization", b"Bearer " + a_credential(number=number, keys=keys))


def cookie(number: int = 1) -> tuple[bytes, bytes]:
    return (b"cookie", b"__Host-tidegate-session=" + a_credential(Kind.SESSION, number))


def test_a_peer_that_keeps_sending_after_refusal_is_handed_over_on_one_connection_or_many() -> None:
    house = House()
    house.ask(house.peer(BOT), times=6)
    for _ in range(6):
        house.ask(house.peer(OTHER))
    assert house.live == [f"{BOT}/32", f"{OTHER}/32"]


def test_junk_keys_press_as_anything_else_does() -> None:
    house = House(GatePlan())
    junk = key(keys=ServerKeys(1, {1: b"z" * 32}))
    house.ask(house.peer(BOT), junk, path=b"/v1/models", times=6)
    assert house.live == [f"{BOT}/32"]


def test_who_is_let_in_does_not_press() -> None:
    house = House(GatePlan())
    assert all(house.ask(house.peer(BOT), times=50))
    assert house.live == []


def test_behind_a_proxy_nobody_is_counted_neither_the_proxy_nor_whom_it_speaks_for() -> None:
    house = House(trusted=("10.0.0.1",))
    house.ask(house.peer("10.0.0.1"), (b"x-forwarded-for", BOT.encode()), times=100)
    house.ask(house.peer("10.0.0.1"), times=100)
    house.ask(house.peer("10.0.0.1"), key(), (b"x-forwarded-for", OTHER.encode()), times=3)
    assert house.live == []
    assert house.post.handover.offloading.remembered["pressing"] == 0
    assert not house.post.handover.offloading.inhabited.has_changed, "whom it speaks for is no peer either"


def test_by_the_proxy_protocol_the_peer_is_the_client() -> None:
    house = House(trusted=("10.0.0.1",))
    peer = house.guard.behind(house.peer("10.0.0.1"), bytes((203, 0, 113, 66)))
    house.ask(peer, times=6)
    assert house.live == [f"{BOT}/32"]
    through = house.guard.behind(house.peer("10.0.0.1"), bytes((10, 0, 0, 1)))
    house.ask(through, times=100)
    assert house.live == [f"{BOT}/32"]


def test_a_caller_without_an_address_is_nobody() -> None:
    house = House()
    house.ask(house.guard.peer("/run/tidegate.sock"), times=100)
    house.ask(house.guard.peer("/run/tidegate.sock"), key())
    assert house.post.handover.offloading.remembered["pressing"] == 0


def test_one_bot_and_two_hundred_students_behind_one_address() -> None:
    """It is never handed over, and the bot goes on being refused; the students are let in all the while."""
    house = House(GatePlan(address_rate=0.001, address_burst=1, strangers_rate=1e5, strangers_burst=1e5))
    students = [house.peer(BOT) for _ in range(200)]
    bot = house.peer(BOT)
    for number, student in enumerate(students, 1):
        assert house.ask(student, cookie(number) if number % 2 else key(number)) == [True]
        assert True not in house.ask(bot, times=20)[1:]
    assert house.live == []
    house.gatehouse.now = house.post.now = AT + 86_000.0
    assert house.ask(bot, times=100).count(True) == 1, "what its budget lets in by now"
    assert house.live == []
    house.gatehouse.now = house.post.now = AT + 3 * 86_400.0
    house.ask(bot, times=20)
    assert house.live == [f"{BOT}/32"], "nobody known was there for a day"


def test_somebody_known_is_noted_also_when_their_request_is_refused_and_again_after_a_while() -> None:
    house = House(GatePlan(principal_rate=0.001, principal_burst=1))
    inhabited, peer = house.post.handover.offloading.inhabited, house.peer(BOT)
    assert house.ask(house.peer(OTHER), key()) == [True]
    assert house.ask(peer, key()) == [False]
    assert inhabited.holds(peer.address or b"", AT)
    for _ in range(3):
        house.ask(peer, key())
    assert peer.known_until == AT + NOTED_EVERY_S
    house.gatehouse.now = AT + NOTED_EVERY_S
    house.ask(peer, key())
    assert peer.known_until == AT + 2 * NOTED_EVERY_S
    assert house.post.handover.offloading.remembered["pressing"] == 0, "nobody known presses"


def test_a_credential_that_is_dead_notes_nobody_and_its_refusals_count() -> None:
    house = House(GatePlan())
    house.gatehouse.gate.note_dead(digest(key()[1].removeprefix(b"Bearer ").decode()), AT)
    peer = house.peer(BOT)
    house.ask(peer, key(), path=b"/v1/models", times=6)
    house.ask(peer, key())
    assert house.live == [f"{BOT}/32"]
    assert peer.known_until == 0.0


def test_while_it_is_off_nobody_is_counted_and_known_people_are_noted_all_the_same() -> None:
    house = House(mode=Mode.OFF)
    house.ask(house.peer(OTHER), times=100)
    house.ask(house.peer(BOT), key())
    assert house.post.handover.offloading.remembered["pressing"] == 0
    house.post.handover.apply(PLAN)
    assert house.post.press(BOT) is Spared.INHABITED


PROXY = f"PROXY TCP4 {BOT} 127.0.0.1 4000 8080\r\n".encode()
"""What a trusted proxy begins with that speaks for the bot: so a test on one machine has its address."""
PAGE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


def behind_a_proxy() -> House:
    """A gate that lets in whoever asks."""
    house = House(GatePlan(), trusted=("127.0.0.1",))
    house.guard.expects_proxy_header = True
    return house


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\nhost: x\r\na: ", b"GET", b"\x16\x03\x01 no request at all\r\n\r\n", b"\0" * 99],
    ids=["nothing", "half a head", "a word", "nonsense", "zeros"],
)
async def test_connections_that_never_come_to_a_request_press_as_refusals_do(sent: bytes) -> None:
    """Whoever opens them by the hundred costs as much as whoever is refused, and no deadline ends the next one."""
    house = behind_a_proxy()
    async with serving(Echo(), house.guard, Connections(ConnectionPlan(head_s=0.05, idle_s=0.05))) as port:
        for _ in range(6):
            await talk(port, PROXY + sent)
        await until(lambda: house.live == [f"{BOT}/32"])


async def test_connections_that_their_caller_drops_before_a_request_press_too() -> None:
    house = behind_a_proxy()
    async with serving(Echo(), house.guard, Connections(ConnectionPlan())) as port:
        for _ in range(6):
            async with a_line(port) as line:
                await line.send(PROXY)
        await until(lambda: house.live == [f"{BOT}/32"])


async def test_a_connection_beyond_the_number_of_its_address_presses_unless_somebody_known_speaks_on_it() -> None:
    house = behind_a_proxy()
    async with serving(Echo(), house.guard, Connections(ConnectionPlan(connections_per_address=0))) as port:
        for _ in range(6):
            assert b" 429 " in await talk(port, PROXY + PAGE)
        await until(lambda: house.live == [f"{BOT}/32"])
        async with a_line(port) as line:
            await line.send(PROXY + PAGE.replace(b"\r\n\r\n", b"\r\n%b: %b\r\n\r\n" % cookie()))
            assert (await line.answer()).status == 200
    assert house.live == []


async def test_a_connection_on_which_a_request_came_counts_no_more_than_that() -> None:
    """Kept open, closed by whom ever, refused and told that it is the last: a refusal counts once."""
    house = behind_a_proxy()
    table = Connections(ConnectionPlan(head_s=0.05, idle_s=0.05))
    async with serving(Echo(), house.guard, table) as port:
        for _ in range(20):
            assert b" 200 " in await talk(port, PROXY + PAGE)
            assert b" 200 " in await talk(port, PROXY + PAGE.replace(b"host", b"connection: close\r\nhost"))
        await until(lambda: not table.open)
        assert house.post.handover.offloading.remembered["pressing"] == 0
        for _ in range(3):
            assert b" 401 " in await talk(port, PROXY + PAGE.replace(b"GET /", b"GET /v1/models"))
            await until(lambda: not table.open)
    assert house.live == [], "three refusals are within the burst"


async def test_a_proxys_own_connections_count_for_nobody_and_so_they_do_while_it_is_off() -> None:
    """Its probes open and close; whom it speaks for it has not said yet."""
    house = behind_a_proxy()
    async with serving(Echo(), house.guard, Connections(ConnectionPlan())) as port:
        for _ in range(10):
            async with a_line(port) as line:
                await line.send(PROXY[:9])
        house.post.handover.apply(msgspec.structs.replace(PLAN, mode=Mode.OFF))
        table = Connections(ConnectionPlan())
        async with serving(Echo(), house.guard, table) as other:
            for _ in range(10):
                async with a_line(other) as line:
                    await line.send(PROXY)
                await until(lambda: not table.open)
    assert house.live == []
    assert house.post.handover.offloading.remembered["pressing"] == 0


class Desk:
    """The control socket's application, over a handover."""

    def __init__(self) -> None:
        self.post = Post()
        self.app = control_of(self.post)

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        content = b"" if body is None else json.dumps(body).encode()
        visit = await Visit(self.app, method, path, body=content).ask()
        return visit.status, json.loads(visit.body)


SHOWN = {
    "prefix": f"{BOT}/32",
    "pressed_by": BOT,
    "reason": "kept_sending",
    "since_s": AT,
    "until_s": AT + 600.0,
    "times": 1,
}


async def test_an_operator_sees_what_is_handed_over_with_why_and_until_when() -> None:
    desk = Desk()
    assert isinstance(desk.post.press(BOT), Element)
    status, told = await desk.ask("GET", "/firewall")
    assert status == 200
    waiting = {"unsent": 1, "failures": 0, "mistake": None}
    assert told == {"mode": "on", "unwatched_until_s": AT, **waiting, "elements": [SHOWN]}


async def test_an_operator_lets_go_what_holds_an_address() -> None:
    desk = Desk()
    desk.post.press(BOT)
    assert await desk.ask("POST", "/firewall/forget", {"address": OTHER}) == (200, {"elements": []})
    assert await desk.ask("POST", "/firewall/forget", {"address": f"::ffff:{BOT}"}) == (200, {"elements": [SHOWN]})
    assert (await desk.ask("GET", "/firewall"))[1]["elements"] == []


@pytest.mark.parametrize("address", ["", "bot.example", "203.0.113.0/24"])
async def test_what_is_no_address_is_said(address: str) -> None:
    status, told = await Desk().ask("POST", "/firewall/forget", {"address": address})
    assert status == 400
    assert "is not an address" in told["error"]["message"]
