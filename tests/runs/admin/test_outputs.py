"""What steps gave and what a run answered, for those who may not read payloads."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from pytest_django import Settings

from automate.accounts.models import User
from automate.lib.payloads import Elsewhere
from runs.admin import outputs
from runs.models import Run, StepRun
from runs.payloads import STEP_OUTPUT, keep_output, refer
from tests.admin_world import boss, flow, operator, signed_in
from tests.makers import make_attempt, make_run, make_step
from workflows.models import Secret

pytestmark = pytest.mark.django_db
VIEWER = ("runs.view_run", "runs.view_steprun")


def read(name: str, pk: object, user: User | None = None) -> str:
    page = reverse(f"admin:runs_{name}_change", args=(pk,))
    response = signed_in(user or operator(*VIEWER)).get(page)
    assert response.status_code == 200
    return str(response.content.decode()).replace("&quot;", '"')


def ended(output: Any = None, **fields: Any) -> Run:
    return make_run(flow(), status="succeeded", output=output, **fields)


def test_a_viewer_sees_what_each_step_gave_and_what_the_run_gave() -> None:
    run = ended({"deal": 88231, "api_key": "k-123456789"})
    make_step(run, "map", kind="set", output={"vat": "DE1", "password": "hunter2hunt"})
    text = read("run", run.pk)
    for shown in ('"deal": 88231', '"vat": "DE1"', "What the run gave"):
        assert shown in text
    assert text.count('"[redacted]"') == 2
    for hidden in ("k-123456789", "hunter2hunt"):
        assert hidden not in text
    assert "Show the exact payload" not in text


def test_the_page_of_a_step_shows_what_it_gave() -> None:
    step = make_step(ended(), output={"id": 7, "session_token": "t-123456789"})
    text = read("steprun", step.pk)
    assert '"id": 7' in text
    assert "t-123456789" not in text


def test_a_secret_s_value_is_hidden_wherever_an_output_holds_it() -> None:
    run = ended({"said": "the key is wh-key-10-long"})
    Secret.objects.create(name="WAREHOUSE", value="wh-key-10-long")
    node = {
        "id": "notify",
        "type": "log",
        "config": {"message": "{{ secrets.WAREHOUSE }}"},
    }
    type(run.version).objects.filter(pk=run.version_id).update(
        definition={"nodes": [node]}
    )
    step = make_step(run, output={"echo": ["wh-key-10-long"]})
    for text in (read("run", run.pk), read("steprun", step.pk)):
        assert "[redacted]" in text
        assert "wh-key-10-long" not in text


def test_markup_in_an_output_is_text() -> None:
    run = ended("<script>alert(1)</script>")
    make_step(run, output="<img src=x>")
    text = read("run", run.pk)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "<img src=x>" not in text


def test_without_an_output_nothing_is_said_of_it() -> None:
    run = ended()
    step = make_step(run)
    assert "What the run gave" not in read("run", run.pk)
    assert "<summary>Output</summary>" not in read("run", run.pk)
    assert read("steprun", step.pk)


def test_short_outputs_are_open_where_no_request_stands_before_them() -> None:
    run = ended()
    make_step(run, "map", output={"n": 1})
    assert '<details class="fold" open><summary>Output' in read("run", run.pk)
    make_attempt(StepRun.objects.get())
    assert '<details class="fold"><summary>Output' in read("run", run.pk)


def test_a_larger_output_is_on_the_step_s_own_page() -> None:
    run = ended()
    step = make_step(run, output={"text": "y" * outputs.OF_STEP})
    assert "16.0\xa0KB: the page of the step shows it." in read("run", run.pk)
    assert "y" * outputs.OF_STEP in read("steprun", step.pk)


def test_very_many_outputs_are_left_to_the_pages_of_their_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outputs, "OF_STEPS", 1000)
    run = ended()
    for number in range(4):
        make_step(run, f"n{number}", output="z" * 400)
    text = read("run", run.pk)
    assert text.count("z" * 400) == 2
    assert text.count("the page of the step shows it") == 2


def test_a_value_is_redacted_as_a_whole_before_it_is_cut() -> None:
    filler = "x" * (outputs.WHOLE - 30)
    step = make_step(ended(), output={"a": filler, "password": "hunter2hunter2"})
    text = read("steprun", step.pk)
    assert "It goes on; this is the beginning." in text
    assert "hunter2" not in text


@pytest.mark.django_db(transaction=True)
def test_what_the_payload_store_keeps_is_got_for_the_step_s_page(
    settings: Settings,
) -> None:
    settings.INLINE_OUTPUT_LIMIT = 64
    run = ended()
    step = make_step(run)
    kept = keep_output(STEP_OUTPUT, {"text": "w" * 200, "token": "t-123456789"})
    assert kept is not None
    with transaction.atomic():
        step.output = kept.value
        step.save()
        refer([(run.pk, kept)])
    assert isinstance(StepRun.objects.get().output, Elsewhere)
    assert "the page of the step shows it" in read("run", run.pk)
    text = read("steprun", step.pk)
    assert "w" * 200 in text
    assert "t-123456789" not in text


def test_overridden_variables_are_shown_redacted() -> None:
    run = ended(variables={"region": "us-east", "token": "t-123456789"})
    text = read("run", run.pk)
    assert "Variables of this run" in text
    assert '"region": "us-east"' in text
    assert "t-123456789" not in text


def test_who_may_read_payloads_still_gets_them_as_they_are() -> None:
    run = ended({"api_key": "k-123456789"})
    page = reverse("admin:runs_run_payload", args=(run.pk,))
    assert "Show the exact payload" in read("run", run.pk, boss())
    assert "k-123456789" in signed_in(boss()).post(page).content.decode()
    assert signed_in(operator(*VIEWER)).post(page).status_code == 403
