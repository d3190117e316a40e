"""What is sent to people, and what a waiting sender is answered."""

from __future__ import annotations

import re
from typing import Any

from workflows.actions.respond import REFUSED
from workflows.integrations.n8n.data import Plain, Through
from workflows.integrations.n8n.js_tree import NotRead
from workflows.integrations.n8n.nodes.base import (
    Job,
    Made,
    Unsupported,
    connection_name,
    converts,
)
from workflows.integrations.n8n.source import listed, mapping, number, text

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_WITHOUT_BODY = (204, 205, 304)
_SLACK_KNOWN = frozenset(["mrkdwn", "thread_ts", "includeLinkToWorkflow", "link_names"])


@converts("respondToWebhook")
def respond(job: Job) -> Made:
    chosen = job.plain("respondWith", "firstIncomingItem")
    config: dict[str, Any] = {}
    headers = response_headers(job)
    status = _status(job)
    match chosen:
        case "firstIncomingItem" | "allIncomingItems":
            config["body"] = _incoming(job, chosen)
        case "json":
            config["body"] = _json(job)
        case "text":
            config["body"] = job.values.text(job.parameters.get("responseBody", ""))
        case "noData":
            pass
        case "redirect":
            headers["Location"] = job.values.text(job.parameters.get("redirectURL", ""))
            status = 307 if status is None else status
        case _:
            raise Unsupported(f'it answers with "{chosen[:40]}"')
    if headers:
        config["headers"] = headers
    if status is not None:
        config["status"] = status
    if status in _WITHOUT_BODY and config.pop("body", None) is not None:
        job.note(f"an answer with the status {status} has no body")
    return Made("respond", config, Through(job.node.name))


def response_headers(job: Job) -> dict[str, Any]:
    """Those of the option Response Headers."""
    found: dict[str, Any] = {}
    given = mapping(job.options.get("responseHeaders"))
    for item in listed(given.get("entries")):
        name = text(mapping(item).get("name"))
        if not _HEADER.fullmatch(name) or name.lower() in REFUSED:
            job.note(f'the header "{name[:60]}" cannot be set: left out')
            continue
        found[name] = job.values.text(mapping(item).get("value", ""))
    return found


def _status(job: Job) -> Any:
    given = job.options.get("responseCode")
    if given is None:
        return None
    if isinstance(given, str) and given.startswith("="):
        return job.values.value(given)
    status = int(number(given, 200))
    if not 200 <= status <= 599:
        job.note(f"the status {status} cannot be sent: 200")
        return 200
    return status


def _incoming(job: Job, chosen: str) -> Any:
    source = job.input().source
    if chosen == "allIncomingItems":
        source = f"[{source}]"
        job.note("there is one item here: the list has one entry")
    template = job.values.scope.checked(f"{{{{ {source} }}}}")
    key = text(job.options.get("responseKey"))
    return {key: template} if key else template


def _json(job: Job) -> Any:
    given = job.parameters.get("responseBody", '{\n  "myField": "value"\n}')
    try:
        return job.values.json_text(given)
    except NotRead as error:
        raise Unsupported(f"the body of the answer: {error}") from None


@converts("emailSend")
def send_email(job: Job) -> Made:
    given, options = job.parameters, job.options
    if text(given.get("operation")) not in ("", "send"):
        raise Unsupported("it sends a message and waits for an answer")
    config: dict[str, Any] = {
        "to": job.values.text(given.get("toEmail", "")),
        "subject": job.values.text(given.get("subject", "")),
    }
    for ours, theirs in (
        ("cc", "ccEmail"),
        ("bcc", "bccEmail"),
        ("reply_to", "replyTo"),
    ):
        value = given.get(theirs, options.get(theirs))
        if value:
            config[ours] = job.values.text(value)
    if given.get("fromEmail"):
        config["from"] = job.values.text(given["fromEmail"])
    _mail_body(job, config)
    missing = [name for name in ("to", "subject") if not config[name]]
    if missing:
        raise Unsupported(f"it has no {' and no '.join(missing)}")
    if given.get("attachments") or options.get("attachments"):
        job.note("attachments are not sent")
    job.note("it is sent through the mail server of EMAIL_URL, whatever n8n's was")
    return Made("email", config, Plain(job.root))


def _mail_body(job: Job, config: dict[str, Any]) -> None:
    given = job.parameters
    plain = job.values.text(given.get("text", given.get("message", "")))
    html = job.values.text(given.get("html", ""))
    default = "html" if job.node.version >= 2 else "both"
    chosen = text(given.get("emailFormat")) or default
    if html and chosen in ("html", "both"):
        config["html"] = html
    if chosen in ("text", "both") and plain:
        config["body"] = plain
    else:
        config["body"] = "This message is in HTML."
        job.note("a message in HTML needs a text beside it: a line stands there")


@converts("slack")
def slack(job: Job) -> Made:
    resource = job.plain("resource", "message")
    operation = job.plain("operation", "post")
    if resource != "message" or operation not in ("post", "send"):
        raise Unsupported(
            f"only messages can be sent, not {resource[:30]} {operation[:30]}"
        )
    config: dict[str, Any] = {"connection": _link(job)}
    message = job.values.text(job.parameters.get("text", ""))
    if message:
        config["text"] = message
    blocks = _blocks(job)
    if blocks:
        config["blocks"] = blocks
    if not message and not blocks:
        raise Unsupported("the message has no text")
    options = {**mapping(job.parameters.get("otherOptions")), **job.options}
    if job.parameters.get("attachments"):
        job.note("attachments are not sent")
    job.unknown_options(_SLACK_KNOWN, options)
    job.note(
        "it posts through an incoming webhook, which decides on the channel: create "
        f'the connection "{config["connection"]}" with its address'
    )
    return Made("slack", config, Plain(job.root))


def _link(job: Job) -> str:
    credentials = job.node.credentials
    return connection_name(credentials[0].name if credentials else "slack")


def _blocks(job: Job) -> Any:
    """Block Kit as JSON text, in an object or as the list itself."""
    given = job.parameters.get("blocksUi")
    if text(job.parameters.get("messageType")) != "block" or not given:
        return None
    try:
        found = job.values.json_text(given)
    except NotRead as error:
        raise Unsupported(f"the blocks: {error}") from None
    found = found.get("blocks") if isinstance(found, dict) else found
    return found if isinstance(found, list) and found else None
