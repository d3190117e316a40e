"""How a sender signs for a trigger: lines for a shell that work as they stand."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from automate.accounts.admin.html import NOTHING, block
from automate.lib.signing import WHPK_PREFIX
from workflows import services
from workflows.models import Trigger
from workflows.triggers.schemes import SCHEMES

BODY = '{"id": 1}'
_NOW = "$(date +%s%N)"  # a new id each time
_TIME = "TIME=$(date +%s)"
Maker = Callable[[Mapping[str, Any], str, str], str]  # options, address, method
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


def _post(url: str, method: str, lines: Sequence[str], *headers: str) -> str:
    return "\n".join([*lines, _curl(url, method, *headers)])


def _signature(signed: str, digest: str = "sha256", *, as_base64: bool = False) -> str:
    """The line that signs a text, which stands in the shell's double quotes."""
    end = "-binary | base64 -w0" if as_base64 else "-r | cut -d' ' -f1"
    made = f'printf %s "{signed}" | openssl dgst -{digest} -hmac "$SECRET" {end}'
    return f"SIGNATURE=$({made})"


def _fixed(*headers: str, lines: Sequence[str] = ()) -> Maker:
    """For a provider that leaves nothing to choose."""
    return lambda _options, url, method: _post(url, method, lines, *headers)


def _hmac(options: Mapping[str, Any], url: str, method: str) -> str:
    stamp = options["timestamp_header"]
    signed = "$TIME.$BODY" if stamp else "$BODY"
    as_base64 = options["encoding"] == "base64"
    lines = [_TIME] if stamp else []
    lines.append(_signature(signed, options["hash"], as_base64=as_base64))
    headers = [f"{options['header']}: {_quoted(options['prefix'])}$SIGNATURE"]
    if stamp:
        headers.append(f"{stamp}: $TIME")
    return _post(url, method, lines, *headers, *_named(options))


def _quoted(text: str) -> str:
    """Text for the inside of double quotes."""
    for mark in ("\\", '"', "$", "`"):
        text = text.replace(mark, f"\\{mark}")
    return text


def _twilio(options: Mapping[str, Any], url: str, method: str) -> str:
    del options
    post = _curl(url, method, "X-Twilio-Signature: $SIGNATURE")
    return "\n".join(
        [
            "HASH=$(printf %s \"$BODY\" | openssl dgst -sha256 -r | cut -d' ' -f1)",
            f'URL={shlex.quote(url)}"?bodySHA256=$HASH"',
            _signature("$URL", "sha1", as_base64=True),
            post.replace(shlex.quote(url), '"$URL"', 1),
        ]
    )


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
        headers.append(f"{options['id_header']}: {_NOW}")
    if options["event_header"]:
        headers.append(f"{options['event_header']}: test")
    return headers


_MAKERS: Mapping[str, Maker] = {
    "hmac": _hmac,
    "standard_webhooks": _fixed(
        "webhook-id: $ID",
        "webhook-timestamp: $TIME",
        "webhook-signature: v1,$SIGNATURE",
        lines=(
            # The secret is base64 after its prefix; openssl wants the bytes as hex.
            'KEY=$(printf %s "${SECRET#whsec_}" | base64 -d '
            '| od -An -v -tx1 | tr -d " \\n")',
            f"ID=msg_{_NOW}",
            _TIME,
            'SIGNATURE=$(printf %s "$ID.$TIME.$BODY" | openssl dgst -sha256 -mac HMAC '
            '-macopt "hexkey:$KEY" -binary | base64 -w0)',
        ),
    ),
    "github": _fixed(
        "X-GitHub-Event: push",
        f"X-GitHub-Delivery: {_NOW}",
        "X-Hub-Signature-256: sha256=$SIGNATURE",
        lines=(_signature("$BODY"),),
    ),
    "gitlab": _fixed(
        "X-Gitlab-Event: Push Hook",
        f"Idempotency-Key: {_NOW}",
        "X-Gitlab-Token: $SECRET",
    ),
    "stripe": _fixed(
        "Stripe-Signature: t=$TIME,v1=$SIGNATURE",
        lines=(_TIME, _signature("$TIME.$BODY")),
    ),
    "slack": _fixed(
        "X-Slack-Request-Timestamp: $TIME",
        "X-Slack-Signature: v0=$SIGNATURE",
        lines=(_TIME, _signature("v0:$TIME:$BODY")),
    ),
    "shopify": _fixed(
        "X-Shopify-Topic: orders/create",
        f"X-Shopify-Webhook-Id: {_NOW}",
        "X-Shopify-Hmac-SHA256: $SIGNATURE",
        lines=(_signature("$BODY", as_base64=True),),
    ),
    "twilio": _twilio,
    "bearer": _token,
    "token": _token,
    "basic": _basic,
}
