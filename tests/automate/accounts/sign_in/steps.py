"""What a person does to sign in, and an authenticator app."""

from __future__ import annotations

import time
from typing import Any

from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP

from automate.accounts.models import SecondFactor, User
from automate.accounts.models.second_factor import DIGITS, STEP
from automate.accounts.sign_in import second_factor
from tests.makers import make_user

PASSWORD = "correct horse battery"
LOGIN = "/admin/login/"
CODE = "/admin/login/code/"
PAGE = "/admin/second_factor/"


def staff(email: str = "", **fields: Any) -> User:
    """A person who may open the admin, with a password."""
    return make_user(email, password=PASSWORD, is_staff=True, **fields)


def give_password(
    client: Client, email: str, password: str = PASSWORD, **extra: Any
) -> Any:
    """What the server answers to the login form."""
    form = {"username": email, "password": password, "next": "/admin/"}
    return client.post(LOGIN, form, **extra)


def app_code(device: SecondFactor, steps: int = 0) -> str:
    """What the app shows, or will show so many steps of 30 seconds later."""
    totp = TOTP(bytes(device.key), STEP, 0, DIGITS)
    totp.time = time.time() + steps * STEP
    return f"{totp.token():0{DIGITS}}"


def enrolled(user: User) -> tuple[SecondFactor, list[str]]:
    """The person with a second factor, and the recovery codes. The app's code of this
    step can be used again, also when it ends meanwhile.
    """
    done = second_factor.confirm(user, app_code(second_factor.begin(user)))
    assert done is not None
    device, _ = done
    device.last_step -= 1
    device.save(update_fields=("last_step",))
    return done


def is_in(client: Client) -> bool:
    """Whether the admin opens."""
    return bool(client.get(reverse("admin:index")).status_code == 200)
