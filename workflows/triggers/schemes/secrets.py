"""What a signing secret must look like: each says what is wrong, or nothing."""

from __future__ import annotations

import secrets

from automate.lib.signing import (
    WHPK_PREFIX,
    WHSEC_PREFIX,
    WHSK_PREFIX,
    decode_whpk,
    decode_whsec,
)


def standard_webhooks(secret: str) -> str:
    """ "whsec_" and base64, or a public key: "whpk_" and base64 of 32 bytes."""
    text = secret.strip()
    if text.startswith(WHSK_PREFIX):
        return f'is the private key: the sender keeps it, give the "{WHPK_PREFIX}" one'
    try:
        if text.startswith(WHPK_PREFIX):
            decode_whpk(text)
        else:
            decode_whsec(text)
    except ValueError as error:
        return str(error)
    return ""


def stripe(secret: str) -> str:
    """An endpoint's secret, which is no API key."""
    if secret.startswith(WHSEC_PREFIX) and len(secret) > len(WHSEC_PREFIX):
        return ""
    return 'must be the one of the endpoint at Stripe, which begins with "whsec_"'


def slack(secret: str) -> str:
    """An app's signing secret, which is no token."""
    if secret.startswith(("xox", "xapp-")):
        return "must be the app's signing secret, not one of its tokens"
    return in_header(secret)


def twilio(secret: str) -> str:
    """An account's auth token, which is neither its SID nor an API key."""
    if secret.startswith(("AC", "SK")) and len(secret) == 34:
        return "must be the account's auth token, not a SID"
    return in_header(secret)


def in_header(secret: str) -> str:
    """A text that a header can carry as it stands."""
    if not secret:
        return "must not be empty"
    if secret != secret.strip():
        return "must not begin or end with a space"
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in secret):
        return "must not hold line breaks or other control characters"
    return ""


def gitlab(secret: str) -> str:
    """Any token; a signing token is "whsec_" and base64."""
    if secret.startswith(WHSEC_PREFIX):
        return standard_webhooks(secret)
    return in_header(secret)


def basic(secret: str) -> str:
    """ "user:password" (RFC 7617: the user without a colon)."""
    user, _, password = secret.partition(":")
    if not user or not password:
        return 'must be "user:password"'
    return in_header(secret)


def new_basic() -> str:
    """A user and 64 random hexadecimal digits."""
    return f"automate:{secrets.token_hex(32)}"
