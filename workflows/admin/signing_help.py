"""How a sender signs for a trigger: lines for a shell that work as they stand."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from automate.accounts.admin.html import NOTHING, block
from automate.lib.signing import WHPK_PREFIX
from workflows import services
from workflows.models import Trigger
from workflows.triggers.schemes import SCHEMES

BODY = '{"id": 1}'
HEAD = "SECRET='the signing secret'\nBODY={body}\n"


def how_to_sign(trigger: Trigger) -> str:
    """A block with lines for a shell; a dash for a trigger that nobody signs for."""
    text = shell_lines(trigger)
    if text:
        return block(text)
    scheme = SCHEMES.get(str(trigger.config.get("scheme") or ""))
    if scheme is None or not scheme.secret_required:
        return NOTHING
    if _has_public_key(trigger):
        return (
            "Only who has the private key can sign: give it to "
            f"manage.py send_event {trigger.key} --file event.json --secret whsk_..."
        )
    return f"There are no lines for the scheme “{scheme.label}”."


def shell_lines(trigger: Trigger) -> str:
    """The lines that post a signed event with openssl and curl; empty if unsigned."""
    name = str(trigger.config.get("scheme") or "")
    make, scheme = _MAKERS.get(name), SCHEMES.get(name)
    if make is None or scheme is None or _has_public_key(trigger):
        return ""
    options = {**scheme.defaults, **(trigger.config.get(name) or {})}
    head = HEAD.format(body=shlex.quote(BODY))
    methods = trigger.config.get("methods") or ["POST"]
    return head + make(options, services.trigger_url(trigger), str(methods[0]))


def _has_public_key(trigger: Trigger) -> bool:
    return isinstance(trigger.secret, str) and trigger.secret.startswith(WHPK_PREFIX)


def _curl(url: str, method: str, *headers: str) -> str:
    lines = [f"curl -X {shlex.quote(method)} {shlex.quote(url)}"]
    lines += [
        f'  -H "{header}"' for header in ("Content-Type: application/json", *headers)
    ]
    return " \\\n".join([*lines, '  --data-raw "$BODY"'])


def _hmac(options: Mapping[str, Any], url: str, method: str) -> str:
    stamp = options["timestamp_header"]
    signed = '"$TIME.$BODY"' if stamp else '"$BODY"'
    digest = f'openssl dgst -{options["hash"]} -hmac "$SECRET"'
    if options["encoding"] == "base64":
        made = f"printf %s {signed} | {digest} -binary | base64 -w0"
    else:
        made = f"printf %s {signed} | {digest} -r | cut -d' ' -f1"
    lines = ["TIME=$(date +%s)"] if stamp else []
    lines.append(f"SIGNATURE=$({made})")
    headers = [f"{options['header']}: {_quoted(options['prefix'])}$SIGNATURE"]
    if stamp:
        headers.append(f"{stamp}: $TIME")
    headers += _named(options)
    return "\n".join([*lines, _curl(url, method, *headers)])


def _quoted(text: str) -> str:
    """Text for the inside of double quotes."""
    for mark in ("\\", '"', "$", "`"):
        text = text.replace(mark, f"\\{mark}")
    return text


def _standard_webhooks(options: Mapping[str, Any], url: str, method: str) -> str:
    del options
    return "\n".join(
        [
            # The secret is base64 after its prefix; openssl wants the bytes as hex.
            'KEY=$(printf %s "${SECRET#whsec_}" | base64 -d '
            '| od -An -v -tx1 | tr -d " \\n")',
            "ID=msg_$(date +%s%N)",
            "TIME=$(date +%s)",
            'SIGNATURE=$(printf %s "$ID.$TIME.$BODY" | openssl dgst -sha256 -mac HMAC '
            '-macopt "hexkey:$KEY" -binary | base64 -w0)',
            _curl(
                url,
                method,
                "webhook-id: $ID",
                "webhook-timestamp: $TIME",
                "webhook-signature: v1,$SIGNATURE",
            ),
        ]
    )


def _github(options: Mapping[str, Any], url: str, method: str) -> str:
    del options
    signature = 'printf %s "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -r | cut'
    return "\n".join(
        [
            f"SIGNATURE=$({signature} -d' ' -f1)",
            _curl(
                url,
                method,
                "X-GitHub-Event: push",
                "X-GitHub-Delivery: $(date +%s%N)",
                "X-Hub-Signature-256: sha256=$SIGNATURE",
            ),
        ]
    )


def _stripe(options: Mapping[str, Any], url: str, method: str) -> str:
    del options
    made = "openssl dgst -sha256 -hmac \"$SECRET\" -r | cut -d' ' -f1"
    return "\n".join(
        [
            "TIME=$(date +%s)",
            f'SIGNATURE=$(printf %s "$TIME.$BODY" | {made})',
            _curl(url, method, "Stripe-Signature: t=$TIME,v1=$SIGNATURE"),
        ]
    )


def _slack(options: Mapping[str, Any], url: str, method: str) -> str:
    del options
    made = "openssl dgst -sha256 -hmac \"$SECRET\" -r | cut -d' ' -f1"
    return "\n".join(
        [
            "TIME=$(date +%s)",
            f'SIGNATURE=$(printf %s "v0:$TIME:$BODY" | {made})',
            _curl(
                url,
                method,
                "X-Slack-Request-Timestamp: $TIME",
                "X-Slack-Signature: v0=$SIGNATURE",
            ),
        ]
    )


def _shopify(options: Mapping[str, Any], url: str, method: str) -> str:
    del options
    made = 'openssl dgst -sha256 -hmac "$SECRET" -binary | base64 -w0'
    return "\n".join(
        [
            f'SIGNATURE=$(printf %s "$BODY" | {made})',
            _curl(
                url,
                method,
                "X-Shopify-Topic: orders/create",
                "X-Shopify-Webhook-Id: $(date +%s%N)",
                "X-Shopify-Hmac-SHA256: $SIGNATURE",
            ),
        ]
    )


def _twilio(options: Mapping[str, Any], url: str, method: str) -> str:
    del options
    made = 'openssl dgst -sha1 -hmac "$SECRET" -binary | base64 -w0'
    post = _curl(url, method, "X-Twilio-Signature: $SIGNATURE")
    return "\n".join(
        [
            "HASH=$(printf %s \"$BODY\" | openssl dgst -sha256 -r | cut -d' ' -f1)",
            f'URL={shlex.quote(url)}"?bodySHA256=$HASH"',
            f'SIGNATURE=$(printf %s "$URL" | {made})',
            post.replace(shlex.quote(url), '"$URL"', 1),
        ]
    )


def _gitlab(options: Mapping[str, Any], url: str, method: str) -> str:
    del options
    named = ("X-Gitlab-Event: Push Hook", "Idempotency-Key: $(date +%s%N)")
    return _curl(url, method, *named, "X-Gitlab-Token: $SECRET")


def _token(options: Mapping[str, Any], url: str, method: str) -> str:
    prefix = _quoted(options.get("prefix", "Bearer "))
    proof = f"{options.get('header', 'Authorization')}: {prefix}$SECRET"
    return _curl(url, method, *_named(options), proof)


def _basic(options: Mapping[str, Any], url: str, method: str) -> str:
    post = _curl(url, method, *_named(options))
    return post.replace("curl ", 'curl --user "$SECRET" ', 1)


def _named(options: Mapping[str, Any]) -> list[str]:
    headers = []
    if options["id_header"]:
        headers.append(f"{options['id_header']}: $(date +%s%N)")
    if options["event_header"]:
        headers.append(f"{options['event_header']}: test")
    return headers


_MAKERS: Mapping[str, Callable[[Mapping[str, Any], str, str], str]] = {
    "hmac": _hmac,
    "standard_webhooks": _standard_webhooks,
    "github": _github,
    "gitlab": _gitlab,
    "stripe": _stripe,
    "slack": _slack,
    "shopify": _shopify,
    "twilio": _twilio,
    "bearer": _token,
    "token": _token,
    "basic": _basic,
}
