"""The lines that a trigger's page gives for signing work as they stand."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
from django.urls import reverse
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from runs.models import Run
from tests.admin_world import DEFINITION, boss, signed_in
from workflows.admin.signing_help import shell_lines
from workflows.models import Trigger
from workflows.services import create_workflow
from workflows.triggers.schemes import SCHEMES

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PLAIN = "it's a $ecret `with` marks"


def signed(scheme: str, secret: str, **config: Any) -> Trigger:
    """A published workflow's webhook with this scheme."""
    webhook = {"kind": "webhook", "config": {"scheme": scheme, **config}}
    document = {"name": "S", "slug": "s", "definition": DEFINITION}
    triggers = [{**webhook, **({"secret": secret} if secret else {})}]
    workflow = create_workflow({**document, "triggers": triggers}, by=None).workflow
    return Trigger.objects.get(workflow=workflow)


def posted(lines: str, secret: str) -> dict[str, Any]:
    """What the edge answers when somebody pastes the lines into a shell."""
    for tool in ("bash", "openssl", "curl"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed.")
    quoted = "'" + secret.replace("'", "'\\''") + "'"
    script = lines.replace("'the signing secret'", quoted)
    assert script != lines
    done = subprocess.run(
        ["bash", "-euc", script.replace("curl ", "curl --silent ")],
        capture_output=True,
        timeout=200,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("scheme", "secret", "config"),
    [
        ("standard_webhooks", SECRET, {}),
        ("github", PLAIN, {}),
        ("gitlab", PLAIN, {}),
        ("gitlab", SECRET, {}),
        ("stripe", SECRET, {}),
        ("slack", PLAIN, {}),
        ("shopify", PLAIN, {}),
        ("twilio", PLAIN, {}),
        ("bearer", PLAIN, {}),
        ("token", PLAIN, {"header": "X-Key", "prefix": "To`ken ", "id_header": "X"}),
        ("basic", f"me:{PLAIN}", {"event_header": "X-Event"}),
        ("hmac", PLAIN, {}),
        ("hmac", PLAIN, {"encoding": "base64", "hash": "sha512", "prefix": "v1="}),
        ("hmac", PLAIN, {"timestamp_header": "X-Time", "header": "X-Mine"}),
        (
            "hmac",
            PLAIN,
            {"id_header": "X-Id", "event_header": "X-Event", "hash": "sha1"},
        ),
        ("hmac", PLAIN, {"prefix": 'a"b$c\\d`e'}),
    ],
)
def test_they_post_an_event_that_is_accepted(
    scheme: str,
    secret: str,
    config: dict[str, Any],
    live_server: LiveServer,
    settings: Settings,
) -> None:
    settings.PUBLIC_URL = live_server.url
    trigger = signed(scheme, secret, **config)
    answer = posted(shell_lines(trigger), secret)
    assert answer.get("status") == "queued", answer
    assert Run.objects.get(pk=answer["run_id"]).body == b'{"id": 1}'


@pytest.mark.django_db
def test_the_page_shows_them_without_the_secret() -> None:
    trigger = signed("hmac", PLAIN)
    page = reverse("admin:workflows_trigger_change", args=(trigger.pk,))
    text = signed_in(boss()).get(page).content.decode()
    assert "openssl dgst -sha256 -hmac" in text
    assert "the signing secret" in text
    assert PLAIN not in text
    assert "ecret `with`" not in text


@pytest.mark.django_db
def test_where_only_the_sender_can_sign_that_is_said() -> None:
    public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
    trigger = signed("standard_webhooks", public)
    assert shell_lines(trigger) == ""
    page = reverse("admin:workflows_trigger_change", args=(trigger.pk,))
    text = signed_in(boss()).get(page).content.decode()
    assert "Only who has the private key can sign" in text
    assert public not in text


def test_every_scheme_that_proves_its_sender_has_lines() -> None:
    for name, scheme in SCHEMES.items():
        trigger = Trigger(kind="webhook", config={"scheme": name}, key="k")
        assert bool(shell_lines(trigger)) is scheme.secret_required


@pytest.mark.django_db
def test_where_nothing_is_signed_there_are_none() -> None:
    assert shell_lines(signed("none", "")) == ""
    assert shell_lines(Trigger(kind="schedule", config={"cron": "* * * * *"})) == ""


@pytest.mark.django_db
def test_a_method_that_the_trigger_takes_is_used() -> None:
    trigger = signed("hmac", PLAIN, methods=["PUT"])
    assert "curl -X PUT " in shell_lines(trigger)
