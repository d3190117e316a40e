"""Trigger rows: addresses, secrets in rotation, and switches that last."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from automate.accounts.models import AuditEntry
from workflows.models import Trigger, Workflow
from workflows.services import (
    DocumentError,
    StateRefused,
    create_workflow,
    publish,
    rotate_trigger_secret,
    save_draft,
    set_trigger_active,
    trigger_url,
)

pytestmark = pytest.mark.django_db

STEPS = [{"name": "wait", "type": "delay", "config": {"duration": 2}}]


def workflow(*triggers: dict[str, Any]) -> Workflow:
    document = {"name": "D", "steps": STEPS, "triggers": list(triggers)}
    return create_workflow(document, by=None).workflow


def webhook(**config: Any) -> dict[str, Any]:
    return {"kind": "webhook", "config": {"scheme": "github", **config}}


def test_an_address_is_the_path_else_the_key(settings: Any) -> None:
    settings.PUBLIC_URL = "https://auto.example.com"
    rows = workflow(webhook(), webhook(path="/a/b"), {"kind": "api"}).triggers
    keyed, named, api = rows.order_by("id")
    base = "https://auto.example.com/v1/webhooks/"
    assert trigger_url(keyed) == base + keyed.key
    assert trigger_url(named) == base + "a/b"
    assert trigger_url(api) == ""


def test_the_address_of_a_kind_that_is_gone_is_empty() -> None:
    assert trigger_url(Trigger(kind="removed_plugin")) == ""


def test_rotating_keeps_the_old_secret_for_a_while() -> None:
    row = workflow(webhook()).triggers.get()
    old = row.secret
    new = rotate_trigger_secret(row, None, timedelta(hours=1))
    assert new != old
    assert (row.secret, row.previous_secret) == (new, old)
    assert row.previous_secret_expires_at is not None
    left = row.previous_secret_expires_at - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    audit = AuditEntry.objects.filter(action="trigger.rotate_secret").get()
    assert audit.object_id == str(row.pk)


def test_rotating_without_grace_drops_the_old_secret() -> None:
    row = workflow(webhook()).triggers.get()
    rotate_trigger_secret(row, None, timedelta(0))
    assert (row.previous_secret, row.previous_secret_expires_at) == (None, None)


def test_a_given_secret_must_fit_its_scheme() -> None:
    row = workflow(webhook(scheme="standard_webhooks")).triggers.get()
    with pytest.raises(DocumentError, match="whsec_"):
        rotate_trigger_secret(row, None, secret="%%")
    given = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert rotate_trigger_secret(row, None, secret=given) == given
    row.refresh_from_db()
    assert row.secret == given


@pytest.mark.parametrize("trigger", [{"kind": "api"}, {"kind": "webhook"}])
def test_what_has_no_secret_cannot_rotate_it(trigger: dict[str, Any]) -> None:
    row = workflow(trigger).triggers.get()
    with pytest.raises(StateRefused, match="no secret to rotate"):
        rotate_trigger_secret(row, None)


def test_secrets_are_encrypted_and_audited_without_their_value() -> None:
    row = workflow({**webhook(), "secret": "canary-one"}).triggers.get()
    rotate_trigger_secret(row, None, secret="canary-two")
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret, previous_secret, config FROM workflows_trigger")
        stored = b"".join(
            bytes(value)
            if isinstance(value, bytes | memoryview)
            else repr(value).encode()
            for value in cursor.fetchone()
        )
    assert b"canary" not in stored
    assert "canary" not in repr(list(AuditEntry.objects.values()))


def test_a_new_secret_in_a_document_is_a_rotation() -> None:
    found = workflow({**webhook(), "secret": "first-secret"})
    again = {"steps": STEPS, "triggers": [{**webhook(), "secret": "second-secret"}]}
    save_draft(found, again, by=None)
    row = found.triggers.get()
    assert (row.secret, row.previous_secret) == ("second-secret", "first-secret")
    assert row.previous_secret_expires_at is not None


def test_a_switch_lasts_over_the_next_publish() -> None:
    found = workflow(webhook(path="one"), webhook(path="two"))
    first, second = found.triggers.order_by("id")
    assert set_trigger_active(second, active=False, by=None)
    assert not set_trigger_active(second, active=False, by=None)
    publish(found, by=None)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.is_active, second.is_active) == (True, False)
    assert set_trigger_active(second, active=True, by=None)
    publish(found, by=None)
    second.refresh_from_db()
    assert second.is_active


def test_a_switch_of_a_hand_made_trigger_leaves_the_draft_alone() -> None:
    found = create_workflow({"name": "D", "steps": STEPS}, by=None).workflow
    row = Trigger.objects.create(workflow=found, kind="manual")
    before = found.definition
    set_trigger_active(row, active=False, by=None)
    found.refresh_from_db()
    assert found.definition == before
    publish(found, by=None)
    row.refresh_from_db()
    assert not row.is_active


def test_a_switch_works_beside_a_draft_that_cannot_be_read() -> None:
    found = workflow(webhook())
    Workflow.objects.update(definition={"nodes": 3})
    row = found.triggers.get()
    assert set_trigger_active(row, active=False, by=None)
    found.refresh_from_db()
    assert found.definition == {"nodes": 3}


def test_an_inactive_trigger_in_a_document_gets_no_secret() -> None:
    row = workflow({**webhook(), "is_active": False}).triggers.get()
    assert (row.is_active, row.secret) == (False, None)


def test_a_secret_that_no_longer_fits_is_replaced() -> None:
    found = workflow({**webhook(), "secret": "%% no base64 %%"})
    save_draft(
        found,
        {"steps": STEPS, "triggers": [webhook(scheme="standard_webhooks")]},
        by=None,
    )
    publish(found, by=None)
    assert found.triggers.get().secret.startswith("whsec_")


def test_inserting_a_trigger_before_another_keeps_those_with_a_path() -> None:
    found = workflow(webhook(path="one"))
    key = found.triggers.get().key
    triggers = [webhook(path="zero"), webhook(path="one")]
    save_draft(found, {"steps": STEPS, "triggers": triggers}, by=None)
    publish(found, by=None)
    assert found.triggers.get(path="one").key == key
    assert found.triggers.count() == 2


def test_a_path_given_up_is_free_for_others() -> None:
    found = workflow(webhook(path="one"))
    save_draft(found, {"steps": STEPS, "triggers": []}, by=None)
    publish(found, by=None)
    assert workflow(webhook(path="one")).triggers.get().path == "one"


# --- whose secret it is -------------------------------------------------------------


def test_a_secret_that_the_provider_makes_is_asked_for_and_not_made_up() -> None:
    document = {"name": "D", "steps": STEPS, "triggers": [webhook(scheme="stripe")]}
    created = create_workflow(document, by=None)
    row = created.workflow.triggers.get()
    assert (row.secret, created.new_secrets) == (None, {})
    [warning] = [text for text in map(str, created.warnings) if "no secret" in text]
    assert "Stripe shows it at the endpoint" in warning
    with pytest.raises(StateRefused, match="Stripe makes the secret"):
        rotate_trigger_secret(row, None)
    rotate_trigger_secret(row, None, secret="whsec_typed")
    assert row.secret == "whsec_typed"


WRONG = {
    "standard_webhooks": ["whsec_!", "whpk_AAAA", f"whpk_{'/' * 43}=", "whsk_AAAA"],
    "gitlab": ["whsec_!", "a\nb", " a"],
    "stripe": ["sk_live_1", "whsec_"],
    "slack": ["xoxb-1-2", "xapp-1"],
    "shopify": ["a\r\n"],
    "twilio": [f"AC{'0' * 32}"],
    "bearer": ["a\nb", "a "],
    "token": ["\x00"],
    "basic": ["password", "user:", ":password", "user:pass\nword"],
}


@pytest.mark.parametrize("scheme", WRONG)
def test_a_secret_that_cannot_be_one_is_told_when_it_is_saved(scheme: str) -> None:
    good = {"stripe": "whsec_x", "basic": "u:p"}.get(scheme, "whsec_c2VjcmV0")
    row = workflow({**webhook(scheme=scheme), "secret": good}).triggers.get()
    for secret in WRONG[scheme]:
        with pytest.raises(DocumentError, match=r"secret: (must|is the private)"):
            rotate_trigger_secret(row, None, secret=secret)
        with pytest.raises(DocumentError) as caught:
            workflow({**webhook(scheme=scheme), "secret": secret})
        assert "secret" in str(caught.value.problems[0])
    row.refresh_from_db()
    assert row.secret == good
