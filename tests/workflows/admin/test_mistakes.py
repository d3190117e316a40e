"""A form tells every mistake at once: one that cannot be read hides no other."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from tests.admin_world import boss, flow, signed_in
from tests.workflows.admin.test_workflow import ADD, existing, form, page
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


def mistakes(triggers: Any = (), **fields: Any) -> tuple[set[str], list[set[str]]]:
    """The fields of the new workflow's form, and of each trigger's, that are wrong."""
    data = form(triggers=triggers, **fields)
    response = signed_in(boss()).post(reverse(ADD), {**data, "_publish": "1"})
    assert response.status_code == 200
    assert not Workflow.objects.filter(slug=data["slug"]).exists()
    (formset,) = response.context["inline_admin_formsets"]
    inner = [set(one.errors) for one in formset.formset.forms]
    return set(response.context["adminform"].form.errors), inner


def test_broken_json_hides_nothing_of_the_workflow() -> None:
    found, _ = mistakes(
        definition="{",
        exclusive="{{ nonsense(",
        search_keys='{"a": 1}',
        run_timeout="0",
    )
    assert {"definition", "exclusive", "search_keys", "run_timeout"} <= found


def test_broken_json_hides_nothing_of_the_triggers() -> None:
    wrong = {"kind": "schedule", "cron": "61 * * * *", "more": "{"}
    found, inner = mistakes(definition="{", triggers=[wrong])
    assert found == {"definition"}
    assert inner == [{"cron", "more"}]


def test_a_webhook_without_a_scheme_is_told_of_its_options_too() -> None:
    wrong = {"more": "{", "path": "x" * 201}
    _, inner = mistakes(triggers=[wrong])
    assert inner == [{"scheme", "more", "path"}]


def test_options_are_not_judged_without_the_scheme_that_has_them() -> None:
    _, inner = mistakes(triggers=[{"more": '{"header": "X-Mine"}'}])
    assert inner == [{"scheme"}]


def test_a_missing_secret_is_told_beside_a_wrong_cron() -> None:
    wrong = {"scheme": "github", "cron": "* * * * *"}
    _, inner = mistakes(triggers=[wrong])
    assert inner == [{"cron", "new_secret"}]


def test_a_mistake_is_told_once() -> None:
    response = signed_in(boss()).post(reverse(ADD), form(name="", definition="{"))
    told = response.context["adminform"].form.errors
    assert {name: len(texts) for name, texts in told.items()} == {
        "name": 1,
        "definition": 1,
    }


def test_a_priority_that_is_left_out_stays_as_it_is() -> None:
    workflow = flow()
    Workflow.objects.filter(pk=workflow.pk).update(priority=0)
    data = form(triggers=[existing(workflow)])
    del data["priority"]
    response = signed_in(boss()).post(page(workflow), data)
    assert response.status_code == 302
    workflow.refresh_from_db()
    assert workflow.priority == 0


def test_a_new_workflow_has_the_normal_priority() -> None:
    data = form()
    del data["priority"]
    assert signed_in(boss()).post(reverse(ADD), data).status_code == 302
    assert Workflow.objects.get(slug="orders").priority == 2
