"""Speaking HTTP to the service as a plain client does, over TCP and over its Unix sockets."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest


class Answer(NamedTuple):
    """A whole HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error object, checked for its shape."""
        error = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"}, error
        assert error["message"]
        assert error["type"]
        assert error["code"]
        return dict(error)


class UnixConnection(http.client.HTTPConnection):
    """A connection to a socket in the data directory."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("engine", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
) -> Answer:
    """Ask, read the whole answer, and hang up."""
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


class Call:
    """A request whose answer is still coming. `leave` hangs up, as a client that goes away does."""

    def __init__(self, url: str, path: str, key: str, body: Mapping[str, Any]) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._connection.request("POST", path, json.dumps(body).encode(), headers)
        self._response: http.client.HTTPResponse | None = None
        assert self._connection.sock is not None
        # Kept apart: a response to be closed with its connection takes the socket away from it.
        self._socket = self._connection.sock

    @property
    def response(self) -> http.client.HTTPResponse:
        """The response, waited for."""
        if self._response is None:
            self._response = self._connection.getresponse()
        return self._response

    def events(self) -> Iterator[Any]:
        """The stream's events, decoded, `[DONE]` as a string; comments left out."""
        assert self.response.status == 200, self.response.read()
        while line := self.response.readline():
            if line.startswith(b"data: "):
                payload = line[6:].strip()
                yield "[DONE]" if payload == b"[DONE]" else json.loads(payload)

    def wait_for_text(self) -> None:
        """Read on until the first piece of the answer itself."""
        for event in self.events():
            choices = event["choices"]
            if choices and (choices[0].get("text") or choices[0].get("delta", {}).get("content")):
                return
        pytest.fail("the stream ended without a piece of text")

    def answer(self) -> Answer:
        """The whole response."""
        response = self.response
        try:
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            self.leave()

    def leave(self) -> None:
        """Hang up."""
        if self._response is not None:
            self._response.close()
        self._connection.close()
        self._socket.close()
