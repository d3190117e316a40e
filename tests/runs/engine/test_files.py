"""Files of an event, read by steps wherever they are named and its body is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from pytest_httpserver import HTTPServer

from automate.lib.filestore import storage_setting
from runs.models import Run
from runs.services import Event, Target, accept
from tests.runs.drains import drained
from tests.runs.engine.test_payload_forms import BODY, PARTS, PNG
from tests.runs.flows import again, call, given, loop, node, publish, step
from workflows.models import Workflow

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("engine"),
]


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": storage_setting("", tmp_path)}


def posted(flow: Workflow, body: bytes = BODY, kind: str = PARTS) -> Run:
    assert flow.published_id is not None
    target = Target(flow.pk, flow.published_id, flow.run_timeout)
    found = accept(target, Event(body=body, content_type=kind))
    drained()
    return Run.objects.get(pk=found.run_id)


def store(content: str, name: str = "a.bin", **config: Any) -> dict[str, Any]:
    config = {"name": name, "content": content, "encoding": "file", **config}
    return node("keep", "store_file", config)


def stored(flow: Workflow, name: str = "a.bin") -> bytes:
    with storages["default"].open(f"{flow.pk}/{name}") as file:
        return bytes(file.read())


@pytest.mark.parametrize("inline", [64 * 1024, 10])
def test_a_file_is_stored_from_wherever_its_body_is(inline: int, settings: Any) -> None:
    settings.INLINE_LIMIT = inline
    flow = publish(store("{{ trigger.payload.scan }}"))
    run = posted(flow)
    assert again(run).status == "succeeded", again(run).error_message
    assert stored(flow) == PNG
    assert step(run, "keep").input["content"]["size"] == len(PNG)


@pytest.mark.parametrize("inline", [64 * 1024, 10])
def test_a_file_goes_through_the_outputs_of_steps(inline: int, settings: Any) -> None:
    settings.INLINE_LIMIT = inline
    flow = publish(
        given("first", it="{{ trigger.payload.scan }}"), store("{{ steps.first.it }}")
    )
    assert again(posted(flow)).status == "succeeded"
    assert stored(flow) == PNG


def test_each_item_of_a_loop_reads_its_file() -> None:
    items = "{{ [trigger.payload.scan, trigger.payload.raw] }}"
    flow = publish(loop("each", items, store("{{ item }}", "{{ item.name }}.bin")))
    assert again(posted(flow)).status == "succeeded"
    assert stored(flow, "scan.bin") == PNG
    assert stored(flow, "raw.bin") == b"\xff\x00\xfe"


def test_a_whole_body_is_sent_on_with_its_type(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("ok")
    config = {"body": "{{ trigger.payload }}", "body_format": "file"}
    flow = publish(call("send", httpserver.url_for("/"), config=config))
    assert again(posted(flow, PNG, "image/png")).status == "succeeded"
    request = httpserver.log[0][0]
    assert request.get_data() == PNG
    assert request.headers["Content-Type"] == "image/png"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{{ trigger.payload.title }}", "it is no file"),
        ("{{ {'reference': 'body:0-4', 'sha256': 'x'} }}", "of another event"),
    ],
)
def test_what_is_no_file_fails_the_step_with_the_reason(
    content: str, words: str
) -> None:
    run = again(posted(publish(store(content))))
    assert run.status == "failed"
    assert words in run.error_message


def test_a_body_that_is_not_the_sender_s_type_harms_no_header(
    httpserver: HTTPServer,
) -> None:
    httpserver.expect_request("/").respond_with_data("ok")
    config = {"body": "{{ trigger.payload.scan }}", "body_format": "file"}
    flow = publish(call("send", httpserver.url_for("/"), config=config))
    body = BODY.replace(b"image/png", b"image/png\rX-Evil: 1")
    assert again(posted(flow, body)).status == "succeeded"
    assert httpserver.log[0][0].headers["Content-Type"] == "application/octet-stream"
