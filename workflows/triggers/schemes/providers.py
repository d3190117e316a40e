"""Schemes of providers, each as its own documentation says."""

from __future__ import annotations

from types import MappingProxyType

from automate.lib.ids import new_secret
from workflows.triggers.schemes import secrets
from workflows.triggers.schemes.base import (
    DEFAULT_TOLERANCE,
    TOLERANCE,
    Scheme,
    options,
)

_TOLERANCE_ONLY = options(tolerance=TOLERANCE)
_TOLERANCE_DEFAULT = MappingProxyType({"tolerance": DEFAULT_TOLERANCE})

PROVIDERS = (
    # https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
    Scheme(
        "github",
        "GitHub",
        secret_required=True,
        signature_header="X-Hub-Signature-256",
        id_header="X-GitHub-Delivery",
        event_header="X-GitHub-Event",
    ),
    # https://docs.gitlab.com/user/project/integrations/webhooks/
    Scheme(
        "gitlab",
        "GitLab",
        secret_required=True,
        signature_header="X-Gitlab-Token",
        other_headers=("webhook-signature",),
        id_header="Idempotency-Key",
        event_header="X-Gitlab-Event",
        timestamp_header="webhook-timestamp",
        options_schema=_TOLERANCE_ONLY,
        defaults=_TOLERANCE_DEFAULT,
        new_secret=lambda: new_secret(32),
        check_secret=secrets.gitlab,
    ),
    # https://docs.stripe.com/webhooks#verify-manually; id and type are in the body.
    Scheme(
        "stripe",
        "Stripe",
        secret_required=True,
        signature_header="Stripe-Signature",
        options_schema=_TOLERANCE_ONLY,
        defaults=_TOLERANCE_DEFAULT,
        new_secret=None,
        check_secret=secrets.stripe,
        shown_at="Stripe shows it at the endpoint, as its signing secret",
    ),
    # https://docs.slack.dev/authentication/verifying-requests-from-slack; id and type
    # are in the body.
    Scheme(
        "slack",
        "Slack",
        secret_required=True,
        signature_header="X-Slack-Signature",
        timestamp_header="X-Slack-Request-Timestamp",
        options_schema=_TOLERANCE_ONLY,
        defaults=_TOLERANCE_DEFAULT,
        new_secret=None,
        check_secret=secrets.slack,
        shown_at="Slack shows it at the app, Basic Information, Signing Secret",
    ),
    # https://shopify.dev/docs/apps/build/webhooks/verify-deliveries
    Scheme(
        "shopify",
        "Shopify",
        secret_required=True,
        signature_header="X-Shopify-Hmac-SHA256",
        id_header="X-Shopify-Webhook-Id",
        event_header="X-Shopify-Topic",
        new_secret=None,
        check_secret=secrets.in_header,
        shown_at="it is the app's client secret, or the one that Shopify shows "
        "below the list of the shop's webhooks",
    ),
    # https://www.twilio.com/docs/usage/webhooks/webhooks-security
    Scheme(
        "twilio",
        "Twilio",
        secret_required=True,
        signature_header="X-Twilio-Signature",
        id_header="I-Twilio-Idempotency-Token",
        new_secret=None,
        check_secret=secrets.twilio,
        shown_at="it is the auth token of the account, shown in Twilio's console",
    ),
)
