"""Step kind `slack`: a message through one of Slack's incoming webhooks.

Answers as in https://api.slack.com/messaging/webhooks, section "Handling errors".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from workflows.actions.base import Action, Context, register
from workflows.actions.http_request import HttpRequest
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome, Retry

LONGEST = 40_000  # characters; Slack cuts what is longer
MAX_BLOCKS = 50
FIELDS = ("text", "blocks", "channel", "username", "icon_emoji")
REASONS = {
    "action_prohibited": "the workspace does not allow this message here",
    "channel_is_archived": "the channel is archived",
    "channel_not_found": "the channel does not exist, or is out of its reach",
    "invalid_blocks": "Slack cannot read the blocks",
    "invalid_payload": "Slack cannot read the message",
    "invalid_token": "the webhook's address is wrong or no longer valid",
    "no_service": "the webhook was removed, disabled, or never existed",
    "no_team": "the workspace does not exist any more",
    "no_text": "the message has no text",
    "posting_to_general_channel_denied": "the webhook may not post to #general",
    "rollup_error": "Slack had an error of its own",
    "user_not_found": "the user does not exist",
}

_SHORT = {"type": "string", "minLength": 1, "maxLength": 200}


@register
class Slack(Action):
    """Posts a message; its output is `{"ok": true}`, or `{"status", "error"}`."""

    kind = "slack"
    label = "Slack message"
    description = "Posts a message through an incoming webhook of Slack."
    sends = True
    secret_fields = ("webhook_url",)
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "webhook_url": {
                "title": "Webhook URL",
                "description": "Keep it in a secret: {{ secrets.NAME }}",
                "type": "string",
                "minLength": 1,
                "maxLength": 2_000,
            },
            "connection": {
                "title": "Connection",
                "description": "Whose base URL is the webhook's, or comes before it",
                "type": "string",
                "minLength": 1,
                "maxLength": 100,
                "x-template": False,
            },
            "text": {
                "title": "Text",
                "description": "The message, or with blocks its notification",
                "type": "string",
                "minLength": 1,
                "maxLength": LONGEST,
            },
            "blocks": {
                "title": "Blocks",
                "description": "The message's layout, as Slack's Block Kit has it",
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_BLOCKS,
                "items": {"type": "object"},
            },
            "channel": {
                "title": "Channel",
                "description": "Only webhooks of the old kind can choose it",
                **_SHORT,
            },
            "username": {"title": "Name of the sender", **_SHORT},
            "icon_emoji": {
                "title": "Emoji of the sender",
                "description": ":rocket:",
                **_SHORT,
            },
        },
    }

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        if "webhook_url" not in config and "connection" not in config:
            yield "webhook_url", "is required, unless a connection is named"
        if "text" not in config and "blocks" not in config:
            yield "text", "is required, unless there are blocks"
        url = config.get("webhook_url", "{{").strip().lower()
        known = url.startswith(("https://", "http://", "{{"))
        if "connection" not in config and not known:
            yield "webhook_url", "must begin with https://, or name a connection"

    def target(self, config: Mapping[str, Any]) -> tuple[str, str]:
        return "POST", str(config.get("webhook_url") or "")

    def execute(self, context: Context) -> Outcome:
        try:
            config = _request(context)
        except ValueError as error:
            return Fail(ErrorInfo("BadConfig", context.redactor.text(str(error))))
        outcome = HttpRequest().execute(replace(context, config=config))
        match outcome:
            case Done(output={"body": str() as body}) if body.strip() == "ok":
                return replace(outcome, output={"ok": True})
            case Done(output=output):
                return Fail(
                    ErrorInfo(
                        "BadResponse",
                        f"the receiver answered {output['status']}, but not "
                        '"ok" as Slack does: is this the address of a webhook?',
                    ),
                    attempt=outcome.attempt,
                    output={"status": output["status"], "error": ""},
                )
            case Fail(output={"status": int()}) | Retry(output={"status": int()}):
                return _refused(outcome, context)
        return outcome


def _request(context: Context) -> dict[str, Any]:
    """The config of the HTTP request that posts the message; raises ValueError."""
    config = context.config
    message = {name: config[name] for name in FIELDS if config.get(name) is not None}
    for name, value in message.items():
        if name == "blocks":
            if not isinstance(value, list) or not 1 <= len(value) <= MAX_BLOCKS:
                raise ValueError(f"blocks must be a list of 1 to {MAX_BLOCKS} blocks")
        elif isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"{name} must be text")
        else:
            message[name] = str(value)
    if not message.get("text") and not message.get("blocks"):
        raise ValueError("text must not be empty, unless there are blocks")
    if len(message.get("text", "")) > LONGEST:
        raise ValueError(f"text has more than {LONGEST} characters")
    link = context.connection
    url = config.get("webhook_url") or (link.base_url if link else "")
    request = {"method": "POST", "url": url, "body": message, "response_format": "text"}
    named = config.get("connection")
    return {**request, "connection": named} if named else request


def _refused(outcome: Fail | Retry, context: Context) -> Outcome:
    """The same with Slack's reason, a word in the body of its answer."""
    answer = outcome.output
    word = (answer.get("body") or "").strip()[:100]
    message = outcome.error.message
    if word:
        said = REASONS.get(word)
        shown = context.redactor.text(word)
        message += f": {shown} ({said})" if said else f": {shown}"
    error = ErrorInfo(outcome.error.error_class, message)
    return replace(
        outcome, error=error, output={"status": answer["status"], "error": word}
    )
