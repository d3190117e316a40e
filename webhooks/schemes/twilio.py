"""Twilio: X-Twilio-Signature over the address and the form.

https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from automate.lib import signing
from webhooks.schemes.base import (
    Outgoing,
    RawRequest,
    SignatureRejected,
    SignatureScheme,
    Verified,
    register,
    which_secret,
)

FORM = "application/x-www-form-urlencoded"
BODY_HASH = "bodySHA256"
MAX_FIELDS = 1000
_PORTS = {"https": 443, "http": 80}


@register
class Twilio(SignatureScheme):
    """HMAC-SHA1 in base64 of the address with its query, and of the form's fields.

    Fields are sorted, name and value without anything between. Any other body is
    signed by its hash in the query. The address is AUTOMATE_PUBLIC_URL's, whatever a
    proxy makes of it; with and without a port, because Twilio is inconsistent there.
    """

    name = "twilio"

    def verify(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],  # noqa: ARG002 - the contract's
        secrets: Sequence[bytes],
        now: datetime,  # noqa: ARG002 - the contract's
    ) -> Verified:
        """The request's id. Raises SignatureRejected."""
        fields = _fields(raw.body, raw.header("content-type"))
        signed = [address + fields for address in addresses(raw.url)]
        candidates = [_signature(key, text) for key in secrets for text in signed]
        given = raw.header("x-twilio-signature")
        what = f"address {raw.url} and the body"
        place = which_secret(candidates, given, "X-Twilio-Signature", what)
        if not fields and raw.body:
            _check_hash(raw)
        event_id = raw.header("i-twilio-idempotency-token")
        return Verified(event_id, secret=place // len(signed))

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
        """The headers of a request by Twilio to `address`."""
        fields = _fields(event.body, event.content_type)
        signed = self.address(event, config) + fields
        headers = {"X-Twilio-Signature": _signature(event.secret, signed)}
        if event.event_id:
            headers["I-Twilio-Idempotency-Token"] = event.event_id
        return headers

    def address(self, event: Outgoing, config: Mapping[str, Any]) -> str:  # noqa: ARG002 - the contract's
        """With the body's hash in the query, unless it is a form."""
        if not event.body or _is_form(event.content_type):
            return event.url
        mark = "&" if urlsplit(event.url).query else "?"
        digest = hashlib.sha256(event.body).hexdigest()
        return f"{event.url}{mark}{BODY_HASH}={digest}"


def addresses(url: str) -> list[str]:
    """An address without a port and with one: its own, or that of its protocol."""
    parts = urlsplit(url)
    host, colon, port = parts.netloc.rpartition(":")
    if not colon or port.endswith("]"):  # [::1] has colons and no port
        host, port = parts.netloc, str(_PORTS.get(parts.scheme, 443))
    return [
        parts._replace(netloc=host).geturl(),
        parts._replace(netloc=f"{host}:{port}").geturl(),
    ]


def _signature(secret: bytes, signed: str) -> str:
    return signing.hmac_base64(secret, signed.encode("utf-8", "surrogatepass"), "sha1")


def _is_form(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == FORM


def _fields(body: bytes, content_type: str) -> str:
    """What is signed of a form: a field that is there twice counts once."""
    if not _is_form(content_type):
        return ""
    try:
        text = body.decode("utf-8", "replace")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise SignatureRejected("The form has too many fields.") from None
    return "".join(name + value for name, value in sorted(set(pairs)))


def _check_hash(raw: RawRequest) -> None:
    """The body is the one whose hash the signed address holds."""
    query = parse_qsl(urlsplit(raw.url).query)
    hashes = [value.lower() for name, value in query if name == BODY_HASH]
    if not signing.matches_any([hashlib.sha256(raw.body).hexdigest()], hashes[:1]):
        raise SignatureRejected(f"The body is not the one of {BODY_HASH}.")
