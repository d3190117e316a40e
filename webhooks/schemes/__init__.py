"""Signature schemes: one module each, named as in `workflows.triggers.schemes`."""

from webhooks.schemes import github, hmac, none, standard_webhooks
from webhooks.schemes.base import (
    Outgoing,
    RawRequest,
    SignatureRejected,
    SignatureScheme,
    Verified,
    get,
    names,
    register,
)

__all__ = [
    "Outgoing",
    "RawRequest",
    "SignatureRejected",
    "SignatureScheme",
    "Verified",
    "get",
    "github",
    "hmac",
    "names",
    "none",
    "register",
    "standard_webhooks",
]
