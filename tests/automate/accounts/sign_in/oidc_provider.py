"""A small identity provider on a real socket: discovery, the code flow, keys.

It does what OpenID Connect Core 1.0 asks of one, PKCE included, and can be told to
misbehave: `claims`, `described`, `signed_with` and `key` say how.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT, SECRET = "automate-test", "a secret of the client"


class Provider:
    """What it says and what it was asked."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
        self.published = [self.key]
        self.signed_with = "RS256"
        self.claims: dict[str, Any] = {
            "sub": "248289761001",
            "email": "ann@example.com",
            "email_verified": True,
            "name": "Ann",
        }
        self.described: dict[str, Any] = {}
        self.user_info: dict[str, Any] = {"sub": "248289761001"}
        self.granted: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.answers: dict[str, tuple[int, dict[str, str]]] = {}
        self.issuer = ""

    def description(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "verify": False,
            **self.described,
        }

    def authorize(self, query: str) -> str:
        """The person agrees: where the browser goes then."""
        sent = dict(parse_qsl(query))
        assert sent["response_type"] == "code"
        assert sent["client_id"] == CLIENT
        assert "openid" in sent["scope"].split()
        assert sent["code_challenge_method"] == "S256"
        assert len(sent["nonce"]) > 15
        assert len(sent["state"]) > 15
        code = f"code-{len(self.granted)}"
        self.granted[code] = sent
        back = urlencode({"code": code, "state": sent["state"]})
        return f"{sent['redirect_uri']}?{back}"

    def token(self, form: dict[str, list[str]], authorization: str) -> dict[str, Any]:
        """Against a code, once, for who can prove that it began here."""
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        assert authorization == f"Basic {expected}"
        sent = self.granted.pop(form["code"][0])
        assert form["grant_type"] == ["authorization_code"]
        assert form["redirect_uri"] == [sent["redirect_uri"]]
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert challenge == sent["code_challenge"], "PKCE"
        return {
            "access_token": "opaque",
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": self.id_token(sent["nonce"]),
        }

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60,
            "nonce": nonce, **self.claims,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.signed_with == "none":
            head, body = ({"alg": "none"}, claims)
            parts = (
                base64.urlsafe_b64encode(json.dumps(x).encode()) for x in (head, body)
            )
            return ".".join(part.rstrip(b"=").decode() for part in parts) + "."
        key: Any = self.key
        if self.signed_with == "HS256":  # with what everybody can read
            key = OctKey.import_key(json.dumps(self.key.as_dict(private=False)))
        header = {"alg": self.signed_with, "kid": str(self.key.kid)}
        return jwt.encode(header, claims, key, algorithms=[self.signed_with])


class Handler(BaseHTTPRequestHandler):
    """Passes requests on to the provider that its class was made for."""

    provider: Provider

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        self.provider.asked.append(where.path)
        if where.path in self.provider.answers:
            status, headers = self.provider.answers[where.path]
            self._say(status, b"", headers)
        elif where.path == "/authorize":
            to = self.provider.authorize(where.query)
            self._say(302, b"", {"Location": to})
        elif where.path == "/userinfo":
            assert self.headers["Authorization"] == "Bearer opaque"
            self._json(self.provider.user_info)
        elif where.path == "/keys":
            keys = [key.as_dict(private=False) for key in self.provider.published]
            self._json({"keys": keys})
        else:
            self._json(self.provider.description())

    def do_POST(self) -> None:
        self.provider.asked.append(self.path)
        length = int(self.headers["Content-Length"])
        form = parse_qs(self.rfile.read(length).decode())
        authorization = self.headers.get("Authorization", "")
        try:
            found = self.provider.token(form, authorization)
        except (AssertionError, KeyError):
            self._json({"error": "invalid_grant"}, 400)
        else:
            self._json(found)

    def _json(self, data: Any, status: int = 200) -> None:
        kind = {"Content-Type": "application/json"}
        self._say(status, json.dumps(data).encode(), kind)

    def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def running() -> Iterator[Provider]:
    """A provider that answers until the end of the block."""
    provider = Provider()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Its", (Handler,), {"provider": provider})
    )
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
