"""Rules that hold on every page of the admin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from automate.accounts.admin.names import MAIN
from automate.admin import site
from automate.lib.ids import uuid7
from automate.policy import content_security_policy
from runs.models import Run
from tests.admin_world import CANARY, boss, broken_run, operator, signed_in, world
from workflows.models import Workflow

pytestmark = pytest.mark.django_db
MODELS = sorted(site._registry, key=lambda model: model._meta.label_lower)
LABELS = [model._meta.label_lower for model in MODELS]


def name_of(label: str, page: str) -> str:
    return f"admin:{label.replace('.', '_')}_{page}"


def list_page(label: str) -> str:
    return reverse(name_of(label, "changelist"))


def pages() -> Iterator[str]:
    """The address of every list, form and object page, and of each verb's question."""
    yield reverse("admin:index")
    for label in LABELS:
        yield list_page(label)
        if label.split(".")[1] in ("workflow", "secret", "connection", "user", "team"):
            yield reverse(name_of(label, "add"))
        for row in apps.get_model(label)._default_manager.all()[:3]:
            yield reverse(name_of(label, "change"), args=(row.pk,))
    run = Run.objects.earliest("id")
    yield reverse("admin:runs_run_why", args=(run.pk,))
    yield reverse("admin:runs_run_redrive", args=(run.pk,))
    yield reverse("admin:runs_run_cancel", args=(run.pk,))
    yield reverse("admin:runs_run_start", args=(run.workflow_id,))
    yield reverse("admin:runs_run_try", args=(run.workflow_id,))
    yield reverse("admin:runs_run_redrive_all")
    yield reverse("admin:workflows_workflow_n8n", args=(run.workflow_id,))
    yield reverse("admin:workflows_trigger_rotate", args=(run.trigger_id,))
    diff = reverse("admin:workflows_workflowversion_diff", args=(run.version_id,))
    yield f"{diff}?against=draft"
    yield reverse("admin:workflows_workflowversion_rollback", args=(run.version_id,))


class Inline(HTMLParser):
    """Collects what `default-src 'self'` would block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.found.append(f"<{tag}>")
        self.found += [
            f"{tag} {name}"
            for name in given
            if name == "style" or name.startswith("on")
        ]
        for name in ("src", "href", "action"):
            value = given.get(name) or ""
            outside = tag != "a" and value.startswith(("http:", "https:", "//"))
            if outside or value.startswith("javascript:"):
                self.found.append(f"{tag} {name}={value}")


def test_every_page_opens_without_inline_code_and_without_a_secret() -> None:
    world()
    client = signed_in(boss())
    addresses = list(pages())
    assert len(addresses) > 60
    for address in addresses:
        response = client.get(address)
        assert response.status_code == 200, address
        text = response.content.decode()
        assert CANARY not in text, address
        inline = Inline()
        inline.feed(text)
        assert inline.found == [], address
        assert response["Content-Security-Policy"] == content_security_policy()


def test_what_is_missing_or_not_permitted_says_so_and_leads_back() -> None:
    gone = reverse("admin:runs_run_change", args=(uuid7(),))
    home = f'href="{reverse("admin:index")}">Overview</a>'
    for user, address, status, said in (
        (boss(), gone, 404, "There is nothing at this address"),
        (boss(), "/nothing", 404, "There is nothing at this address"),
        (operator(), reverse("admin:runs_run_changelist"), 403, "You may not do this"),
    ):
        response = signed_in(user).get(address)
        text = response.content.decode()
        assert response.status_code == status
        assert said in text
        assert home in text
        inline = Inline()
        inline.feed(text)
        assert inline.found == []


def test_the_canaries_are_really_there() -> None:
    """Otherwise the test above would prove nothing."""
    workflow = world()
    trigger = workflow.triggers.get()
    run = Run.objects.earliest("id")
    assert trigger.secret == f"{CANARY}-trigger"
    assert CANARY.encode() in run.body


@pytest.mark.parametrize("label", LABELS)
def test_strangers_are_sent_to_the_login_page(client: Client, label: str) -> None:
    response = client.get(list_page(label))
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("admin:login"))
    assert response["Content-Security-Policy"] == content_security_policy()


def test_a_get_changes_nothing() -> None:
    world()
    client = signed_in(boss())
    client.get(reverse("admin:index"))  # the session's own first save
    before = counts()
    for address in pages():
        client.get(address)
    assert counts() == before


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("admin:runs_run_payload", ()),
        ("admin:workflows_workflow_switch", ("archive",)),
    ],
)
def test_what_changes_something_refuses_get(name: str, extra: tuple[str, ...]) -> None:
    run = broken_run(world(1))
    pk = run.pk if "run_" in name else run.workflow_id
    response = signed_in(boss()).get(reverse(name, args=(pk, *extra)))
    assert response.status_code == 405
    run.workflow.refresh_from_db()
    assert run.workflow.status == Workflow.Status.ACTIVE


def test_forms_refuse_a_post_without_the_token() -> None:
    run = broken_run(world(1))
    client = Client(enforce_csrf_checks=True)
    client.force_login(boss())
    for name, pk in (
        ("admin:runs_run_payload", run.pk),
        ("admin:runs_run_redrive", run.pk),
        ("admin:runs_run_cancel", run.pk),
        ("admin:runs_run_start", run.workflow_id),
        ("admin:runs_run_try", run.workflow_id),
    ):
        assert client.post(reverse(name, args=(pk,))).status_code == 403
    assert Run.objects.filter(replay_of=run).count() == 0


def counts() -> dict[str, object]:
    """How many rows each table has, and the states of those that verbs change."""
    found: dict[str, object] = {
        model._meta.label: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.label != "sessions.Session"
    }
    found["runs"] = sorted(Run.objects.values_list("pk", "status"))
    found["flows"] = sorted(Workflow.objects.values_list("pk", "status", "edit_count"))
    return found


def test_titles_tell_the_pages_apart() -> None:
    world()
    client = signed_in(boss())
    titles = {}
    for label in LABELS:
        text = client.get(list_page(label)).content.decode()
        found = re.search(r"<title>(.*?)</title>", text, re.DOTALL)
        assert found is not None
        titles[label] = " ".join(found[1].split())
    assert titles["runs.run"] == "Runs | Automate"
    for model, name in MAIN.items():
        labels = [label for label in LABELS if label.endswith(f".{model.lower()}")]
        assert [titles[label] for label in labels] == [f"{name} | Automate"]
    assert len(set(titles.values())) == len(titles)


def test_a_path_names_no_place_twice() -> None:
    """As it would when an app stood before its list of the same name."""
    world(1)
    client = signed_in(boss())
    for label in LABELS:
        row = apps.get_model(label)._default_manager.all()[0]
        page = reverse(name_of(label, "change"), args=(row.pk,))
        for address in (list_page(label), page):
            text = client.get(address).content.decode()
            found = re.search(r'<div class="breadcrumbs">(.*?)</div>', text, re.DOTALL)
            assert found is not None, address
            crumbs = re.sub(r"<[^>]*>", "", found[1]).split("&rsaquo;")
            names = [crumb.strip() for crumb in crumbs]
            assert names[0] == "Home"
            assert len(set(names)) == len(names), names
