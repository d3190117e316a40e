"""Rotating a trigger's secret in the admin, and what is told of the secrets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from automate.accounts.models import AuditEntry
from tests.admin_world import boss, flow, operator, signed_in
from workflows.models import Trigger

pytestmark = pytest.mark.django_db


def pages(trigger: Trigger) -> tuple[str, str]:
    """The trigger's page and the one that rotates."""
    return (
        reverse("admin:workflows_trigger_change", args=(trigger.pk,)),
        reverse("admin:workflows_trigger_rotate", args=(trigger.pk,)),
    )


def rotate(client: Client, trigger: Trigger, **data: Any) -> str:
    """Press the button; the page that follows."""
    answer = client.post(pages(trigger)[1], data, follow=True)
    assert answer.status_code == 200
    trigger.refresh_from_db()
    return answer.content.decode()


def test_a_new_secret_is_shown_once_and_the_old_one_counts_as_long_as_chosen() -> None:
    trigger = flow().triggers.get()
    old, client = trigger.secret, signed_in(boss())
    assert pages(trigger)[1] in client.get(pages(trigger)[0]).content.decode()
    text = rotate(client, trigger, hours="168")
    assert trigger.secret != old
    assert str(trigger.secret) in text
    assert trigger.previous_secret == old
    assert trigger.previous_secret_expires_at is not None
    left = trigger.previous_secret_expires_at - timezone.now()
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    again = client.get(pages(trigger)[0]).content.decode()
    assert str(trigger.secret) not in again
    assert str(old) not in again + text


def test_a_typed_secret_is_not_shown_and_the_old_one_may_end_at_once() -> None:
    trigger = flow().triggers.get()
    text = rotate(signed_in(boss()), trigger, hours="0", new_secret="typed-by-hand")
    assert (trigger.secret, trigger.previous_secret) == ("typed-by-hand", None)
    assert "typed-by-hand" not in text
    changes = str(list(AuditEntry.objects.values_list("action", "changes")))
    assert "trigger.rotate_secret" in changes
    assert "typed-by-hand" not in changes


def test_the_previous_secret_can_be_ended() -> None:
    trigger, client = flow().triggers.get(), signed_in(boss())
    assert "End the previous" not in client.get(pages(trigger)[1]).content.decode()
    rotate(client, trigger, hours="24")
    new = trigger.secret
    assert "End the previous" in client.get(pages(trigger)[1]).content.decode()
    text = rotate(client, trigger, end_previous="1")
    assert "only the current secret counts now" in text
    assert (trigger.secret, trigger.previous_secret) == (new, None)
    assert trigger.previous_secret_expires_at is None
    assert AuditEntry.objects.filter(action="trigger.end_previous_secret").count() == 1


def test_the_page_says_which_secret_senders_still_use() -> None:
    trigger, client = flow().triggers.get(), signed_in(boss())
    page = pages(trigger)[0]
    assert "not used yet" in client.get(page).content.decode()
    rotate(client, trigger, hours="24")
    assert "not used since it was replaced" in client.get(page).content.decode()
    used = timezone.now() - timedelta(minutes=7)
    Trigger.objects.update(previous_secret_used_at=used)
    text = client.get(page).content.decode()
    assert f"last used {used:%Y-%m-%d %H:%M} UTC" in text
    assert "counts until" in text
    Trigger.objects.update(previous_secret_expires_at=timezone.now())
    assert "counts until" not in client.get(page).content.decode()


def test_a_second_rotation_forgets_what_was_used_before() -> None:
    trigger, client = flow().triggers.get(), signed_in(boss())
    rotate(client, trigger, hours="24")
    used = timezone.now()
    Trigger.objects.update(secret_used_at=used, previous_secret_used_at=used)
    rotate(client, trigger, hours="24")
    assert (trigger.secret_used_at, trigger.previous_secret_used_at) == (None, None)


@pytest.mark.parametrize(
    ("scheme", "data", "said"),
    [
        ("stripe", {"hours": "24"}, "Stripe makes the secret"),
        ("stripe", {"hours": "24", "new_secret": "sk_live"}, "begins with"),
        ("github", {"hours": "5"}, "Select a valid choice"),
        ("github", {}, "This field is required"),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(
    scheme: str, data: dict[str, str], said: str
) -> None:
    trigger = flow().triggers.get()
    trigger.config = {"scheme": scheme}
    trigger.save()
    old = trigger.secret
    assert said in rotate(signed_in(boss()), trigger, **data)
    assert (trigger.secret, trigger.previous_secret) == (old, None)


def test_without_a_secret_there_is_nothing_to_rotate() -> None:
    trigger = flow().triggers.get()
    trigger.config = {"scheme": "none"}
    trigger.save()
    client = signed_in(boss())
    page, rotation = pages(trigger)
    assert rotation not in client.get(page).content.decode()
    assert client.get(rotation).status_code == 404


def test_who_may_only_look_cannot_rotate() -> None:
    trigger = flow().triggers.get()
    viewer = signed_in(operator("workflows.view_trigger"))
    page, rotation = pages(trigger)
    assert rotation not in viewer.get(page).content.decode()
    assert viewer.get(rotation).status_code == 403
    assert viewer.post(rotation, {"hours": "0"}).status_code == 403
    stranger = signed_in(operator())
    assert stranger.post(rotation, {"end_previous": "1"}).status_code == 403


def test_looking_changes_nothing() -> None:
    trigger = flow().triggers.get()
    old = trigger.secret
    assert signed_in(boss()).get(pages(trigger)[1]).status_code == 200
    trigger.refresh_from_db()
    assert trigger.secret == old
