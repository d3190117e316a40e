"""The pages of the API say what is so: examples run, tables are complete."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from string import Template
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as given
from django.contrib.auth.models import Group
from django.test import Client
from pytest_django import Settings
from pytest_httpserver import HTTPServer

from automate.accounts.models import Team
from automate.accounts.models.api_key import Scope
from automate.accounts.roles import DEVELOPER
from automate.lib.errors import Code
from runs.api.filters import RunQuery
from runs.models import Run, RunLog
from runs.services import RunServiceError
from runs.services.selection import ALIASES, STATUSES
from tests.makers import make_attempt, make_key, make_step, make_user, make_workflow
from tests.workflows.integrations.n8n.making import exported, node
from tests.workflows.integrations.n8n.server import KEY, FakeN8n
from webhooks.api.body import WebhookBody
from workflows.api.filters import WorkflowQuery
from workflows.definition.reader import DEFINITION_KEYS, META_KEYS
from workflows.models import Connection, Trigger

DOCS = given.BASE_DIR / "docs"
DOCUMENT = (DOCS / "api-contracts.md").read_text()
WORKFLOWS = (DOCS / "api-workflows.md").read_text()
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
    "total", "type", "token_type", "expires_in", "role", "fidelity", "became",
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


def examples(page: str) -> list[tuple[str, str, str]]:
    """(status, command, JSON) of each example; none is left out."""
    found: list[tuple[str, str, str]] = EXAMPLE.findall(page)
    assert len(found) == page.count("curl ") == page.count("```json")
    return found


@pytest.mark.django_db
def test_every_example_runs_in_order_and_answers_as_printed(
    client: Client, settings: Settings
) -> None:
    settings.REGISTRATION = True
    workflow = make_workflow(slug="order-paid")
    trigger = Trigger.objects.create(
        workflow=workflow, kind="webhook", config={"scheme": "none"}
    )
    ann = make_user("ann@example.com", password="correct horse battery", name="Ann")
    ann.groups.add(Group.objects.get(name=DEVELOPER))
    ann.teams.add(Team.objects.create(name="Shop", slug="shop"))
    variables = {
        "AUTOMATE_URL": SITE,
        "AUTOMATE_KEY": make_key(make_user(), "admin"),
        "WEBHOOK": trigger.key,
    }
    for status, command, shown in examples(DOCUMENT):
        response = send(client, parse(Template(command).substitute(variables)))
        assert response.status_code == int(status), (command, response.content)
        assert list(differences(json.loads(shown), response.json())) == [], command
        for name, kept in (("TOKEN", "access_token"), ("REFRESH", "refresh_token")):
            variables[name] = response.json().get(kept, variables.get(name, ""))
        run_id = response.json().get("run_id")
        if run_id and run_id != variables.get("RUN"):
            variables["RUN"] = run_id
            happened(Run.objects.get(pk=run_id))


# What the page calls the ids of what is made, by the end of the address.
MADE = {"webhooks": "HOOK", "secrets": "SECRET", "connections": "CONNECTION"}


def an_n8n(server: HTTPServer) -> FakeN8n:
    """The instance of the example: one workflow, and none of the id `gone`."""
    sign_in = {
        "url": "https://crm.example.com/orders",
        "authentication": "genericCredentialType",
        "genericAuthType": "httpHeaderAuth",
    }
    crm = {"httpHeaderAuth": {"id": "1", "name": "Shop CRM"}}
    tree = exported(
        [
            node("Webhook", "webhook", {"path": "n8n-in", "httpMethod": "POST"}, 2),
            node("Call", "httpRequest", sign_in, 4.2, credentials=crm),
            node("Code", "code", {"jsCode": "return items"}, 2),
        ]
    )
    n8n = FakeN8n(server, {**tree, "id": "2tUt1wbLX592XDdX", "name": "Orders from n8n"})
    server.expect_request("/api/v1/workflows/gone").respond_with_json({}, 404)
    return n8n


@pytest.mark.django_db
def test_the_examples_of_workflows_run_too(
    client: Client, settings: Settings, httpserver: HTTPServer
) -> None:
    n8n = an_n8n(httpserver)
    variables = {
        "AUTOMATE_URL": SITE,
        "AUTOMATE_KEY": make_key(make_user(is_superuser=True), "admin"),
    }
    for status, command, shown in examples(WORKFLOWS):
        call = parse(Template(command).substitute(variables))
        if "n8n" in call.url:
            settings.ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
            real = {"https://n8n.example.com": n8n.url, "n8n_api_...": KEY}
            for shown_there, given_here in real.items():
                assert shown_there in call.data
                call.data = call.data.replace(shown_there, given_here)
        response = send(client, call)
        assert response.status_code == int(status), (command, response.content)
        assert list(differences(json.loads(shown), response.json())) == [], command
        name = MADE.get(call.url.rpartition("/")[2])
        if name and response.status_code == 201:
            variables[name] = response.json()["id"]


def first_column(heading: str, page: str = DOCUMENT) -> list[str]:
    """The words in backticks in the first column of the table below a heading."""
    _, _, rest = page.partition(f"\n{heading}\n")
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


def test_every_field_of_workflows_webhooks_and_lists_is_listed() -> None:
    listed = set(first_column("## List and read", WORKFLOWS))
    assert listed == set(WorkflowQuery().fields)
    listed = set(first_column("## Webhooks", WORKFLOWS))
    assert listed == set(WebhookBody().fields)
    listed = set(first_column("## Create a workflow", WORKFLOWS))
    assert listed == (META_KEYS | DEFINITION_KEYS | {"definition", "triggers"}) - UNSAID


# Below `definition` in the table, and another word for `slug`.
UNSAID = {"id", "output"}


def test_every_kind_of_connection_is_listed() -> None:
    listed = first_column("## Connections", WORKFLOWS)
    assert set(listed) == set(Connection.Kind.values)


def test_every_status_and_alias_is_named() -> None:
    row = next(line for line in DOCUMENT.splitlines() if line.startswith("| `status`"))
    assert {*STATUSES, *ALIASES, "dead-letter"} <= set(re.findall(r"`(.*?)`", row))
