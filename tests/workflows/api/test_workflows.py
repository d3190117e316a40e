"""POST and GET /api/v1/workflows, GET and DELETE /api/v1/workflows/{id}."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import AuditEntry, Team, User
from runs.models import Run
from tests.api_caller import Caller, wrong
from tests.makers import make_user, make_workflow
from workflows.models import Secret, Trigger, Workflow

pytestmark = pytest.mark.django_db
FIELDS = {
    "id", "slug", "name", "description", "status", "is_active", "definition",
    "variables", "triggers", "webhook_url", "owner", "version", "created_at",
    "updated_at",
}  # fmt: skip
STEPS = [{"name": "Say it", "type": "log", "config": {"message": "hello"}}]


def document(**more: Any) -> dict[str, Any]:
    return {"name": "Say hello", "steps": STEPS, **more}


class TestCreate:
    def test_it_is_published_and_active_at_once(self, api: Caller, user: User) -> None:
        answer = api.post("workflows", document(description="Greets."))

        assert answer.status_code == 201, answer.content
        body = answer.json()
        row = Workflow.objects.get()
        assert set(body) >= FIELDS
        assert (body["id"], body["slug"]) == (str(row.pk), "say-hello")
        assert (body["status"], body["is_active"], body["version"]) == (
            "active", True, 1,
        )  # fmt: skip
        assert body["description"] == "Greets."
        assert body["owner"] == user.email
        assert body["team"] == "ours"
        assert [node["id"] for node in body["definition"]["nodes"]] == ["say-it"]
        assert answer["Location"].endswith(f"/api/v1/workflows/{row.pk}")
        assert answer["ETag"] == f'"{row.edit_count}"'
        assert row.team == user.teams.get()

    @pytest.mark.parametrize("name", ["slug", "id"])
    def test_the_client_may_choose_the_slug_and_call_it_id(
        self, api: Caller, name: str
    ) -> None:
        made = api.post("workflows", document(**{name: "greeter"})).json()
        assert made["slug"] == "greeter"
        assert api.get("workflows/greeter").json()["id"] == made["id"]

    @pytest.mark.parametrize(
        "graph",
        [
            {"steps": STEPS},
            {"nodes": [{"id": "say-it", "type": "log", "config": {"message": "x"}}]},
            {"definition": {"steps": STEPS}},
            {"definition": {"nodes": [{"id": "say-it", "type": "log",
                                       "config": {"message": "x"}}]}},
        ],
    )  # fmt: skip
    def test_each_way_to_write_the_steps_is_read(
        self, api: Caller, graph: dict[str, Any]
    ) -> None:
        made = api.post("workflows", {"name": "One", **graph}).json()
        assert [node["id"] for node in made["definition"]["nodes"]] == ["say-it"]

    def test_triggers_and_variables_are_made_with_it(self, api: Caller) -> None:
        hook = {"kind": "webhook", "config": {"path": "greet"}, "secret": None}
        clock = {"trigger_type": "schedule", "configuration": {"cron": "0 7 * * *"}}
        given = document(variables={"region": "eu"}, triggers=[hook, clock])

        body = api.post("workflows", given).json()

        assert body["variables"] == {"region": "eu"}
        assert [one["kind"] for one in body["triggers"]] == ["webhook", "schedule"]
        assert body["webhook_url"].endswith("/v1/webhooks/greet")
        assert body["triggers"][1]["next_fire_at"] is not None
        assert Trigger.objects.filter(is_active=True).count() == 2
        assert body["warnings"] != []  # of the missing scheme

    def test_a_secret_that_was_made_is_shown_once(self, api: Caller) -> None:
        config = {"scheme": "standard_webhooks"}
        triggers = [{"kind": "webhook", "config": config}]
        made = api.post("workflows", document(triggers=triggers)).json()
        secret = Trigger.objects.get().secret
        assert made["triggers"][0]["secret"] == secret
        assert secret not in api.get(f"workflows/{made['id']}").content.decode()

    def test_a_literal_credential_becomes_a_secret_and_is_told(
        self, api: Caller, team: Team
    ) -> None:
        config = {
            "url": "https://crm.example.com",
            "headers": {"Authorization": "Bearer canary-4711"},
        }
        steps = [{"name": "tell", "type": "http_request", "config": config}]
        answer = api.post("workflows", document(steps=steps))
        assert b"canary-4711" not in answer.content
        assert len(answer.json()["messages"]) == 1
        assert Secret.objects.get().team == team

    def test_a_draft_may_have_problems_and_is_not_published(self, api: Caller) -> None:
        steps = [{"name": "tell", "type": "http_request", "config": {}}]
        hook = {"kind": "webhook", "config": {"path": "greet"}}
        given = document(steps=steps, status="draft", triggers=[hook])
        body = api.post("workflows", given).json()
        assert (body["status"], body["is_active"], body["version"]) == (
            "draft", False, None,
        )  # fmt: skip
        assert body["problems"][0]["field"] == "steps[0].config.url"
        assert body["triggers"][0]["id"] is None
        assert body["webhook_url"] is None

    def test_everything_wrong_is_told_at_once_with_its_place(self, api: Caller) -> None:
        given = {
            "name": "",
            "colour": "red",
            "nodes": [
                {"id": "a", "type": "nonsense", "config": {}},
                {"id": "b", "type": "http_request", "config": {"ur": "x"}},
            ],
            "connections": [{"from": "a", "to": "c"}],
            "triggers": [{"kind": "webhook", "config": {"scheme": "nope"}}],
        }
        found = wrong(api.post("workflows", given))
        assert {
            "name", "colour", "nodes[0].type", "nodes[1].config.ur",
            "connections[0].to", "triggers[0].config.scheme",
        } <= set(found)  # fmt: skip
        assert "url" in found["nodes[1].config.ur"]
        assert not Workflow.objects.exists()

    def test_nothing_is_left_when_a_part_fails(self, api: Caller) -> None:
        """The path is found to be taken after workflow and version were written."""
        hook = {"kind": "webhook", "config": {"path": "greet"}}
        assert api.post("workflows", document(triggers=[hook])).status_code == 201
        before = AuditEntry.objects.count()
        found = wrong(api.post("workflows", document(slug="two", triggers=[hook])))
        assert found == {"triggers[0].config.path": '"greet" is taken'}
        assert Workflow.objects.count() == 1
        assert AuditEntry.objects.count() == before

    def test_a_slug_that_is_taken_is_told(self, api: Caller) -> None:
        api.post("workflows", document(slug="greeter"))
        assert "slug" in wrong(api.post("workflows", document(slug="greeter")))

    @pytest.mark.parametrize("body", [[], "text", 1, None])
    def test_a_body_that_is_no_object_is_refused(self, api: Caller, body: Any) -> None:
        answer = api.post("workflows", body)
        assert answer.status_code == 400, answer.content

    def test_the_audit_names_the_key(self, api: Caller) -> None:
        api.post("workflows", document())
        entries = AuditEntry.objects.exclude(api_key=None)
        assert {"workflow.create", "workflow.publish"} <= set(
            entries.values_list("action", flat=True)
        )


class TestWhose:
    def test_who_has_several_teams_says_which(self, api: Caller, user: User) -> None:
        second = Team.objects.create(name="Second", slug="second")
        user.teams.add(second)
        found = wrong(api.post("workflows", document()))
        assert "ours, second" in found["team"]
        made = api.post("workflows", document(team="second"))
        assert made.json()["team"] == "second"

    def test_another_team_cannot_be_named(self, api: Caller, stranger: Caller) -> None:
        found = wrong(api.post("workflows", document(team="theirs")))
        assert set(found) == {"team"}
        assert not Workflow.objects.exists()

    def test_who_has_none_makes_it_for_everybody(self, db: None) -> None:
        made = Caller(make_user()).post("workflows", document()).json()
        assert made["team"] is None

    def test_another_teams_is_404_by_id_and_slug(
        self, api: Caller, stranger: Caller
    ) -> None:
        made = api.post("workflows", document()).json()
        for name in (made["id"], made["slug"], "nowhere"):
            assert stranger.get(f"workflows/{name}").status_code == 404
        assert stranger.get("workflows").json()["results"] == []

    def test_an_administrator_sees_all(self, api: Caller) -> None:
        made = api.post("workflows", document()).json()
        root = Caller(make_user(is_superuser=True))
        assert root.get(f"workflows/{made['id']}").status_code == 200

    @pytest.mark.parametrize(
        ("scope", "method", "expected"),
        [
            ("workflows:read", "GET", 200),
            ("workflows:read", "POST", 403),
            ("workflows:write", "GET", 403),
            ("workflows:write", "POST", 201),
            ("runs:execute", "GET", 403),
        ],
    )
    def test_scopes(self, user: User, scope: str, method: str, expected: int) -> None:
        answer = Caller(user, scope)(method, "workflows", document())
        assert answer.status_code == expected


class TestList:
    def test_pages_are_walked_newest_first(self, api: Caller, team: Team) -> None:
        rows = [make_workflow(team=team) for _ in range(5)]
        seen: list[str] = []
        path = "workflows?limit=2"
        while path:
            page = api.get(path).json()
            seen += [row["id"] for row in page["results"]]
            path = page["next"]
        assert seen == [str(row.pk) for row in reversed(rows)]

    def test_filters(self, api: Caller, user: User, team: Team) -> None:
        hidden = make_workflow(team=team, name="Old one")
        Workflow.objects.filter(pk=hidden.pk).update(status="archived")
        draft = make_workflow(team=team, slug="crm-sync")
        Workflow.objects.filter(pk=draft.pk).update(status="draft")
        mine = make_workflow(owner=user, description="Sends invoices")
        moment = datetime(2020, 1, 1, tzinfo=UTC)
        Workflow.objects.filter(pk=mine.pk).update(created_at=moment)

        def found(query: str) -> set[str]:
            answer = api.get(f"workflows?{query}")
            assert answer.status_code == 200, answer.content
            return {row["slug"] for row in answer.json()["results"]}

        assert found("") == {draft.slug, mine.slug}
        assert found("status=archived") == {hidden.slug}
        assert found("status=DRAFT,archived") == {draft.slug, hidden.slug}
        assert found("team=ours") == {draft.slug}
        assert found(f"owner={user.email}") == {mine.slug}
        assert found("search=CRM") == {draft.slug}
        assert found("search=invoice") == {mine.slug}
        assert found("created_before=2021-01-01") == {mine.slug}
        assert found("created_after=2021-01-01") == {draft.slug}

    def test_tags_are_compared_letter_for_letter(self, api: Caller) -> None:
        make_workflow(slug="both", tags=["crm", 'a "b", é'])
        make_workflow(slug="one", tags=["CRM", "crm-old"])

        def found(*tags: str) -> list[str]:
            query = urlencode([("tag", tag) for tag in tags])
            rows = api.get(f"workflows?{query}").json()["results"]
            return [row["slug"] for row in rows]

        assert found("crm") == found("crm", 'a "b", é') == ["both"]
        assert found("CRM") == ["one"]
        assert found("crm", "CRM") == found(",") == found("cr%") == []
        assert "tag" in str(wrong(api.get("workflows?tag=")))

    @pytest.mark.parametrize("query", ["colour=red", "status=done", "limit=0"])
    def test_what_is_unknown_is_told(self, api: Caller, query: str) -> None:
        assert query.split("=")[0] in wrong(api.get(f"workflows?{query}"))

    def test_the_cost_is_bounded(
        self,
        api: Caller,
        team: Team,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(10):
            row = make_workflow(team=team, owner=make_user())
            Trigger.objects.create(workflow=row, kind="webhook", path=f"p{number}")
        api.get("workflows")  # notes the key's use
        with django_assert_max_num_queries(3):
            answer = api.get("workflows")
        assert len(answer.json()["results"]) == 10
        with django_assert_max_num_queries(3):
            api.get(f"workflows/{row.pk}")


class TestDelete:
    def test_it_is_archived_and_its_runs_stay(self, api: Caller) -> None:
        made = api.post("workflows", document()).json()
        run = api.post("trigger", {"workflow_id": made["id"]}).json()["run_id"]

        assert api.delete(f"workflows/{made['id']}").status_code == 204
        assert api.delete(f"workflows/{made['id']}").status_code == 204

        shown = api.get(f"workflows/{made['id']}").json()
        assert (shown["status"], shown["is_active"]) == ("archived", False)
        assert api.get("workflows").json()["results"] == []
        assert Run.objects.filter(pk=run).exists()
        assert api.post(f"workflows/{made['id']}/execute").status_code == 409
        assert AuditEntry.objects.filter(action="workflow.archive").count() == 1

    def test_not_when_somebody_else_changed_it(self, api: Caller) -> None:
        made = api.post("workflows", document())
        path = f"workflows/{made.json()['id']}"
        api.patch(path, {"description": "New"})
        assert api.delete(path, If_Match=made["ETag"]).status_code == 412
        assert Workflow.objects.get().status == "active"


class TestFaultsHaveTheNamesOfTheCaller:
    @pytest.mark.parametrize("key", ["id", "slug"])
    @pytest.mark.parametrize("status", ["active", "draft"])
    def test_a_name_that_is_taken(self, api: Caller, key: str, status: str) -> None:
        api.post("workflows", document(slug="greeter"))
        again = document(status=status, **{key: "greeter"})
        assert set(wrong(api.post("workflows", again))) == {key}
        told = api.post("workflows/validate", again).json()["errors"]
        assert [item["field"] for item in told] == [key]

    def test_a_name_that_another_team_has_taken(
        self, api: Caller, stranger: Caller
    ) -> None:
        stranger.post("workflows", document(slug="greeter"))
        assert set(wrong(api.post("workflow", document(id="greeter")))) == {"id"}

    def test_triggers_within_the_definition(self, api: Caller) -> None:
        given = document()
        inner = {"steps": given.pop("steps"), "triggers": [{"kind": "nothing"}]}
        answer = api.post("workflows", {**given, "definition": inner})
        assert set(wrong(answer)) == {"definition.triggers[0].kind"}

    @pytest.mark.parametrize("status", ["active", "draft"])
    def test_variables_beside_the_definition(self, api: Caller, status: str) -> None:
        given = document(status=status, variables=[1])
        inner = {"steps": given.pop("steps")}
        answer = api.post("workflows", {**given, "definition": inner})
        assert wrong(answer) == {"variables": "must be an object"}


class TestValidate:
    def test_it_says_all_and_saves_nothing(self, api: Caller) -> None:
        given = {"name": "One", "nodes": [{"id": "a", "type": "x"}], "colour": 1}
        answer = api.post("workflows/validate", given)
        assert answer.status_code == 200
        body = answer.json()
        assert body["valid"] is False
        fields = {item["field"] for item in body["errors"]}
        assert {"colour", "nodes[0].type"} <= fields
        assert not Workflow.objects.exists()

    def test_missing_names_and_taken_paths_are_told(self, api: Caller) -> None:
        hook = {"kind": "webhook", "config": {"path": "greet"}}
        api.post("workflows", document(slug="greeter", triggers=[hook]))
        steps = [
            {
                "name": "tell",
                "type": "http_request",
                "config": {
                    "url": "https://crm.example.com",
                    "connection": "crm",
                    "headers": {
                        "X-Key": "{{ secrets.NOWHERE }}",
                        "Authorization": "Bearer sesame-open",
                    },
                },
            }
        ]
        given = document(slug="greeter", steps=steps, triggers=[hook])
        body = api.post("workflows/validate", given).json()
        assert {item["field"] for item in body["errors"]} == {
            "slug",
            "triggers[0].config.path",
            "steps[0].config.connection",
            "steps[0].config.headers.X-Key",
        }
        assert not Secret.objects.exists()

    def test_what_is_right_is_valid_and_warned_of(self, api: Caller) -> None:
        given = document(triggers=[{"kind": "webhook", "config": {}}])
        body = api.post("workflows/validate", given).json()
        assert (body["valid"], body["errors"]) == (True, [])
        assert body["warnings"] != []
        assert not Workflow.objects.exists()

    def test_of_a_workflow_its_own_slug_and_path_are_free(self, api: Caller) -> None:
        hook = {"kind": "webhook", "config": {"path": "greet"}}
        given = document(slug="greeter", triggers=[hook])
        api.post("workflows", given)
        assert api.post("workflows/greeter/validate", given).json()["valid"] is True
        assert api.post("workflows/greeter/validate", {}).json()["valid"] is True
