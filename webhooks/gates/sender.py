"""Gates about the sender: whose address it is, and whether the sender may use it."""

from __future__ import annotations

import logging

from django.conf import settings

from automate.lib import signing
from automate.lib.encryption import is_readable
from webhooks import schemes
from webhooks.answers import Answer, Answered, Reason, unauthorized, unavailable
from webhooks.arrival import Arrival
from webhooks.gates.body import too_large_for_strangers
from webhooks.secret_use import note_use
from workflows.triggers.schemes import options_of, scheme_of

logger = logging.getLogger(__name__)

_NOBODYS_SECRET = b"an unknown address takes as long as a bad signature"


def known(arrival: Arrival) -> None:
    """The address belongs to a webhook trigger."""
    if arrival.found is None:
        candidate = signing.github_signature(_NOBODYS_SECRET, arrival.body)
        signing.matches_any([candidate], "sha256=")
        raise unauthorized(Reason.UNKNOWN_KEY, "No webhook has this address.")


def signature(arrival: Arrival) -> None:
    """The sender has proved who it is, and not too long ago."""
    entry = arrival.entry
    try:
        data = scheme_of(entry.config)
        arrival.decisions["scheme"] = data.name
        options = options_of(entry.config)
        scheme = schemes.get(data.name)
    except KeyError:
        logger.error("trigger %s names an unknown scheme", entry.trigger_id)
        raise unavailable("The trigger's scheme is unknown.") from None
    if data.secret_required and not is_readable(entry.secret):
        logger.error("trigger %s: its secret is %s", entry.trigger_id, entry.secret)
        raise unavailable(f"The trigger's secret is {entry.secret}.")
    raw = schemes.RawRequest(
        arrival.headers, arrival.body, arrival.incoming.method, arrival.incoming.url
    )
    secrets = entry.secrets(arrival.now)
    try:
        if data.secret_required and not secrets:
            raise schemes.SignatureRejected("The trigger has no signing secret.")
        arrival.verified = scheme.verify(raw, options, secrets, arrival.now)
        note_use(entry, arrival.verified.secret, arrival.now)
        if arrival.verified.secret:  # not the first, which is the current one
            arrival.decisions["signed_with"] = "previous"
    except schemes.SignatureRejected as error:
        reason = Reason.EXPIRED if error.expired else Reason.BAD_SIGNATURE
        if len(arrival.body) > settings.MAX_BODY:
            # As where nobody may send so much: the address must not show that it does.
            raise too_large_for_strangers(reason, error.reason) from None
        raise unauthorized(reason, error.reason) from None


def challenge(arrival: Arrival) -> None:
    """A provider that asks whether the address is ours is told so.

    Only who has proved who it is, and whether or not the workflow is active: providers
    ask when the address is typed there, which may be before publishing.
    """
    if arrival.verified.challenge:
        body = arrival.verified.challenge.encode("utf-8", "replace")
        raise Answered(Answer(200, body, "text/plain; charset=utf-8"))
