"""Signed tokens (JWT, RFC 7519) that only this installation can make and read.

HS256 under keys derived from FIELD_ENCRYPTION_KEYS. The first key signs, all verify:
after a rotation a token stays good for as long as its key stays in the ring. A token
of one kind is never taken for one of another: the kind is in the signed header.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.signals import setting_changed
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

ALGORITHM = "HS256"
ISSUER = "automate"
SKEW = 10  # seconds that the clocks of two hosts may differ
LONGEST = 2048  # characters
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class Kind(StrEnum):
    """The header `typ`: what a token is for."""

    ACCESS = "at+jwt"  # RFC 9068, section 2.1
    REFRESH = "rt+jwt"


class BadToken(Exception):
    """Not a token of ours, of another kind, or one whose time is over."""


def looks_like_one(text: str) -> bool:
    """Whether this has the form of a JWT: three parts of base64url."""
    return len(text) <= LONGEST and _FORM.fullmatch(text) is not None


def issue(kind: Kind, claims: Mapping[str, Any], seconds: int) -> str:
    """A token with these claims that is good for so many seconds."""
    now = int(time.time())
    body = {"iss": ISSUER, "iat": now, "exp": now + seconds, **claims}
    header, key = next(iter(_keys()[kind].values()))
    return jwt.encode(header, body, key, algorithms=[ALGORITHM])


def read(kind: Kind, text: str) -> dict[str, Any]:
    """The claims of a token of this kind. Raises BadToken.

    What a stranger wrote into it is parsed only when the signature is right.
    """
    if not looks_like_one(text):
        raise BadToken("not a token")
    found = _keys()[kind].get(text.partition(".")[0])
    if found is None:
        raise BadToken("not a token of this kind, or its key is gone")
    rules = jwt.JWTClaimsRegistry(
        leeway=SKEW,
        iss={"essential": True, "value": ISSUER},
        iat={"essential": True},
        exp={"essential": True},
    )
    try:
        token = jwt.decode(text, found[1], algorithms=[ALGORITHM])
        rules.validate(token.claims)
    except (JoseError, ValueError) as error:
        raise BadToken(str(error)) from None
    return token.claims


@lru_cache(maxsize=1)
def _keys() -> dict[Kind, dict[str, tuple[dict[str, str], OctKey]]]:
    """For each kind: the first part of its tokens -> (header, key), the writer first.

    There is one header for each key and kind, so a token that begins otherwise is none.
    """
    found: dict[Kind, dict[str, tuple[dict[str, str], OctKey]]] = {}
    ring = [_derive(key.strip()) for key in settings.FIELD_ENCRYPTION_KEYS]
    for kind in Kind:
        found[kind] = {}
        for raw in ring:
            name = hashlib.sha256(raw).hexdigest()[:8]
            header = {"typ": str(kind), "alg": ALGORITHM, "kid": name}
            found[kind].setdefault(_part(header), (header, OctKey.import_key(raw)))
    return found


def _part(header: Mapping[str, str]) -> str:
    text = json.dumps(header, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _derive(key: str) -> bytes:
    """32 bytes from a key of any form (HKDF-SHA256, RFC 5869, without salt)."""
    kdf = HKDF(SHA256(), length=32, salt=None, info=b"automate tokens")
    return kdf.derive(key.encode("utf-8"))


def _forget_keys(*, setting: str, **_kwargs: Any) -> None:
    if setting == "FIELD_ENCRYPTION_KEYS":
        _keys.cache_clear()


setting_changed.connect(_forget_keys)
