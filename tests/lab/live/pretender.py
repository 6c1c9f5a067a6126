"""A program that stands in for `tidegate serve`: its ports, its control socket, its pages, a child that is its engine.

What it answers is as short and as quick as can be. Run with the arguments of `tidegate serve`, or served in a test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from aiohttp import web

CSRF = '<input type="hidden" name="csrf" value="0a1b">'
CHALLENGE = "sha256.sign-up.1.1700000000000.600." + "0" * 32 + "." + "0" * 32
ASKED = f'<input name="challenge" value="{CHALLENGE}">'
_BESIDE_OTHERS = 2
"""So many tokens a calibration asks for, of a prompt that is read beside answers."""
ENGINE = (sys.executable, "-c", "import time; time.sleep(60)", "tidegate.adapters.engines.child")


class Pretender:
    """What it knows, and what was asked of it."""

    def __init__(self, data: Path, settings: dict[str, Any] | None = None) -> None:
        self.data = data
        self.settings = (settings or {}).get("pretend", {})
        self.asked: Counter[str] = Counter()
        self.engine: subprocess.Popen[bytes] | None = None
        self.forms: list[dict[str, str]] = []
        self.shown: list[tuple[str, str]] = []
        self.page = CSRF

    def public(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/readyz", self.front)
        app.router.add_post("/v1/chat/completions", self.chat)
        app.router.add_get("/sign-in", self.form)
        app.router.add_post("/sign-in", self.sign_in)
        app.router.add_get("/", self.front)
        return app

    def control(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/acts", self.act)
        app.router.add_post("/policy/reload", self.reload)
        return app

    def operator(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/vitals", self.vitals)
        return app

    async def front(self, request: web.Request) -> web.Response:
        return web.Response(text="<p>front</p>", content_type="text/html")

    async def form(self, request: web.Request) -> web.Response:
        return web.Response(text=self.page, content_type="text/html")

    async def chat(self, request: web.Request) -> web.StreamResponse:
        wanted = await request.json()
        self.asked["chat"] += 1
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.shown.append((key, wanted["messages"][-1]["content"]))
        if not key.startswith("sk-"):
            said = {"error": {"code": "invalid_api_key"}}
            return web.json_response(said, status=401, headers={"x-request-id": "req_1"})
        words = sum(len(message["content"].split()) for message in wanted["messages"])
        usage = {
            "prompt_tokens": 30 + words,
            "completion_tokens": wanted["max_tokens"],
            "prompt_tokens_details": {"cached_tokens": 20 if len(wanted["messages"]) > 1 else 0},
        }
        if not wanted["stream"]:
            choice = {"message": {"content": "tide"}, "finish_reason": "stop"}
            return web.json_response({"choices": [choice], "usage": usage})
        response = web.StreamResponse(headers={"content-type": "text/event-stream", "x-request-id": "req_2"})
        await response.prepare(request)
        if wanted["max_tokens"] == _BESIDE_OTHERS:
            await asyncio.sleep(self.settings.get("read_s", 0.0))
        for number in range(wanted["max_tokens"]):
            await asyncio.sleep(0.0 if wanted["max_tokens"] == 40 else self.settings.get("gap_s", 0.0))
            finish = "length" if number == wanted["max_tokens"] - 1 else None
            chunk = {"choices": [{"delta": {"content": "tide "}, "finish_reason": finish}]}
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        last = {"choices": [], "usage": usage}
        await response.write(b"data: " + json.dumps(last).encode() + b"\n\ndata: [DONE]\n\n")
        return response

    async def sign_in(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append({**form, "cookie": request.headers.get("cookie", "")})
        if ASKED in self.page and "answer" not in form:
            return web.Response(text=self.page, status=403, content_type="text/html")
        if form["password"] != "a tide gate opens by itself":
            return web.Response(text=CSRF, status=401, content_type="text/html")
        cookies = "__Host-tidegate-device=mark; Path=/"
        return web.Response(status=303, headers={"location": "/chat", "set-cookie": cookies})

    async def act(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.asked[asked["act"]] += 1
        if asked.get("email", "").startswith("nobody"):
            return web.json_response({"error": {"message": "no"}}, status=409)
        return web.json_response({"text": "sk-1"})

    async def reload(self, request: web.Request) -> web.Response:
        config = tomllib.loads((self.data.parent / "tidegate.toml").read_text())
        self.asked["reload"] += 1
        if "gate" in config and config["gate"].get("address_rate") == 0:
            return web.json_response({"error": {"message": "gate.address_rate"}}, status=409)
        return web.json_response({})

    async def vitals(self, request: web.Request) -> web.Response:
        said = {"engine": {"state": "ready"}, "running": 1, "waiting": 2, "models": [{"id": "pretended"}]}
        return web.json_response({**said, "models": said["models"] if not self.settings.get("is_bare") else []})

    def beget(self) -> None:
        self.engine = subprocess.Popen(ENGINE)

    def log(self, **line: Any) -> None:
        path = self.data / "logs" / "events.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


async def _serve(wish: argparse.Namespace) -> None:
    settings = tomllib.loads(Path(wish.config).read_text())  # noqa: ASYNC240 - nobody is served yet
    pretender = Pretender(Path(wish.data), settings)
    if pretender.settings.get("is_stillborn"):
        sys.exit("no: this is not to be")
    (pretender.data / "run").mkdir(parents=True)
    pretender.log(t=time.time() + 60.0, kind="mode", **{"from": "open", "to": "throttled", "by": "auto"})
    where: Any
    for app, where in (
        (pretender.control(), str(pretender.data / "run" / "control.sock")),
        (pretender.operator(), wish.operator_port),
        (pretender.public(), wish.port),
    ):
        runner = web.AppRunner(app)
        await runner.setup()
        is_path = isinstance(where, str)
        await (web.UnixSite(runner, where) if is_path else web.TCPSite(runner, "127.0.0.1", where)).start()
    pretender.beget()
    lives_s = pretender.settings.get("lives_s", 60.0)
    await asyncio.sleep(lives_s)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("verb")
    for name in ("--config", "--data"):
        parser.add_argument(name)
    for name in ("--port", "--status-port", "--operator-port"):
        parser.add_argument(name, type=int)
    asyncio.run(_serve(parser.parse_args()))
