"""The second factor's verbs: set up, confirm, check, renew, remove; all audited."""

from __future__ import annotations

from base64 import b32encode
from urllib.parse import quote, urlencode

import django_otp
import segno
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from automate.accounts import audit
from automate.accounts.models import SecondFactor, User
from automate.accounts.models.second_factor import DIGITS, STEP, new_key

ISSUER = "Automate"


def is_missing(user: User) -> bool:
    """Whether this person must set one up before anything else."""
    return settings.REQUIRE_SECOND_FACTOR and user.second_factor_since is None


def begin(user: User) -> SecondFactor:
    """A new key to be scanned; it proves nothing before it is confirmed.

    Raises ValueError for somebody who has a second factor.
    """
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=user.pk)
        if locked.second_factor_since is not None:
            raise ValueError("There is a second factor already.")
        SecondFactor.objects.filter(user=user).delete()
        device = SecondFactor(
            user=user, name="authenticator", confirmed=False, key=new_key()
        )
        device.save()
    return device


def pending(user: User) -> SecondFactor | None:
    """What is being set up, if anything is."""
    return SecondFactor.objects.filter(user=user, confirmed=False).first()


def confirm(user: User, code: str) -> tuple[SecondFactor, list[str]] | None:
    """Turn it on with a code of the app, which shows that it was set up: the device
    and its recovery codes, to be shown once. None when the code is wrong.
    """
    waiting = pending(user)
    device = waiting and check(user, waiting, code)
    if device is None:
        return None
    with transaction.atomic():
        device.confirmed = True
        codes = device.new_recovery_codes()
        device.save()
        user.second_factor_since = timezone.now()
        user.save(update_fields=("second_factor_since",))
        audit.record("user.second_factor_on", user, by=user)
    return device, codes


def device_of(user: User) -> SecondFactor | None:
    """The confirmed one."""
    return SecondFactor.objects.filter(user=user, confirmed=True).first()


def check(user: User, device: SecondFactor, code: str) -> SecondFactor | None:
    """The device when the code is right; a code is good once, also in a race."""
    found: SecondFactor | None = django_otp.verify_token(
        user, device.persistent_id, code[:100]
    )
    return found


def renew_recovery_codes(user: User, device: SecondFactor) -> list[str]:
    """Other recovery codes; the old ones are void."""
    with transaction.atomic():
        codes = device.new_recovery_codes()
        device.save()
        audit.record("user.recovery_codes", user, by=user)
    return codes


def remove(user: User, *, by: User | None) -> bool:
    """Turn it off, also one that is being set up; whether one was on."""
    with transaction.atomic():
        SecondFactor.objects.filter(user=user).delete()
        was_on = user.second_factor_since is not None
        if was_on:
            user.second_factor_since = None
            user.save(update_fields=("second_factor_since",))
            audit.record("user.second_factor_off", user, by=by)
    return was_on


def secret_text(device: SecondFactor) -> str:
    """The key as people type it: base32 in groups of four."""
    text = b32encode(device.key).decode()
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def address(device: SecondFactor) -> str:
    """What an app scans: an otpauth URI (Google Authenticator's key URI format)."""
    label = quote(f"{ISSUER}:{device.user.email}", safe="")
    parameters = {
        "secret": b32encode(device.key).decode(),
        "issuer": ISSUER,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP,
    }
    return f"otpauth://totp/{label}?{urlencode(parameters)}"


def picture(device: SecondFactor) -> str:
    """The address as a QR code, in a `data:` URI of SVG, black on white."""
    code = segno.make(address(device), error="m", micro=False)
    drawn: str = code.svg_data_uri(scale=5, border=4, dark="#000", light="#fff")
    return drawn
