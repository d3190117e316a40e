"""A small receiver for the demonstration: takes any POST, prints it, answers 200.

A script of its own, `python -I -S receiver.py PORT`, of the standard library alone.
"""

import json
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHOWN = 300  # characters of a body that are printed
LARGEST = 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    """Answers with a receipt, as a well-behaved system would."""

    server_version = "automate-demo-receiver"
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self) -> None:
        """200 with what was received; 413 above 1 MiB."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST:
            self.close_connection = True
            self.answer(413, {"error": "too large"})
            return
        body = self.rfile.read(length).decode("utf-8", "replace")
        self.tell(body)
        self.answer(200, {"received": True, "bytes": length})

    def tell(self, body: str) -> None:
        """What arrived, for the person at the terminal."""
        shown = body if len(body) <= SHOWN else body[:SHOWN] + " ..."
        now = time.strftime("%H:%M:%S")
        key = self.headers.get("Idempotency-Key", "none")
        sys.stdout.write(
            f"[receiver {now}] {self.command} {self.path}  Idempotency-Key: {key}\n"
            f"[receiver {now}] {shown}\n"
        )
        sys.stdout.flush()

    def answer(self, status: int, document: dict[str, object]) -> None:
        """A JSON answer."""
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are printed by `tell`."""


def main(port: int) -> None:
    """Serve on loopback until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer.daemon_threads = True
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
