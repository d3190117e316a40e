"""The message that an e-mail step sends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formataddr, getaddresses
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from automate.lib import jsonio
from workflows.actions.base import Context
from workflows.actions.email.schema import LONGEST_SUBJECT, MAX_RECIPIENTS

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\\]+")


class BadMessage(ValueError):
    """The rendered config cannot become a message; the message says why."""


def build(context: Context) -> EmailMultiAlternatives:
    """The message of a rendered config; the same for every attempt, save its date.

    Raises BadMessage.
    """
    config = context.config
    to, cc, bcc = (addresses(config, key) for key in ("to", "cc", "bcc"))
    if not to:
        raise BadMessage("to must name at least one address")
    if len(to) + len(cc) + len(bcc) > MAX_RECIPIENTS:
        raise BadMessage(f"a message has at most {MAX_RECIPIENTS} recipients")
    sender = addresses(config, "from") or [settings.DEFAULT_FROM_EMAIL]
    if len(sender) != 1:
        raise BadMessage("from must be one address")
    message = EmailMultiAlternatives(
        subject=_subject(config.get("subject")),
        body=_body(config.get("body")),
        from_email=sender[0],
        to=to,
        cc=cc,
        bcc=bcc,
        reply_to=addresses(config, "reply_to"),
        headers={
            "Message-ID": f"<{context.idempotency_key}@{settings.PUBLIC_HOST}>",
            "Auto-Submitted": "auto-generated",  # RFC 3834: no answer by a machine
        },
    )
    html = config.get("html")
    if html is not None:
        if not isinstance(html, str):
            raise BadMessage("html must be text")
        message.attach_alternative(html, "text/html")
    return message


def addresses(config: Mapping[str, Any], key: str) -> list[str]:
    """Each address, as it is written in a header. Raises BadMessage.

    A text may hold several with commas between them, an entry of a list only one:
    there a sender's data cannot add a recipient.
    """
    value = config.get(key)
    if value is None:
        return []
    if isinstance(value, str):
        return [_address(pair, key) for pair in _pairs(value, key)]
    if not isinstance(value, list):
        raise BadMessage(f"{key} must be a text or a list of addresses")
    found = []
    for position, item in enumerate(value):
        place = f"{key}[{position}]"
        if not isinstance(item, str):
            raise BadMessage(f"{place} must be an address")
        pairs = _pairs(item, place)
        if len(pairs) != 1:
            raise BadMessage(f"{place} must be one address")
        found.append(_address(pairs[0], place))
    return found


def _pairs(text: str, place: str) -> list[tuple[str, str]]:
    if _CONTROL.search(text):
        raise BadMessage(f"{place} must not hold line ends or control characters")
    return [pair for pair in getaddresses([text]) if pair != ("", "") or text.strip()]


def _address(pair: tuple[str, str], place: str) -> str:
    name, address = pair
    if not _ADDRESS.fullmatch(address) or len(address) > 320:
        raise BadMessage(
            f"{place} holds something that is no e-mail address: write "
            "ada@example.com or Ada Lovelace <ada@example.com>"
        )
    # Django encodes what is not ASCII; formataddr would do so too early.
    return (
        formataddr((name, address))
        if name.isascii()
        else f'"{_plain(name)}" <{address}>'
    )


def _plain(name: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", name)


def _subject(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadMessage("subject must be text")
    text = str(value)
    if not text.strip():
        raise BadMessage("subject must not be empty")
    if _CONTROL.search(text):
        raise BadMessage("subject must not hold line ends or control characters")
    if len(text) > LONGEST_SUBJECT:
        raise BadMessage(f"subject has more than {LONGEST_SUBJECT} characters")
    return text


def _body(value: Any) -> str:
    if value is None:
        raise BadMessage("body must not be empty")
    return jsonio.storable_text(
        value if isinstance(value, str) else jsonio.dumps(value)
    )
