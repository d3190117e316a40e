"""docs/api-contracts.md says what is so: its examples run, its tables are complete."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from string import Template
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client

from automate.accounts.models.api_key import Scope
from automate.lib.errors import Code
from runs.api.filters import RunQuery
from runs.models import Run, RunLog
from runs.services import RunServiceError
from runs.services.selection import ALIASES, STATUSES
from tests.makers import make_attempt, make_key, make_step, make_user, make_workflow
from workflows.models import Trigger

DOCUMENT = (settings.BASE_DIR / "docs" / "api-contracts.md").read_text()
EXAMPLE = re.compile(r"```sh\n# (\d+)\n(.*?)```\n\n```json\n(.*?)```", re.DOTALL)
SITE = "http://testserver"


@dataclass
class Call:
    """What a curl command sends."""

    method: str = "GET"
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    data: str = ""


def parse(command: str) -> Call:
    """The request that a curl command makes, of the options that the page uses."""
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    call = Call()
    for word in words:
        if word == "-X":
            call.method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            call.headers[name] = value
        elif word == "-d":
            call.data = next(words)
        else:
            assert not word.startswith("-"), f"teach this test about {word}"
            call.url = word
    return call


def send(client: Client, call: Call) -> Any:
    url = urlsplit(call.url)
    content_type = call.headers.pop("Content-Type", "application/octet-stream")
    return client.generic(
        call.method,
        f"{url.path}?{url.query}",
        call.data.encode(),
        content_type,
        headers=call.headers,
    )


def differences(shown: Any, real: Any, path: str = "") -> Iterator[str]:
    """Where the answer is not of the shape that the page shows.

    Names and types must agree, and what cannot vary (codes, statuses, flags).
    """
    if isinstance(shown, dict) and isinstance(real, dict):
        for name, value in shown.items():
            if name not in real:
                yield f"{path}.{name} is missing"
            else:
                yield from differences(value, real[name], f"{path}.{name}")
    elif isinstance(shown, list) and isinstance(real, list):
        if len(shown) != len(real):
            yield f"{path} has {len(real)} items, not {len(shown)}"
        for number, pair in enumerate(zip(shown, real, strict=False)):
            yield from differences(*pair, f"{path}[{number}]")
    else:
        constant = path.rpartition(".")[2] in CONSTANT
        if type(shown) is not type(real) or (constant and shown != real):
            yield f"{path} is {real!r}, not {shown!r}"


CONSTANT = {
    "code", "status", "duplicate", "field", "title", "version", "outcome", "method",
    "total", "type",
}  # fmt: skip


def happened(run: Run) -> None:
    """What the examples below a run show."""
    step = make_step(
        run,
        status="failed",
        input={"method": "POST", "url": "https://crm.example.com/hook"},
        error_class="http_503",
        error_message="answered 503",
    )
    make_attempt(step, outcome="rejected", response_status=503, response_body="")
    RunLog.objects.create(run=run, message="Started.")


@pytest.mark.django_db
def test_every_example_runs_in_order_and_answers_as_printed(client: Client) -> None:
    workflow = make_workflow(slug="order-paid")
    trigger = Trigger.objects.create(
        workflow=workflow, kind="webhook", config={"scheme": "none"}
    )
    variables = {
        "AUTOMATE_URL": SITE,
        "AUTOMATE_KEY": make_key(make_user(), "admin"),
        "WEBHOOK": trigger.key,
    }
    found = EXAMPLE.findall(DOCUMENT)
    assert len(found) == DOCUMENT.count("curl ") == DOCUMENT.count("```json")
    for status, command, shown in found:
        response = send(client, parse(Template(command).substitute(variables)))
        assert response.status_code == int(status), (command, response.content)
        assert list(differences(json.loads(shown), response.json())) == [], command
        run_id = response.json().get("run_id")
        if run_id and run_id != variables.get("RUN"):
            variables["RUN"] = run_id
            happened(Run.objects.get(pk=run_id))


def first_column(heading: str) -> list[str]:
    """The words in backticks in the first column of the table below a heading."""
    _, _, rest = DOCUMENT.partition(f"\n{heading}\n")
    assert rest, heading
    section = re.split(r"\n#{2,} ", rest)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [word for row in rows for word in re.findall(r"`(.*?)`", row.split("|")[1])]


def test_every_code_is_listed() -> None:
    listed = first_column("## Errors")
    verbs = {error.code for error in RunServiceError.__subclasses__()}

    assert listed == sorted(set(listed))
    assert set(listed) == set(Code) | verbs


def test_every_scope_is_listed() -> None:
    assert first_column("### Keys and scopes") == Scope.values


def test_every_filter_is_listed() -> None:
    assert set(first_column("### List runs")) == set(RunQuery().fields)


def test_every_status_and_alias_is_named() -> None:
    row = next(line for line in DOCUMENT.splitlines() if line.startswith("| `status`"))
    assert {*STATUSES, *ALIASES, "dead-letter"} <= set(re.findall(r"`(.*?)`", row))
