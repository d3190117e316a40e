"""/versions, /diff, /publish and /rollback of a workflow."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import AuditEntry, User
from tests.api_caller import Caller, wrong
from workflows.models import Workflow

pytestmark = pytest.mark.django_db
PATH = "workflows/greeter"


def step(message: str) -> dict[str, Any]:
    return {"id": "a", "type": "log", "config": {"message": message}}


@pytest.fixture
def three(api: Caller) -> Caller:
    """Versions 1 to 3, and a draft that differs from the last."""
    given = {"name": "Greeter", "nodes": [step("one")], "note": "first"}
    assert api.post("workflows", given).status_code == 201
    for word in ("two", "three"):
        assert api.patch(PATH, {"nodes": [step(word)]}).status_code == 200
    api.patch(PATH, {"nodes": [step("four")], "status": "draft"})
    return api


def test_versions_come_newest_first_without_definitions(
    three: Caller,
    user: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_max_num_queries(3):
        found = three.get(f"{PATH}/versions").json()["results"]
    assert [row["number"] for row in found] == [3, 2, 1]
    assert [row["is_published"] for row in found] == [True, False, False]
    assert found[2]["note"] == "first"
    assert found[0]["created_by"] == user.email
    assert "definition" not in found[0]


def test_one_version_has_its_definition(three: Caller) -> None:
    body = three.get(f"{PATH}/versions/2").json()
    assert body["definition"]["nodes"][0]["config"] == {"message": "two"}


@pytest.mark.parametrize(
    ("query", "pair", "values"),
    [
        ("", [1, 2], ("one", "two")),
        ("?against=previous", [1, 2], ("one", "two")),
        ("?against=published", [2, 3], ("two", "three")),
        ("?against=3", [2, 3], ("two", "three")),
        ("?against=1", [2, 1], ("two", "one")),
        ("?against=draft", [2, "draft"], ("two", "four")),
    ],
)
def test_what_changed(
    three: Caller, query: str, pair: list[Any], values: tuple[str, str]
) -> None:
    body = three.get(f"{PATH}/versions/2/diff{query}").json()
    assert [body["from"], body["to"]] == pair
    (change,) = body["changes"]
    assert (change["kind"], change["step"]) == ("config_changed", "a")
    assert change["place"] == "config.message"
    assert (change["old"], change["new"]) == values
    assert values[1] in change["text"]


def test_before_the_first_there_was_nothing(three: Caller) -> None:
    body = three.get(f"{PATH}/versions/1/diff").json()
    assert (body["from"], body["to"]) == (0, 1)
    (change,) = body["changes"]
    assert change["kind"] == "step_added"
    assert "old" not in change


@pytest.mark.parametrize("against", ["yesterday", "-1", "1.5"])
def test_against_what_is_told(three: Caller, against: str) -> None:
    path = f"{PATH}/versions/1/diff?against={against}"
    assert "against" in wrong(three.get(path))


@pytest.mark.parametrize(
    ("method", "below"),
    [
        ("GET", "versions/9"),
        ("GET", "versions/99999999999999999999"),
        ("GET", "versions/9/diff"),
        ("GET", "versions/1/diff?against=9"),
        ("POST", "versions/9/rollback"),
    ],
)
def test_a_version_that_is_none_is_404(three: Caller, method: str, below: str) -> None:
    assert three(method, f"{PATH}/{below}").status_code == 404


def test_the_draft_is_published_with_a_note(three: Caller) -> None:
    answer = three.post(f"{PATH}/publish", {"note": "At last."})
    assert answer.status_code == 200, answer.content
    assert answer.json()["version"] == 4
    version = Workflow.objects.get().published
    assert version is not None
    assert (version.number, version.note) == (4, "At last.")
    assert three.post(f"{PATH}/publish").json()["version"] == 4  # the same again


def test_a_draft_that_is_wrong_is_not_published(three: Caller) -> None:
    bad = {"id": "b", "type": "http_request", "config": {}}
    three.patch(PATH, {"nodes": [bad], "status": "draft"})
    assert "nodes[0].config.url" in wrong(three.post(f"{PATH}/publish"))
    three.patch(PATH, {"status": "archived"})
    assert three.post(f"{PATH}/publish").status_code == 409


def test_rolling_back_makes_an_earlier_version_run(three: Caller) -> None:
    answer = three.post(f"{PATH}/versions/1/rollback", {"note": "Too loud."})
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["version"] == 1
    assert body["definition"]["nodes"][0]["config"] == {"message": "one"}
    entry = AuditEntry.objects.get(action="workflow.rollback")
    assert entry.changes["note"] == "Too loud."
    assert entry.api_key is not None


@pytest.mark.parametrize("verb", ["publish", "versions/1/rollback"])
def test_unknown_names_are_refused(three: Caller, verb: str) -> None:
    assert "colour" in wrong(three.post(f"{PATH}/{verb}", {"colour": "red"}))


@pytest.mark.parametrize(
    ("method", "below"),
    [
        ("GET", "versions"),
        ("GET", "versions/1"),
        ("GET", "versions/1/diff"),
        ("POST", "versions/1/rollback"),
        ("POST", "publish"),
        ("POST", "validate"),
    ],
)
def test_another_team_finds_nothing(
    three: Caller, stranger: Caller, method: str, below: str
) -> None:
    assert stranger(method, f"{PATH}/{below}").status_code == 404


@pytest.mark.parametrize("verb", ["publish", "versions/1/rollback"])
def test_reading_is_not_enough(three: Caller, user: User, verb: str) -> None:
    reader = Caller(user, "workflows:read", "runs:execute")
    assert reader.post(f"{PATH}/{verb}").status_code == 403
