"""The config of an e-mail step, as JSON Schema 2020-12."""

from __future__ import annotations

from typing import Any

MAX_RECIPIENTS = 100
LONGEST_SUBJECT = 900  # characters; RFC 5322 allows 998 bytes a line

_ADDRESS = {"type": "string", "minLength": 1, "maxLength": 1_000}


def _addresses(title: str, description: str = "") -> dict[str, Any]:
    found = {
        "title": title,
        "type": ["string", "array"],
        "minLength": 1,
        "maxLength": 20_000,
        "minItems": 1,
        "maxItems": MAX_RECIPIENTS,
        "items": _ADDRESS,
    }
    return {**found, "description": description} if description else found


CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["to", "subject", "body"],
    "properties": {
        "to": _addresses("To", "A list of addresses, or text with commas between them"),
        "cc": _addresses("Copies to"),
        "bcc": _addresses("Blind copies to"),
        "subject": {
            "title": "Subject",
            "type": ["string", "number"],
            "minLength": 1,
            "maxLength": LONGEST_SUBJECT,
        },
        "body": {
            "title": "Text",
            "description": "Data is written as JSON",
            "type": ["string", "number", "boolean", "object", "array"],
        },
        "html": {
            "title": "HTML",
            "description": "Beside the text, which is still needed",
            "type": "string",
        },
        "from": {
            "title": "From",
            "description": "AUTOMATE_EMAIL_FROM when it is left out",
            **_ADDRESS,
        },
        "reply_to": _addresses("Answers to"),
    },
}
