"""PUT and PATCH /api/v1/workflows/{id}: If-Match, publishing, switching."""

from __future__ import annotations

from typing import Any

import pytest

from automate.accounts.models import AuditEntry, Team, User
from tests.api_caller import Caller, wrong
from workflows.models import Trigger, Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db
PATH = "workflows/greeter"


def step(key: str, message: str = "hello") -> dict[str, Any]:
    return {"id": key, "type": "log", "config": {"message": message}}


@pytest.fixture
def made(api: Caller) -> Any:
    """A published workflow with a webhook."""
    hook = {"kind": "webhook", "config": {"path": "greet"}}
    given = {
        "name": "Greeter",
        "nodes": [step("a")],
        "variables": {"region": "eu"},
        "triggers": [hook],
    }
    return api.post("workflows", given)


def now() -> Workflow:
    return Workflow.objects.select_related("published").get()


def published() -> WorkflowVersion:
    version = now().published
    assert version is not None
    return version


class TestTwoEditors:
    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_the_second_one_is_told_and_changes_nothing(
        self, api: Caller, made: Any, method: str
    ) -> None:
        first = api.get(PATH)["ETag"]
        ann = api(method, PATH, {"name": "Ann", "nodes": [step("b")]}, If_Match=first)
        bob = api(method, PATH, {"name": "Bob", "nodes": [step("c")]}, If_Match=first)

        assert (ann.status_code, bob.status_code) == (200, 412)
        assert bob.json()["error"]["code"] == "PRECONDITION_FAILED"
        assert ann["ETag"] == bob["ETag"] != first
        assert now().name == "Ann"
        assert now().definition["nodes"][0]["id"] == "b"
        again = api(
            method, PATH, {"name": "B", "nodes": [step("c")]}, If_Match=ann["ETag"]
        )
        assert again.status_code == 200

    def test_without_if_match_the_last_one_wins(self, api: Caller, made: Any) -> None:
        for name in ("Ann", "Bob"):
            assert api.patch(PATH, {"name": name}).status_code == 200
        assert now().name == "Bob"

    @pytest.mark.parametrize("given", ["*", '"7", {now}', '{now},"8"'])
    def test_any_of_several_tags_will_do(
        self, api: Caller, made: Any, given: str
    ) -> None:
        header = given.replace("{now}", made["ETag"])
        assert api.patch(PATH, {"name": "N"}, If_Match=header).status_code == 200

    @pytest.mark.parametrize("given", ['"99"', '"other"', "W/{now}", f'"{"9" * 5000}"'])
    def test_a_tag_that_is_not_the_present_one_is_412(
        self, api: Caller, made: Any, given: str
    ) -> None:
        header = given.replace("{now}", made["ETag"])
        assert api.patch(PATH, {"name": "N"}, If_Match=header).status_code == 412

    @pytest.mark.parametrize("given", ["", "3", "x y", '"3'])
    def test_a_header_without_tags_is_400(
        self, api: Caller, made: Any, given: str
    ) -> None:
        assert "If-Match" in wrong(api.patch(PATH, {"name": "N"}, If_Match=given))
        assert now().name == "Greeter"

    @pytest.mark.parametrize("verb", ["publish", "versions/1/rollback"])
    def test_publishing_and_rolling_back_take_it_too(
        self, api: Caller, made: Any, verb: str
    ) -> None:
        api.patch(PATH, {"nodes": [step("b")], "status": "draft"})
        answer = api.post(f"{PATH}/{verb}", If_Match=made["ETag"])
        assert answer.status_code == 412
        assert published().number == 1


class TestReplace:
    def test_it_is_published_as_the_next_version(self, api: Caller, made: Any) -> None:
        answer = api.put(PATH, {"name": "New name", "nodes": [step("b")]})
        assert answer.status_code == 200, answer.content
        assert answer.json()["version"] == 2
        assert published().definition["nodes"][0]["id"] == "b"
        assert now().name == "New name"

    def test_a_draft_leaves_what_runs_alone(self, api: Caller, made: Any) -> None:
        broken = {"id": "b", "type": "http_request", "config": {}}
        answer = api.put(PATH, {"nodes": [broken], "status": "draft"})
        assert answer.status_code == 200
        body = answer.json()
        assert (body["status"], body["version"]) == ("active", 1)
        assert body["definition"]["nodes"][0]["id"] == "b"
        assert body["problems"][0]["field"] == "nodes[0].config.url"
        assert published().definition["nodes"][0]["id"] == "a"

    def test_problems_are_told_and_nothing_is_saved(
        self, api: Caller, made: Any
    ) -> None:
        given = {"name": "X", "nodes": [{"id": "b", "type": "no"}], "colour": 1}
        assert {"colour", "nodes[0].type"} <= set(wrong(api.put(PATH, given)))
        assert now().name == "Greeter"
        assert now().edit_count == int(made["ETag"].strip('"'))

    def test_what_was_read_can_be_written_back(self, api: Caller, made: Any) -> None:
        """The definition with its triggers: nothing changes."""
        read = api.get(PATH).json()
        given = {name: read[name] for name in ("name", "description", "definition")}
        again = api.put(PATH, given).json()
        assert (again["version"], again["webhook_url"]) == (1, read["webhook_url"])
        assert [one["id"] for one in again["triggers"]] == [
            one["id"] for one in read["triggers"]
        ]

    def test_it_can_be_renamed(self, api: Caller, made: Any) -> None:
        answer = api.put(PATH, {"slug": "host", "nodes": [step("a")]})
        assert answer.json()["slug"] == "host"
        assert api.get(PATH).status_code == 404
        assert AuditEntry.objects.filter(action="workflow.change").exists()

    def test_not_to_a_name_that_is_taken(self, api: Caller, made: Any) -> None:
        api.post("workflows", {"name": "Other", "nodes": [step("a")]})
        assert "slug" in wrong(api.patch(PATH, {"slug": "other"}))

    def test_it_moves_to_a_team_of_ones_own_alone(
        self, api: Caller, user: User, stranger: Caller, made: Any
    ) -> None:
        user.teams.add(Team.objects.create(name="Second", slug="second"))
        assert "team" in wrong(api.patch(PATH, {"team": "theirs"}))
        assert api.patch(PATH, {"team": "second"}).json()["team"] == "second"


class TestAsItWasRead:
    """What GET answers may be sent back by PUT, changed or not."""

    @pytest.fixture
    def read(self, api: Caller) -> dict[str, Any]:
        body = {
            "slug": "read",
            "name": "Read",
            "nodes": [
                {"id": "in", "type": "webhook", "config": {"path": "read-me"}},
                {"id": "a", "type": "log", "config": {"message": "{{ variables.n }}"}},
            ],
            "connections": [{"from": "in", "to": "a"}],
            "triggers": [{"kind": "schedule", "config": {"cron": "0 3 * * *"}}],
            "variables": {"n": 1},
        }
        assert api.post("workflows", body).status_code == 201
        found: dict[str, Any] = api.get("workflows/read").json()
        return found

    def test_unchanged_it_changes_nothing(
        self, api: Caller, read: dict[str, Any]
    ) -> None:
        answer = api.put("workflows/read", read)
        assert answer.status_code == 200, answer.content
        after = api.get("workflows/read").json()
        assert {**after, "updated_at": read["updated_at"]} == read

    def test_what_was_changed_in_it_is_changed(
        self, api: Caller, read: dict[str, Any]
    ) -> None:
        read["description"] = "by hand"
        read["definition"]["variables"] = {"n": 2}
        answer = api.put("workflows/read", read)
        assert answer.status_code == 200, answer.content
        after = api.get("workflows/read").json()
        assert (after["description"], after["variables"]) == ("by hand", {"n": 2})
        assert after["webhook_url"] == read["webhook_url"]

    @pytest.fixture
    def beside(self, api: Caller, made: Any) -> dict[str, Any]:
        """Its triggers are told of by no definition."""
        assert api.put(PATH, {"nodes": [step("a")]}).status_code == 200
        Workflow.objects.update(definition={"nodes": [step("a")]})
        found: dict[str, Any] = api.get(PATH).json()
        assert found["triggers"]
        assert "triggers" not in found["definition"]
        return found

    def test_triggers_beside_the_definition_stay_as_they_are(
        self, api: Caller, beside: dict[str, Any]
    ) -> None:
        answer = api.put(PATH, beside)
        assert answer.status_code == 200, answer.content
        assert api.get(PATH).json()["triggers"] == beside["triggers"]

    def test_triggers_beside_the_definition_can_be_changed(
        self, api: Caller, beside: dict[str, Any]
    ) -> None:
        beside["triggers"][0]["is_active"] = False
        answer = api.put(PATH, beside)
        assert answer.status_code == 200, answer.content
        after = api.get(PATH).json()["triggers"]
        assert after == beside["triggers"]
        assert not Trigger.objects.get().is_active

    def test_the_id_and_address_of_one_beside_the_definition_cannot(
        self, api: Caller, beside: dict[str, Any]
    ) -> None:
        beside["triggers"][0]["url"] = "https://elsewhere.example.com/"
        assert "triggers[0].url" in wrong(api.put(PATH, beside))

    def test_what_only_reading_gives_cannot_be_changed(
        self, api: Caller, read: dict[str, Any]
    ) -> None:
        answer = api.put("workflows/read", {**read, "version": 7, "links": {}})
        assert {"version", "links"} <= set(wrong(answer))


class TestPatch:
    def test_only_what_is_named_changes(self, api: Caller, made: Any) -> None:
        body = api.patch(PATH, {"description": "Greets.", "tags": ["a"]}).json()
        assert (body["description"], body["tags"]) == ("Greets.", ["a"])
        assert (body["name"], body["version"]) == ("Greeter", 1)
        assert body["definition"] == made.json()["definition"]

    def test_names_and_limits_leave_a_waiting_draft_alone(
        self, api: Caller, made: Any
    ) -> None:
        api.patch(PATH, {"nodes": [step("b")], "status": "draft"})
        api.patch(PATH, {"description": "Greets.", "run_timeout": "5m"})
        assert published().definition["nodes"][0]["id"] == "a"
        assert now().definition["nodes"][0]["id"] == "b"
        assert now().run_timeout == 300

    def test_variables_are_published_with_the_same_steps(
        self, api: Caller, made: Any
    ) -> None:
        body = api.patch(PATH, {"variables": {"region": "us"}}).json()
        assert (body["version"], body["variables"]) == (2, {"region": "us"})
        assert body["definition"]["nodes"][0]["id"] == "a"
        assert [one["is_active"] for one in body["triggers"]] == [True]

    def test_new_steps_keep_variables_and_triggers(
        self, api: Caller, made: Any
    ) -> None:
        steps = [{"name": "one", "type": "log", "config": {"message": "1"}}]
        body = api.patch(PATH, {"steps": steps}).json()
        assert body["variables"] == {"region": "eu"}
        assert body["webhook_url"] == made.json()["webhook_url"]
        assert Trigger.objects.get().is_active

    def test_a_new_definition_keeps_the_triggers(self, api: Caller, made: Any) -> None:
        body = api.patch(PATH, {"definition": {"nodes": [step("z")]}}).json()
        assert body["variables"] == {}
        assert Trigger.objects.get().is_active

    def test_triggers_are_replaced(self, api: Caller, made: Any) -> None:
        body = api.patch(PATH, {"triggers": []}).json()
        assert [one["is_active"] for one in body["triggers"]] == [False]
        assert body["definition"]["nodes"][0]["id"] == "a"

    def test_it_is_switched_by_its_status(self, api: Caller, made: Any) -> None:
        for status in ("inactive", "active", "archived", "active"):
            body = api.patch(PATH, {"status": status}).json()
            assert (body["status"], body["is_active"]) == (status, status == "active")
        assert published().number == 1

    def test_an_active_one_is_no_draft_again(self, api: Caller, made: Any) -> None:
        assert api.patch(PATH, {"status": "draft"}).status_code == 409

    def test_an_archived_one_comes_back_with_new_steps(
        self, api: Caller, made: Any
    ) -> None:
        api.delete(PATH)
        refused = api.put(PATH, {"nodes": [step("b")]})
        assert refused.status_code == 409
        body = api.put(PATH, {"nodes": [step("b")], "status": "active"}).json()
        assert (body["status"], body["version"]) == ("active", 2)

    def test_unknown_names_are_told(self, api: Caller, made: Any) -> None:
        assert "colour" in wrong(api.patch(PATH, {"colour": "red"}))

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
    def test_another_team_finds_nothing(
        self, stranger: Caller, made: Any, method: str
    ) -> None:
        answer = stranger(method, PATH, {"nodes": [step("x")]})
        assert answer.status_code == 404
        assert now().name == "Greeter"


class TestFaultsHaveTheNamesOfTheCaller:
    @pytest.mark.parametrize(
        ("patch", "field"),
        [
            ({"variables": {"1a": 2}}, "variables"),
            ({"variables": [1]}, "variables"),
            ({"nodes": [{"id": "a", "type": "x"}]}, "nodes[0].type"),
            ({"steps": 3}, "steps"),
            ({"definition": {"steps": [], "variables": 3}}, "definition.variables"),
            ({"id": "taken"}, "id"),
            ({"slug": "taken"}, "slug"),
        ],
    )
    def test_in_a_patch(
        self, api: Caller, made: Any, patch: dict[str, Any], field: str
    ) -> None:
        api.post("workflows", {"slug": "taken", "steps": [step("a")]})
        told = {name for name in wrong(api.patch(PATH, patch)) if name != "definition"}
        assert told == {field}

    @pytest.mark.parametrize(
        ("inner", "field"),
        [
            ({"variables": {"1a": 2}}, "definition.variables"),
            ({"triggers": [{"kind": "nothing"}]}, "definition.triggers[0].kind"),
        ],
    )
    def test_in_what_was_read_and_is_put_back(
        self, api: Caller, made: Any, inner: dict[str, Any], field: str
    ) -> None:
        document = api.get(PATH).json()
        document["definition"] |= inner
        assert set(wrong(api.put(PATH, document))) == {field}
