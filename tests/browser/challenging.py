"""A page with a challenge, as the product makes them, and a service behind it that says what it got."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jinja2
from markupsafe import Markup

import tidegate.http.pages
from tidegate.core.challenge.challenges import Challenges, Failed, Scope, Solved
from tidegate.core.challenge.plan import ChallengePlan
from tidegate.core.challenge.puzzles import PuzzleName
from tidegate.http.challenge.scripts import Scripts
from tidegate.http.challenge.wire import Answered
from tidegate.http.pages import CHALLENGE_HEADERS
from tidegate.http.pages.looks import ICON_URL, STYLE
from tidegate.http.web.assets import load

SUBJECT = b"a form"
_TEMPLATES = Path(tidegate.http.pages.__file__).parent / "templates"
_PAGE = """{% extends "base.html" %}
{% from "challenge.html" import challenge %}
{% from "fields.html" import field %}
{% block title %}Create an account{% endblock %}
{% block width %}narrow{% endblock %}
{% block main %}
<h1>Create an account</h1>
<form id="join" class="card" method="post" action="/">
{{ field("email", "Email address", "email", "username", {}) }}
{% call(slot) challenge("join", text, effort, script, "wait instead", again) %}
{% if slot == "wait" %}
<p>In a hurry with an old device? <a href="/wait">Wait in line instead</a>.</p>
{% else %}
<p>Without JavaScript the check cannot run here: wait in line instead.</p>
{% endif %}
{% endcall %}
<button class="wide-button">Create an account</button>
</form>
{% endblock %}"""


EFFORT_MOST = 10_000
"""More than the service ever asks for: work that goes on while a test looks at a page, also on many quick cores."""


class ChallengeService:
    """Serves the form with `effort`, its answers judged by the real core. `outcomes` is what came in."""

    def __init__(self) -> None:
        self.challenges = Challenges(secrets.token_bytes(32), ChallengePlan(effort_most=EFFORT_MOST))
        self.outcomes: list[tuple[str, Solved | Failed, Answered]] = []
        self.effort = 1
        self.plan_lifetime_s: int | None = None
        self.again = ""
        self.asked_again = 0
        self.breaks: Callable[[str], bool] = lambda _path: False
        scripts = Scripts.of(load())
        environment = jinja2.Environment(
            loader=jinja2.ChoiceLoader([jinja2.DictLoader({"page": _PAGE}), jinja2.FileSystemLoader(_TEMPLATES)]),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(moment=str)  # which the fields' template names and this page does not use
        environment.globals.update(style=Markup(STYLE), icon=ICON_URL)  # noqa: S704 - our own file
        self.scripts = scripts
        self._page = environment.get_template("page")
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                if service.breaks(path):
                    self._send(404, {}, b"")
                elif path == "/again":
                    service.asked_again += 1
                    told = {"state": "form", "challenge": {"text": service.text(), "effort": service.effort}}
                    self._send(200, {"content-type": "application/json"}, json.dumps(told).encode())
                elif path.startswith("/challenge/"):
                    found = scripts.files[path.rpartition("/")[2]]
                    self._send(200, {"content-type": found.media_type}, found.bodies["identity"])
                else:
                    self._send(200, {"content-type": "text/html"} | CHALLENGE_HEADERS, service.page().encode())

            def do_POST(self) -> None:
                fields = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode(), keep_blank_values=True)
                said = service.judge({name: values[0] for name, values in fields.items()})
                text = f"<!doctype html><html lang=en><title>Done</title><h1>{said}</h1></html>"
                self._send(200, {"content-type": "text/html"} | CHALLENGE_HEADERS, text.encode())

            def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *said: object) -> None:
                del said

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="challenge service")

    def start(self) -> ChallengeService:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def page(self) -> str:
        """The form with a challenge of its own."""
        return self._page.render(
            text=self.text(),
            effort=self.effort,
            script=self.scripts.page_path,
            again=self.again,
            theme=None,
            visitor=None,
        )

    def text(self) -> str:
        """A challenge."""
        text = self.challenges.issue(
            Scope.SIGN_UP, SUBJECT, self.effort, PuzzleName.WAGNER, time.time(), secrets.token_bytes(16)
        )
        if self.plan_lifetime_s is not None:
            fields = text.split(".")
            text = ".".join([*fields[:4], str(self.plan_lifetime_s), *fields[5:]])
        return text

    def judge(self, fields: dict[str, str]) -> str:
        """What the page then says."""
        answered = Answered.of_fields(fields["challenge"], fields["answer"], fields["solve_ms"])
        found = self.challenges.verify(answered.challenge, answered.answer, Scope.SIGN_UP, SUBJECT, time.time())
        self.outcomes.append((fields["email"], found, answered))
        is_spent = isinstance(found, Solved) and self.challenges.spend(found, time.time())
        return "Welcome" if is_spent else "Not solved"
