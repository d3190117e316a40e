"""Why nobody is signed in who comes from an identity provider."""

from __future__ import annotations


class ProviderFailed(Exception):
    """The provider is away, refused, or said what must not be believed."""


class NoAccount(Exception):
    """Nobody here is this person; the message says why, and to whom to turn."""
