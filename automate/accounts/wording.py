"""What an entry of the audit says happened, for people."""

from __future__ import annotations

from collections.abc import Mapping

NOUNS: Mapping[str, str] = {
    "apikey": "API key",
    "api_key": "API key",
    "failedsignin": "Failed sign-in",
    "signin": "Sign-in",
}
VERBS: Mapping[str, str] = {
    "activate": "switched on",
    "approve": "approved",
    "archive": "archived",
    "cancel": "cancelled",
    "change": "changed",
    "check": "tested",
    "close_breaker": "breaker closed",
    "create": "created",
    "deactivate": "switched off",
    "delete": "deleted",
    "end_previous_secret": "previous secret ended",
    "generate_secret": "secret generated",
    "give_up": "given up",
    "identity": "tied to an identity",
    "lock": "locked",
    "n8n_sync": "read from n8n",
    "pause": "paused",
    "publish": "published",
    "read_payload": "payload looked at",
    "recovery_codes": "recovery codes made",
    "redrive": "redriven",
    "register": "registered",
    "reject": "rejected",
    "resume": "resumed",
    "reuse": "ended: a token came twice",
    "revoke": "revoked",
    "rollback": "rolled back",
    "rotate_secret": "secret rotated",
    "save": "draft saved",
    "say_happened": "request said to have happened",
    "say_not_happened": "request said not to have happened",
    "second_factor_off": "second factor turned off",
    "second_factor_on": "second factor turned on",
    "set_secret": "secret set",
    "start": "started",
    "stop": "stopped",
    "test": "test event sent",
    "try": "tried",
    "unlock": "unlocked",
}


def in_words(action: str) -> str:
    """`run.start` is "Run started"; a verb that is not known here stays as it is."""
    noun, _, verb = action.partition(".")
    what = NOUNS.get(noun) or noun.replace("_", " ").capitalize()
    return f"{what} {VERBS.get(verb, verb.replace('_', ' '))}".strip()
