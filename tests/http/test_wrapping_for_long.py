"""With a data directory the gate around an application knows its callers longer than the process lives."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from tests.http.wrapped import CHAT, ROOMY, Application, asking, body, judging, start, when_let, wrapped
from tidegate import TidegateMiddleware
from tidegate.adapters.disk import DataDir
from tidegate.adapters.disk.secrets import load_or_create_secrets
from tidegate.adapters.sql.callers import open_callers
from tidegate.core.callers import principal_of
from tidegate.core.decisions.lines import Began, Claimed, Ended, Judged
from tidegate.core.identifiers import UserId
from tidegate.core.reasons import Reason
from tidegate.core.standing.record import Record
from tidegate.lab.replay.reading import Source, lines


class Life:
    """A server's side of an application's life."""

    def __init__(self, app: Any) -> None:
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self.task = asyncio.create_task(app(scope, self.inbox.get, self.sent.put))

    async def say(self, word: str) -> Message:
        """Tell the application, and hear what it answers."""
        self.inbox.put_nowait({"type": f"lifespan.{word}"})
        async with asyncio.timeout(10):
            return await self.sent.get()


@asynccontextmanager
async def living(app: Any) -> AsyncIterator[None]:
    life = Life(app)
    assert (await life.say("startup"))["type"] == "lifespan.startup.complete"
    yield
    assert (await life.say("shutdown"))["type"] == "lifespan.shutdown.complete"
    await life.task


class Alive(Application):
    """An application that notes what it hears of its life."""

    def __init__(self, handling: Any = None) -> None:
        super().__init__(handling)
        self.heard: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await super().__call__(scope, receive, send)
            return
        for word in ("startup", "shutdown"):
            message = await receive()
            assert message["type"] == f"lifespan.{word}"
            self.heard.append(word)
            await send({"type": f"lifespan.{word}.complete"})


async def test_the_applications_life_goes_on_through_it() -> None:
    app = Alive()
    async with living(TidegateMiddleware(app)):
        assert app.heard == ["startup"]
    assert app.heard == ["startup", "shutdown"]


async def test_whoever_was_accepted_is_known_to_the_next_process(tmp_path: Path) -> None:
    app = Alive(judging)
    async with living(TidegateMiddleware(app, data_dir=tmp_path)):
        assert (await asking(TidegateMiddleware(app), "good").ask()).status == 200
    assert await _known(tmp_path, "good") is None

    middle = TidegateMiddleware(app, data_dir=str(tmp_path))
    async with living(middle):
        assert (await asking(middle, "good").ask()).status == 200
        assert (await asking(middle, "bad").ask()).status == 401
    found = await _known(tmp_path, "good")
    assert found is not None
    assert await _known(tmp_path, "bad") is None
    assert _holding(tmp_path, b"good") == []
    lines = (tmp_path / "logs" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines if '"request"' in line] == [200, 401]


async def test_without_a_life_it_opens_with_the_first_requests(tmp_path: Path) -> None:
    middle, app = wrapped(judging, data_dir=tmp_path)

    visits = await asyncio.gather(*(asking(middle, "good").ask() for _ in range(3)))

    assert [visit.status for visit in visits] == [200] * 3
    assert len(app.scopes) == 3
    await middle._close()
    assert await _known(tmp_path, "good") is not None


async def test_what_cannot_be_opened_is_told_before_anything_is_served(tmp_path: Path) -> None:
    (tmp_path / "somebodys.txt").write_text("theirs")
    app = Alive()
    life = Life(TidegateMiddleware(app, data_dir=tmp_path))

    answer = await life.say("startup")

    assert answer["type"] == "lifespan.startup.failed"
    assert str(tmp_path) in answer["message"]
    await life.task  # Servers print the sentence; what was raised beside it would hide it in a traceback.
    assert app.heard == []


def _added(**settings: Any) -> Starlette:
    app = Starlette()
    app.add_middleware(TidegateMiddleware, **settings)
    return app


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"slots": 0}, "slots = 0: expected a whole number from 1 to 65536; left out, it is 8"),
        ({"slot": 8}, "slot: no such setting; did you mean slots?"),
        ({"gate": {"address_rat": 1}}, "gate.address_rat: no such setting; did you mean gate.address_rate?"),
        ({"gate": {"deny": "10.0.0.1"}}, "gate.deny = '10.0.0.1': expected a list: write ['10.0.0.1']"),
        ({"trusted_proxies": ["proxy"]}, "trusted_proxies = 'proxy': not an address or a network"),
        ({"paths": ["chat"]}, "paths[0] = 'chat': expected a path that begins with /, without ? or #"),
        ({"paths": ["/v1/{name:number}"]}, "paths = '/v1/{name:number}': Unknown path convertor 'number'"),
        ({"data_dir": 5}, "data_dir = 5: expected a path in quotes"),
        ({"record": {"decisions": True}}, "record.decisions: there is nowhere to write them down; set data_dir too"),
        ({"record": {"decision": True}}, "record.decision: no such setting; did you mean record.decisions?"),
    ],
)
async def test_settings_that_cannot_be_meant_stop_a_server_that_makes_its_middleware_late(
    settings: dict[str, Any], said: str
) -> None:
    """FastAPI and Starlette make it when the server asks for their life; an error there would mean that there is none.

    Then the server would start, and each request fail.
    """
    life = Life(_added(**settings))

    answer = await life.say("startup")

    assert answer["type"] == "lifespan.startup.failed"
    assert answer["message"].startswith(f"Tidegate cannot start: TidegateMiddleware: {said}")
    await life.task


async def test_without_a_life_they_fail_each_request_and_pass_nothing_on() -> None:
    app = Alive()
    middle = TidegateMiddleware(app, slots=0)

    for _ in range(2):
        with pytest.raises(ValueError, match="slots = 0"):
            await asking(middle, "good").ask()

    assert app.heard == []


async def test_a_data_directory_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    async with living(TidegateMiddleware(Alive(), data_dir="~/gate")):
        assert (tmp_path / "gate" / "callers.db").exists()


async def test_two_processes_cannot_use_one_directory(tmp_path: Path) -> None:
    async with living(TidegateMiddleware(Alive(), data_dir=tmp_path)):
        answer = await (other := Life(TidegateMiddleware(Alive(), data_dir=tmp_path))).say("startup")
        assert "in use" in answer["message"]
        await other.task


async def test_a_stranger_makes_room_for_somebody_known_and_its_handler_is_called_once(tmp_path: Path) -> None:
    """A handler may have done something already: it is ended, and its caller is told when to come back."""
    datadir = DataDir.open(tmp_path)
    known = principal_of("known", load_or_create_secrets(datadir).fingerprint_key)
    async with open_callers(datadir.callers_url) as store:
        await store.save([Record.of_caller(known, 1.0).with_word(is_vouched=True)])

    async def beginning(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
        if len(app.scopes) == 1:
            await when_let(app, scope, receive, send)
            return
        await send(start())
        await send(body(b"{}"))

    app = Alive(beginning)
    middle = TidegateMiddleware(app, data_dir=tmp_path, slots=1)
    async with living(middle):
        stranger = asking(middle, "stranger").start()
        await app.came(1)
        assert (await asking(middle, "known").ask()).status == 200
        await stranger.finish()

    assert app.left == [CHAT]
    assert app.keys == ["stranger", "known"]
    assert (stranger.status, stranger.error["code"]) == (503, "insufficient_system_resource")
    assert int(stranger.headers["retry-after"]) >= 1


def _holding(path: Path, text: bytes) -> list[str]:
    return [file.name for file in path.rglob("*") if file.is_file() and text in file.read_bytes()]


async def _known(path: Path, key: str) -> Record | None:
    datadir = DataDir(path)
    principal: UserId = principal_of(key, load_or_create_secrets(datadir).fingerprint_key)
    async with open_callers(datadir.callers_url) as store:
        return next(iter(await store.find([principal])), None)


def test_the_package_alone_loads_none_of_this() -> None:
    asked = "import sys, tidegate; print(tidegate.__version__, 'starlette' in sys.modules, 'msgspec' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)

    assert said.stdout.split()[1:] == ["False", "False"]


def test_it_has_no_other_name() -> None:
    import tidegate

    assert "TidegateMiddleware" in dir(tidegate)
    with pytest.raises(AttributeError, match="Middleware"):
        _ = tidegate.Middleware  # type: ignore[attr-defined] # it is not there


async def test_decisions_are_written_down_where_that_is_wanted(tmp_path: Path) -> None:
    """
    As the service writes them: the heads that were judged and the claims that came of them, in a form that is read.
    """
    middle = TidegateMiddleware(Alive(judging), data_dir=tmp_path, gate=ROOMY, record={"decisions": True})
    async with living(middle):
        assert [(await asking(middle, key).ask()).status for key in ("good", "bad", "bad")] == [200, 401, 401]

    had = list(lines(tmp_path / "logs", Source()))
    judged = [line for line in had if isinstance(line, Judged)]
    claimed = [line for line in had if isinstance(line, Claimed)]
    assert isinstance(had[0], Began)
    assert had[0].admission[0].slots == 8
    assert [line.reason for line in judged] == [None, None, Reason.INVALID_API_KEY]
    assert len(claimed) == len([line for line in had if isinstance(line, Ended)]) == 2
    assert b"good" not in b"".join(path.read_bytes() for path in (tmp_path / "logs").glob("decisions-*"))


async def test_else_no_record_is_there(tmp_path: Path) -> None:
    middle = TidegateMiddleware(Alive(judging), data_dir=tmp_path)
    async with living(middle):
        await asking(middle, "good").ask()

    assert list((tmp_path / "logs").glob("decisions-*")) == []
