"""The whole service in this process, with an engine that says what a test wrote for it.

Stores, sealing, accounts, the chat's calls and the built page are the real
ones, wired as `tidegate serve` wires them; only the model is played.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tests.hashing import CHEAP
from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.secrets import load_or_create_secrets
from tidegate.adapters.sql.store import SqlStore, open_store
from tidegate.adapters.telemetry.metrics import Metrics
from tidegate.app.background import Background
from tidegate.app.engines import Line
from tidegate.app.listening import bind_port, port_of, server
from tidegate.app.wiring import Wired, wire
from tidegate.config import Settings
from tidegate.config.registration import RegistrationSettings
from tidegate.core.accounts import Role, User
from tidegate.core.conversations import Author, Conversation, Ending, Message
from tidegate.core.identifiers import ConversationId, MessageId, UserId
from tidegate.core.registration.requests import Left, RequestKind
from tidegate.http.web.assets import load
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.passwords import PasswordLane
from tidegate.services.usher import Usher
from tidegate.testing.engine import FakeEngine, Hold, Step
from tidegate.testing.journal import RecordingJournal

START_S = 30.0
# Tests make accounts faster than people do.
_QUICK = Settings(registration=RegistrationSettings(calm_per_min=100_000, calm_at_once=100_000))
T = TypeVar("T")


class ScriptedService:
    """Runs in a thread of its own, from `start` to `stop`."""

    def __init__(self, folder: Path, settings: Settings = _QUICK) -> None:
        self.engine = FakeEngine()
        self.base = self.status = self.operator = ""
        self.setup_path = ""
        self._folder = folder
        self._settings = settings
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._store: SqlStore
        self._usher: Usher
        self._wired: Wired
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="scripted service")

    def start(self) -> ScriptedService:
        self._thread.start()
        assert self._started.wait(START_S), "the scripted service did not start"
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)
        assert not self._thread.is_alive()

    def play(self, script: Sequence[Step]) -> None:
        """What the engine says from the next question on."""
        self.engine.script = script

    def let(self, hold: Hold) -> None:
        """Let the engine go on from where it waits."""
        self._loop.call_soon_threadsafe(hold.let.set)

    def store_conversation(
        self, email: str, title: str, said: Iterable[tuple[str, str]], *, days_ago: float = 0
    ) -> str:
        """Keep a conversation of questions and answers; answers its path in the chat."""
        return f"/chat/{self._run(self._keep(email, title, list(said), time.time() - days_ago * 86_400))}"

    def make_operator(self, email: str, password: str) -> None:
        """Keep an operator's account, of somebody who was a member elsewhere before; the set-up link stays open."""
        now = time.time()
        operator = User(
            id=UserId.of(secrets.token_bytes(8)),
            email=email,
            role=Role.OPERATOR,
            created_at_s=now,
            member_since_s=now - 400 * 86_400,
        )
        self._run(self._store.accounts.add_user(operator, CHEAP.hash(password)))

    def ask_to_be_let_in(self, email: str, note: str) -> None:
        """Ask an operator for an account, as somebody who found registration closed."""
        left = self._run(self._usher.requests.leave(email, RequestKind.APPROVAL, note=note))
        assert left is Left.LEFT

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_S)

    async def _keep(self, email: str, title: str, said: list[tuple[str, str]], at_s: float) -> ConversationId:
        user = await self._store.accounts.user_by_email(email)
        assert user is not None
        kept = ConversationId.of(secrets.token_bytes(12))
        begun = Conversation(id=kept, owner=user.id, title=title, created_at_s=at_s, updated_at_s=at_s)
        await self._store.conversations.add_conversation(user.id, begun)
        parent: MessageId | None = None
        for question, answer in said:
            for author, content in ((Author.USER, question), (Author.ASSISTANT, answer)):
                at_s += 0.01
                message = Message(
                    id=MessageId.of(secrets.token_bytes(12)),
                    conversation=kept,
                    parent=parent,
                    author=author,
                    content=content,
                    created_at_s=at_s,
                    ending=Ending.COMPLETE if author is Author.ASSISTANT else None,
                )
                await self._store.conversations.add_message(user.id, message)
                parent = message.id
        return kept

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with contextlib.AsyncExitStack() as stack:
            datadir = DataDir.open(self._folder)
            made = load_or_create_secrets(datadir)
            opening = open_store(datadir.database_url, datadir.user_keys_url, made.kek)
            self._store = await stack.enter_async_context(opening)
            background = Background()
            stack.push_async_callback(background.finish)
            wired = self._wired = await wire(
                self._settings,
                lines=(Line(engine=self.engine),),
                store=self._store,
                secrets=made,
                lifecycle=Lifecycle(),
                journal=RecordingJournal(),
                metrics=Metrics(),
                passwords=stack.enter_context(contextlib.closing(PasswordLane())),
                later=background.later,
                assets=load(),
                local_status_url="",
                local_url=self.base or "http://127.0.0.1",
                certificate=None,
                read_settings=Settings,
                datadir=datadir,
                model_sha256="0" * 64,
            )
            self._usher = wired.people.usher
            self.setup_path = f"/setup/{wired.setup.code}"
            apps = (wired.applications.public, wired.applications.status, wired.applications.operator)
            ports = [bind_port("127.0.0.1", 0, "server.port") for _ in apps]
            self.base, self.status, self.operator = (f"http://127.0.0.1:{port_of(one)}" for one in ports)
            await self._listen([(server(app), stack.enter_context(one)) for app, one in zip(apps, ports, strict=True)])

    async def _listen(self, served: list[tuple[Any, socket.socket]]) -> None:
        serving = [asyncio.create_task(one.serve(sockets=[listener])) for one, listener in served]
        self._started.set()
        await self._stop.wait()
        for one, _ in served:
            # Browsers have left by now; whoever has not is not waited for.
            one.force_exit = True
            one.should_exit = True
        await asyncio.gather(*serving)
