"""People at the web chat: they sign up and in, ask, and see answers grow, as a browser would for them.

A Person keeps cookies by hand and sends what a browser sends by itself. Its
acts answer with the whole response, also with a refusal: the test says what it
expects. Every call has a connection of its own, so that nothing is shared but
the cookies; one Person is for one thread at a time, its `events` may be
followed in another.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator, Mapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.integration.speaking import Answer

PASSWORD = "a tide gate opens by itself"
_TIMEOUT_S = 60.0
_CSRF_FIELD = re.compile(r'name="csrf" value="([0-9a-f]+)"')


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    assert parts.hostname
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S)


class Person:
    """Somebody with a browser, at the service with this public URL."""

    def __init__(self, url: str, email: str, password: str = PASSWORD) -> None:
        """Nothing is asked yet."""
        self.url, self.email, self.password = url, email, password
        self.cookies: dict[str, str] = {}
        self._token: str | None = None

    # ------------------------------------------------------------ the pages

    def sign_up(self) -> Answer:
        """Fill in the form: 303 when there is an account now, and a session in the cookies."""
        return self.fill_in("/sign-up", email=self.email, password=self.password)

    def sign_in(self) -> Answer:
        """Fill in the form: 303 with a session in the cookies."""
        return self.fill_in("/sign-in", email=self.email, password=self.password)

    def sign_out(self) -> Answer:
        """End the session."""
        return self._post_form("/sign-out", {"csrf": self.token()})

    def fill_in(self, path: str, **fields: str) -> Answer:
        """Open the page with the form and send it; the answer is the page's own when there is no form on it."""
        page = self.get(path, accept="text/html")
        found = _CSRF_FIELD.search(page.body.decode())
        return page if found is None else self._post_form(path, {**fields, "csrf": found[1]})

    # ------------------------------------------------------------ the chat

    def session(self) -> Answer:
        """Who is signed in; keeps the token for what follows."""
        answer = self.get("/api/session")
        if answer.status == 200:
            self._token = answer.json["csrf_token"]
        return answer

    def token(self) -> str:
        """The token of this session, asked for when it is first needed."""
        if self._token is None:
            answer = self.session()
            assert answer.status == 200, answer
        assert self._token is not None
        return self._token

    def ask(self, content: str, conversation: str | None = None, parent: str | None = None) -> Answer:
        """Ask a question in a new conversation, or in one after `parent`: 201 when it is kept."""
        if conversation is None:
            return self.post("/api/conversations", {"content": content})
        return self.post(f"/api/conversations/{conversation}/messages", {"content": content, "parent": parent})

    def stop(self, conversation: str) -> Answer:
        """Have enough of the answer that is being written there: 204."""
        return self.post(f"/api/conversations/{conversation}/reply", method="DELETE")

    def tree(self, conversation: str) -> Answer:
        """A conversation with all its messages."""
        return self.get(f"/api/conversations/{conversation}")

    def events(self) -> Events:
        """Begin to watch what happens in the account; it is heard from the event `hello` on."""
        return Events(self.url, self._cookie_header())

    # ------------------------------------------------------------ single calls

    def get(self, path: str, *, accept: str = "application/json") -> Answer:
        """Ask for a page or for values."""
        return self.request("GET", path, headers={"accept": accept})

    def post(self, path: str, body: object = None, *, method: str = "POST") -> Answer:
        """Have the page's program change something: JSON if there is a body, and the session's token."""
        headers = {"content-type": "application/json", "x-csrf-token": self.token()}
        return self.request(method, path, None if body is None else json.dumps(body).encode(), headers)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One call with the cookies, from the service's own page; cookies that come back are kept."""
        given = {"sec-fetch-site": "same-origin", **self._cookie_header(), **(headers or {})}
        connection = _connection(self.url)
        try:
            connection.request(method, path, body, given)
            response = connection.getresponse()
            self._keep_cookies(response)
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def _post_form(self, path: str, fields: Mapping[str, str]) -> Answer:
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
        return self.request("POST", path, urlencode(fields).encode(), headers)

    def _cookie_header(self) -> dict[str, str]:
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}

    def _keep_cookies(self, response: http.client.HTTPResponse) -> None:
        for line in response.headers.get_all("set-cookie", []):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
                self._token = None  # it belongs to the session


class Events:
    """The stream of one account's events. Iterating ends when the service ends it or is gone; `leave` hangs up."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        """Asks for it and waits until it begins."""
        self._connection = _connection(url)
        self._connection.request("GET", "/api/events", headers={"accept": "text/event-stream", **headers})
        assert self._connection.sock is not None
        # Kept apart: a response to be closed with its connection takes the socket away from it.
        self._socket = self._connection.sock
        self._response = self._connection.getresponse()
        assert self._response.status == 200, self._response.read()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        try:
            while line := self._response.readline():
                if line.startswith(b"data: ") and line.endswith(b"\n"):
                    yield json.loads(line[6:])
        except (OSError, http.client.HTTPException):
            return

    def next_of(self, kind: str) -> dict[str, Any] | None:
        """Read on until the next event of that type; None when the stream ends before it."""
        return next((event for event in self if event["type"] == kind), None)

    def leave(self) -> None:
        """Hang up, also while another thread reads."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the service was first
        finally:
            self._response.close()
            self._connection.close()
            self._socket.close()
