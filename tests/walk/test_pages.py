"""Every page of the admin as every role, and as another team's people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from automate.accounts.roles import ADMINISTRATOR, DEVELOPER, OPERATOR, ROLES, may
from automate.admin import site
from tests.makers import make_user
from tests.walk.table import (
    ACTIONS,
    ADMIN,
    ANY,
    APART,
    EDGE,
    NOBODY,
    OPEN,
    Page,
    addresses,
    is_redirect,
)
from tests.walk.world import MARK, World, signed_in, snapshot

pytestmark = pytest.mark.django_db
STRONG = (DEVELOPER, ADMINISTRATOR)
INDEX = "/admin/"
REFUSED = (302, 403, 404)
SHARED = {"runs.worker", "auth.group"} | {
    f"django_q.{name}" for name in ("success", "failure", "schedule", "ormq")
}


def allowed(role: str, needs: str) -> bool:
    return needs == ANY or (needs != NOBODY and may(role, needs))


def row_of(world: World, page: Page, *, theirs: bool = False) -> Any:
    if page.row in world.shared:
        return world.shared[page.row]
    return (world.theirs if theirs else world.mine).row(page.row)


def address(world: World, name: str, page: Page, *, theirs: bool = False) -> str:
    args: tuple[Any, ...] = page.more
    if page.row:
        args = (row_of(world, page, theirs=theirs).pk, *args)
    return reverse(name, args=args) + page.query


def of_rows() -> Iterator[tuple[str, Page]]:
    """The pages that are about one team's object."""
    for name, page in ADMIN.items():
        if page.row and page.row not in SHARED:
            yield name, page


def text_of(response: Any) -> str:
    where = response.headers.get("Location", "")
    return f"{where}\n{response.content.decode()}".lower()


def test_every_address_is_in_the_table() -> None:
    """A new one fails here until it is written down what it needs."""
    found = {name for name, route, _ in addresses() if not is_redirect(route)}
    api = {name for name in found if name.startswith("api:")}  # test_programs.py
    known = {*ADMIN, *APART, *OPEN, *EDGE}
    assert found - api - known == set(), "write down in table.py what these need"
    assert known - found == set(), "these are gone"


@pytest.mark.parametrize("role", ROLES)
def test_what_each_role_opens_names_no_other_team_and_changes_nothing(
    world: World, role: str
) -> None:
    """All pages, by GET, with one's own team's objects."""
    client = signed_in(world.mine.people[role])
    before = snapshot()
    wrong = []
    for name, page in ADMIN.items():
        response = client.get(address(world, name, page))
        expected = page.answers if allowed(role, page.needs) else 403
        if page.posted:
            expected = 405
        if response.status_code != expected:
            wrong.append(f"{name}: {response.status_code}, not {expected}")
        if MARK in text_of(response):
            wrong.append(f"{name} names the other team's")
    assert wrong == []
    assert changed(before) == []


def test_the_mark_is_really_there(world: World) -> None:
    """Otherwise the walks would prove nothing: its own team meets it on each page."""
    client = signed_in(world.theirs.people[ADMINISTRATOR])
    quiet = []
    for name, page in of_rows():
        if allowed(ADMINISTRATOR, page.needs) and page.answers == 200:
            where = address(world, name, page, theirs=True)
            shows = not page.posted and not page.quiet
            if shows and MARK not in text_of(client.get(where)):
                quiet.append(name)
    assert quiet == []


@pytest.mark.parametrize("role", STRONG)
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_team_s_object_is_not_there(
    world: World, role: str, method: str
) -> None:
    client = signed_in(world.mine.people[role])
    before = snapshot()
    wrong = []
    for name, page in of_rows():
        where = address(world, name, page, theirs=True)
        response = getattr(client, method)(where, dict(page.data))
        safe_only = method == "post" and response.headers.get("Allow") == "GET, HEAD"
        expected: tuple[int, ...] = REFUSED
        if safe_only or (page.posted and method == "get"):
            expected = (405,)
        if response.status_code not in expected:
            wrong.append(f"{name}: {response.status_code}")
        seen = text_of(response)
        if response.status_code == 302 and response["Location"] != INDEX:
            seen += text_of(client.get(response["Location"]))
        if MARK in seen:
            wrong.append(f"{name} names the other team's")
    # With what the redirects to it had to say.
    assert MARK not in text_of(client.get(INDEX))
    assert wrong == []
    assert changed(before) == []


@pytest.mark.parametrize("role", ROLES)
def test_who_may_not_do_it_does_nothing(world: World, role: str) -> None:
    """One's own team's objects, by POST, without the permission."""
    client = signed_in(world.theirs.people[role])
    before = snapshot()
    for name, page in ADMIN.items():
        if not allowed(role, page.needs):
            where = address(world, name, page, theirs=True)
            status = client.post(where, dict(page.data)).status_code
            assert status == 403, (name, status)
    assert changed(before) == []


@pytest.mark.parametrize("who", ["stranger", "no staff"])
def test_strangers_are_sent_to_sign_in(world: World, who: str) -> None:
    client = Client()
    if who == "no staff":
        person = world.theirs.people[ADMINISTRATOR]
        outside = make_user("outside@example.com")
        outside.groups.set(person.groups.all())
        outside.teams.set(person.teams.all())
        client.force_login(outside)
    before = snapshot()
    for name, page in ADMIN.items():
        where = address(world, name, page, theirs=True)
        for method in ("get",) if who == "no staff" else ("get", "post"):
            if name == "admin:logout":
                continue
            response = getattr(client, method)(where)
            assert response.status_code == 302, name
            assert response["Location"].startswith(reverse("admin:login")), name
    assert changed(before) == []


def changed(before: dict[str, str]) -> list[str]:
    """The tables that are not as they were."""
    now = snapshot()
    return [table for table in before if before[table] != now[table]]


# --- lists: filters, searches, actions ---------------------------------------------


@pytest.mark.parametrize("role", STRONG)
def test_lists_find_and_offer_nothing_of_another_team(world: World, role: str) -> None:
    """By search, by filters and by what an address may carry besides."""
    client = signed_in(world.mine.people[role])
    ids = {key: str(row.pk) for key, row in world.theirs.rows.items()}
    related = {
        "workflow": ids["workflows.workflow"],
        "trigger": ids["workflows.trigger"],
        "version": ids["workflows.workflowversion"],
        "team": ids["accounts.team"],
        "teams": ids["accounts.team"],
        "run": ids["runs.run"],
        "user": ids["accounts.user"],
        "owner": str(world.theirs.people[DEVELOPER].pk),
    }
    wrong = []
    for model in site._registry:
        names = {field.name for field in model._meta.get_fields()}
        queries = [{"q": MARK}, {"_popup": "1", "_to_field": "slug", "o": "1.2.3"}]
        queries += [
            {f"{name}__id__exact": pk} for name, pk in related.items() if name in names
        ]
        if "parent" in names:
            queries += [{"parent": related["run"]}, {"q": related["run"]}]
        if "object_id" in names:
            queries += [{"object_id": related["workflow"]}]
        name = f"{model._meta.app_label}_{model._meta.model_name}_changelist"
        for query in queries:
            response = client.get(reverse(f"admin:{name}"), query)
            # A page repeats what one typed; only rows and choices tell something.
            if MARK not in query.values() and MARK in text_of(response):
                wrong.append(f"{name} {query}")
            changelist = (response.context or {}).get("cl")
            for row in getattr(changelist, "result_list", ()):
                if MARK in str(vars(row)).lower():
                    wrong.append(f"{name} {query} finds {row}")
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
def test_actions_are_offered_by_permission(world: World, role: str) -> None:
    person = world.mine.people[role]
    client = signed_in(person)
    for model in site._registry:
        label = model._meta.label_lower
        needs = ACTIONS.get(label, {})
        response = client.get(reverse(f"admin:{label.replace('.', '_')}_changelist"))
        request = response.wsgi_request
        offered = set(site._registry[model].get_actions(request))
        expected = {name for name, need in needs.items() if allowed(role, need)}
        assert offered == expected, label


def test_every_action_says_which_permission_it_needs() -> None:
    """Without, Django runs it for whoever may look at the list."""
    for model, page in site._registry.items():
        for _, name, _ in page._get_base_actions():  # type: ignore[attr-defined]
            found = page.get_action(name)
            assert found is not None
            assert getattr(found[0], "allowed_permissions", None), (model, name)


@pytest.mark.parametrize("role", [OPERATOR, *STRONG])
def test_actions_reach_no_row_of_another_team(world: World, role: str) -> None:
    """Nor does one that was not offered do anything."""
    client = signed_in(world.mine.people[role])
    before = snapshot()
    for label, needs in ACTIONS.items():
        where = reverse(f"admin:{label.replace('.', '_')}_changelist")
        for action in needs:
            data = {
                "action": action,
                "_selected_action": [str(world.theirs.row(label).pk)],
                "select_across": "0",
                "confirmed": "1",
                "post": "yes",
            }
            response = client.post(where, data)
            assert MARK not in text_of(response), (label, action)
    assert changed(before) == []


# --- forms --------------------------------------------------------------------------


@pytest.mark.parametrize("role", STRONG)
def test_forms_offer_and_take_nothing_of_another_team(world: World, role: str) -> None:
    """Each choice of related objects, of forms, their inlines and autocompletes."""
    person = world.mine.people[role]
    client = signed_in(person)
    request = client.get(reverse("admin:index")).wsgi_request
    checked = 0
    for model, page in site._registry.items():
        label = model._meta.label_lower
        if not page.has_add_permission(request):
            continue
        objects = [None, world.mine.rows.get(label)]
        for row in objects:
            forms = [page.get_form(request, row, change=row is not None)]
            forms += [
                formset.form for formset, _ in page.get_formsets_with_inlines(request)
            ]
            for form in forms:
                for name, field in form.base_fields.items():
                    rows = getattr(field, "queryset", None)
                    if rows is None:
                        continue
                    checked += 1
                    strangers = [one for one in rows if MARK in str(vars(one)).lower()]
                    assert strangers == [], (label, name)
        for name in page.autocomplete_fields:
            query = {
                "app_label": model._meta.app_label,
                "model_name": str(model._meta.model_name),
                "field_name": name,
                "term": "",
            }
            response = client.get(reverse("admin:autocomplete"), query)
            assert MARK not in text_of(response), (label, name)
    assert checked > 3


@pytest.mark.parametrize("label", ["workflows.secret", "workflows.connection"])
def test_another_team_s_id_is_no_choice(world: World, label: str) -> None:
    client = signed_in(world.mine.people[DEVELOPER])
    before = snapshot()
    data = {
        "name": "fresh",
        "team": str(world.theirs.team.pk),
        "kind": "bearer",
        "base_url": "https://x.example.com",
        "new_value": "x",
        "status": "active",
    }
    for name, args in (("add", ()), ("change", (world.mine.row(label).pk,))):
        where = reverse(f"admin:{label.replace('.', '_')}_{name}", args=args)
        response = client.post(where, data)
        assert response.status_code == 200
        assert "team" in response.context["adminform"].form.errors
        assert MARK not in text_of(response)
    assert changed(before) == []


def test_a_workflow_takes_no_team_trigger_or_name_of_another(world: World) -> None:
    """Nor do the problems of its draft tell whether such a name exists."""
    client = signed_in(world.mine.people[DEVELOPER])
    mine = world.mine.row("workflows.workflow")
    page = reverse("admin:workflows_workflow_change", args=(mine.pk,))
    theirs = world.theirs.row("workflows.trigger")
    data: dict[str, Any] = {
        "name": "Mine",
        "slug": mine.slug,
        "team": str(world.theirs.team.pk),
        "definition": '{"nodes": []}',
        "triggers-TOTAL_FORMS": "1",
        "triggers-INITIAL_FORMS": "1",
        "triggers-0-id": str(theirs.pk),
        "triggers-0-workflow": str(mine.pk),
        "triggers-0-DELETE": "on",
    }
    before = snapshot()
    response = client.post(page, data)
    assert response.status_code == 200
    assert "team" in response.context["adminform"].form.errors
    assert MARK not in text_of(response)
    del data["team"]
    response = client.post(page, {**data, "team": str(world.mine.team.pk)})
    assert response.status_code == 200
    assert MARK not in text_of(response)
    assert changed(before) == []


# --- what is walked apart -----------------------------------------------------------


def test_the_overview_of_an_app_shows_what_one_may_look_at(world: World) -> None:
    for side, role in ((world.mine, DEVELOPER), (world.mine, ADMINISTRATOR)):
        client = signed_in(side.people[role])
        for label in {model._meta.app_label for model in site._registry}:
            response = client.get(reverse("admin:app_list", args=(label,)))
            views = (f"{label}.view_{name}" for name in apps.all_models[label])
            expected = 200 if any(allowed(role, one) for one in views) else 404
            assert response.status_code == expected, (role, label)
            assert MARK not in text_of(response)


def test_the_way_to_a_site_s_page_tells_nothing(world: World) -> None:
    from django.contrib.contenttypes.models import ContentType

    client = signed_in(world.mine.people[DEVELOPER])
    for row in world.theirs.rows.values():
        kind = ContentType.objects.get_for_model(row)
        where = reverse("admin:view_on_site", args=(kind.pk, row.pk))
        response = client.get(where)
        assert response.status_code == 404
        assert MARK not in text_of(response)


def test_signing_out_is_a_post(world: World) -> None:
    client = signed_in(world.mine.people[DEVELOPER])
    assert client.get(reverse("admin:logout")).status_code == 405
    assert client.get(reverse("admin:index")).status_code == 200
    client.post(reverse("admin:logout"))
    assert client.get(reverse("admin:index")).status_code == 302
