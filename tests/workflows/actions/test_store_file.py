"""The step that stores a file, in a folder and in a bucket on a real socket."""

from __future__ import annotations

import base64
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.test import override_settings

from automate.lib import s3
from automate.lib.filestore import storage_setting
from tests.object_store import fresh, object_store
from tests.runs.drains import drained
from tests.runs.flows import again, node, publish, started, step
from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import RunInfo, all_actions, get
from workflows.actions.outcomes import Done, Fail, Outcome, Retry
from workflows.actions.store_file import LONGEST_NAME
from workflows.definition import validate

INFO = RunInfo(id="run-1", workflow_id="flow-1")
CONFIG = {
    "name": "orders/{{ trigger.payload.id }}.json",
    "content": "{{ trigger.payload }}",
    "encoding": "json",
}


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with object_store() as url:
        yield url


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> None:
    """The storage of the settings is an empty one of either kind."""
    url = f"file://{tmp_path}/files"
    if request.param == "bucket":
        url = fresh(request.getfixturevalue("bucket"))
    settings.STORAGES = {**settings.STORAGES, "default": storage_setting(url, tmp_path)}


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """The storage of the settings is this folder."""
    settings.STORAGES = {**settings.STORAGES, "default": storage_setting("", tmp_path)}
    return tmp_path


@pytest.fixture
def store(make_context: MakeContext) -> Any:
    def execute(name: Any = "a.txt", content: Any = "x", **config: Any) -> Outcome:
        info = config.pop("run", INFO)
        merged = {"name": name, "content": content, **config}
        return get("store_file").execute(make_context(merged, run=info))

    return execute


def stored(name: str) -> bytes:
    with storages["default"].open(name) as file:
        return bytes(file.read())


@pytest.mark.usefixtures("place")
class TestBothKindsOfStorage:
    @pytest.mark.parametrize(
        ("encoding", "content", "data"),
        [
            ("text", "größe\n", "größe\n".encode()),
            ("text", "", b""),
            ("base64", base64.b64encode(bytes(range(256))).decode(), bytes(range(256))),
            ("base64", "aGFs\n bG8=", b"hallo"),
            ("json", {"a": [1, None, "é"]}, '{"a":[1,null,"é"]}'.encode()),
            ("json", "text", b'"text"'),
        ],
    )
    def test_the_content_is_stored_byte_for_byte(
        self, encoding: str, content: Any, data: bytes, store: Any
    ) -> None:
        assert store("dir/a b.bin", content, encoding=encoding) == Done(
            {
                "name": "flow-1/dir/a b.bin",
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        )
        assert stored("flow-1/dir/a b.bin") == data

    def test_storing_the_same_again_succeeds(self, store: Any) -> None:
        assert store() == store()

    def test_other_content_under_the_same_name_is_refused(self, store: Any) -> None:
        store(content="first")
        outcome = store(content="other")
        assert isinstance(outcome, Fail)
        assert outcome.error.error_class == "FileExists"
        assert "flow-1/a.txt" in outcome.error.message
        assert '"overwrite": true' in outcome.error.message
        assert stored("flow-1/a.txt") == b"first"

    def test_overwriting_replaces(self, store: Any) -> None:
        store(content="a longer first one")
        assert isinstance(store(content="other", overwrite=True), Done)
        assert stored("flow-1/a.txt") == b"other"

    def test_workflows_do_not_meet(self, store: Any) -> None:
        store(content="one")
        outcome = store(content="two", run=RunInfo(id="r", workflow_id="flow-2"))
        assert isinstance(outcome, Done)
        assert (stored("flow-1/a.txt"), stored("flow-2/a.txt")) == (b"one", b"two")

    def test_where_files_are_served_the_output_has_a_url(self, store: Any) -> None:
        with override_settings(FILES_PUBLIC_URL="https://files.example.com/f"):
            outcome = store("a b/ä.txt")
        url = "https://files.example.com/f/flow-1/a%20b/%C3%A4.txt"
        assert outcome.output["url"] == url


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"name": ""}, "must not begin with a slash, nor be empty"),
        ({"name": "/etc/passwd"}, "must not begin with a slash"),
        ({"name": "../x"}, "no . or .."),
        ({"name": "a/../../x"}, "no . or .."),
        ({"name": "a/./x"}, "no . or .."),
        ({"name": "a//x"}, "no empty parts"),
        ({"name": "a/"}, "no empty parts"),
        ({"name": "a/ x"}, "no spaces around a slash"),
        ({"name": "a\x00b"}, "control characters"),
        ({"name": "a\nb"}, "line ends"),
        ({"name": "..\\x"}, "backslashes"),
        ({"name": "x" * 201}, "is longer than"),
        ({"name": "é" * 101}, "is longer than"),
        ({"name": "abcdefghi/" * 60 + "x"}, "is longer than"),
        ({"name": "\ud800"}, "half a character"),
        ({"name": 5}, "name must be text"),
        ({"content": {"a": 1}}, 'content must be text for the encoding text; "json"'),
        ({"content": None}, "content must be text"),
        ({"content": "no!", "encoding": "base64"}, "content is not base64"),
        ({"content": "é", "encoding": "base64"}, "content is not base64"),
        ({"encoding": "hex"}, "encoding must be one of text, base64, json"),
        ({"overwrite": "yes"}, "overwrite must be true or false"),
        ({"content_type": "text"}, "content_type must be like"),
        ({"content_type": "text/csv\nX: y"}, "content_type must be like"),
        ({"content_type": 5}, "content_type must be like"),
    ],
)
def test_what_cannot_be_a_file_fails_and_nothing_is_written(
    config: Any, words: str, store: Any, folder: Path
) -> None:
    outcome = store(**config)
    assert isinstance(outcome, Fail)
    assert outcome.error.error_class == "BadConfig"
    assert words in outcome.error.message
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({"name": "a.csv"}, "text/csv"),
        ({"name": "a.csv", "content_type": "text/plain"}, "text/plain"),
        ({"name": "a"}, "text/plain; charset=utf-8"),
        ({"name": "a", "encoding": "json"}, "application/json"),
        (
            {"name": "a", "encoding": "base64", "content": ""},
            "application/octet-stream",
        ),
    ],
)
def test_the_content_type_is_given_or_guessed(
    config: Any, kept: str, store: Any, bucket: str, settings: Any, tmp_path: Path
) -> None:
    url = fresh(bucket)
    settings.STORAGES = {**settings.STORAGES, "default": storage_setting(url, tmp_path)}
    assert isinstance(store(**config), Done)
    where = s3.parse(url)
    key = f"{where.prefix}flow-1/{config['name']}"
    found = s3.client(where).head_object(Bucket=where.name, Key=key)
    assert found["ContentType"] == kept


class TestErrors:
    def test_a_lasting_one_fails_the_step(self, store: Any, folder: Path) -> None:
        (folder / "flow-1").write_text("no folder")
        outcome = store()
        assert isinstance(outcome, Fail)
        assert outcome.error.error_class == "StorageRefused"

    def test_a_passing_one_is_tried_again(
        self, store: Any, settings: Any, tmp_path: Path
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        url = f"s3://a:hunter22@bucket?endpoint=http://127.0.0.1:{port}&region=x"
        entry = storage_setting(url, tmp_path)
        settings.STORAGES = {**settings.STORAGES, "default": entry}
        outcome = store()
        s3.forget_clients()
        assert isinstance(outcome, Retry)
        assert "Could not connect" in outcome.error.message
        assert "hunter22" not in repr(outcome)


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({"name": "{{ run.id }}.json", "content": "{{ trigger.payload }}"}, []),
        ({"name": "a/b.csv", "content": "x", "content_type": "text/csv"}, []),
        ({"name": "../b", "content": "x"}, ["name"]),
        ({"name": "b" * (LONGEST_NAME + 1), "content": "x"}, ["name"]),
        ({"name": "b", "content": "x", "content_type": "csv"}, ["content_type"]),
        ({"name": "b", "content": "x", "encoding": "hex"}, ["encoding"]),
        ({"name": "b", "content": "{{ secrets.X }}"}, ["content"]),
        ({"name": "b"}, ["content"]),
    ],
)
def test_validation_tells_what_is_wrong_before_it_runs(
    config: dict[str, Any], places: list[str]
) -> None:
    value = {
        "nodes": [{"id": "keep", "type": "store_file", "config": config}],
        "connections": [],
        "variables": {},
    }
    found = [problem.path for problem in validate(value, all_actions())]
    assert found == [f"nodes[0].config.{place}" for place in places]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("place")
class TestInARun:
    def test_the_payload_is_stored_in_the_workflows_folder(self) -> None:
        flow = publish(node("keep", "store_file", CONFIG))
        run = started(flow, {"id": 7})
        drained()
        assert again(run).status == "succeeded"
        name = f"{flow.pk}/orders/7.json"
        assert step(run, "keep").output["name"] == name
        assert stored(name) == b'{"id":7}'

    def test_a_second_run_may_not_replace_what_the_first_one_stored(self) -> None:
        flow = publish(node("keep", "store_file", CONFIG))
        first, second = started(flow, {"id": 7}), started(flow, {"id": 7, "n": 2})
        drained()
        statuses = sorted(again(run).status for run in (first, second))
        assert statuses == ["failed", "succeeded"]
