"""Names that say that what they hold is a secret: which, and what holds them.

Both that redact by name and that look for what else must be hidden go by these rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

# Compared in lower case, without hyphens, underscores, dots and spaces.
REDACTED_NAMES = frozenset({"auth", "xauth", "otp", "cvv", "cvc", "cvv2"})
REDACTED_PARTS = (
    "authorization", "cookie", "token", "secret", "password", "passwd", "passphrase",
    "pwd", "apikey", "signature", "credential", "privatekey", "accesskey", "signingkey",
    "encryptionkey", "sessionid", "sessionkey", "jwt", "assertion",
)  # fmt: skip
REDACTED_PARAMETERS = frozenset({"key", "sig", "hmac"})
# Places in a listing and words about tokens, which are no credentials.
PLAIN_NAMES = frozenset(
    {"tokentype", "pagetoken", "nextpagetoken", "prevpagetoken", "nexttoken"}
)

# A parameter of a URL, a form or a cookie: what is before it, its name, its value.
PARAMETER = re.compile(r"(^|[?&;#]\s?)([^=&;#?\s\"'<>/]{1,100}+)=([^&;#\s\"'<>]++)")


def normalise(name: str) -> str:
    """A name as it is compared: "X-Api_Key" is "xapikey"."""
    # Four replacements are many times faster than one translate() that deletes.
    name = name.lower().replace("-", "").replace("_", "")
    return name.replace(".", "").replace(" ", "")


def is_sensitive(name: str) -> bool:
    """Whether what `name` holds is never shown."""
    return _is_sensitive(name[:200])  # the cache is no place for long texts


@lru_cache(maxsize=4096)
def _is_sensitive(name: str) -> bool:
    plain = normalise(name)
    if plain in PLAIN_NAMES:
        return False
    return plain in REDACTED_NAMES or any(part in plain for part in REDACTED_PARTS)


def is_sensitive_parameter(name: str) -> bool:
    """The same of a parameter, of which a few more names are never shown."""
    return is_sensitive(name) or normalise(name) in REDACTED_PARAMETERS


def hidden_keys(
    tree: Mapping[Any, Any], is_sensitive: Callable[[str], bool] = is_sensitive
) -> set[Any]:
    """The keys of a JSON object whose values are not shown."""
    found = {
        name for name, item in tree.items() if _hides(str(name), item, is_sensitive)
    }
    # {"name": "Authorization", "value": "..."}: how tools write lists of headers.
    label = tree.get("name", tree.get("key"))
    if isinstance(label, str) and _hides(label, tree.get("value"), is_sensitive):
        found.add("value")
    return found


def _hides(name: str, value: Any, is_sensitive: Callable[[str], bool]) -> bool:
    if value is None or isinstance(value, bool) or value in ("", [], {}):
        return False
    if isinstance(value, int | float) and normalise(name).endswith("tokens"):
        return False  # a number of tokens used or allowed
    return is_sensitive(name)
