"""Where the workflows of a site under test send: one HTTP server for all of them."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

N8N_WORKFLOW = {
    "id": "abc",
    "name": "From the API",
    "active": True,
    "nodes": [
        {
            "name": "Webhook",
            "type": "n8n-nodes-base.webhook",
            "parameters": {"path": "from-api", "httpMethod": "POST"},
        }
    ],
}


class Receiver:
    """Answers every POST with 200; keeps what came, by path, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[tuple[str, Any]] = []
        self._now = 0
        self.most_at_once = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """The workflow of n8n's API whose webhook is a path here."""
                self._answer(200, json.dumps(N8N_WORKFLOW).encode())

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                self._answer(*receiver.take(self.path, self.rfile.read(length)))

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nothing: what came is in `seen`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Keep one request; the answer to it."""
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            with self._lock:
                self._seen.append((path, _read(body)))
            return 200, b"ok" if path == "/slack" else b'{"ok": true}'
        finally:
            with self._lock:
                self._now -= 1

    def bodies(self, path: str) -> list[Any]:
        """What came to this path, read as JSON where it is JSON."""
        with self._lock:
            return [body for seen, body in self._seen if seen == path]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()
