"""Every step kind in real processes: published from a file, started by an event."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.receivers import Receiver
from tests.acceptance.site import Site
from tests.processes import eventually
from tests.smtp import MailServer
from workflows.actions.base import BUILT_IN

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.django_db,
    pytest.mark.timeout(600),
]


WORKFLOWS = Path(__file__).with_name("step_kinds.yaml")
N8N = (
    "from workflows.models import Connection\n"
    "Connection.objects.create(name='house-n8n', kind='n8n', base_url='RECEIVER', "
    "credentials={'api_key': 'k'})"
)


def documents(receiver: str) -> str:
    """The workflows, each with a webhook at its name."""
    texts = WORKFLOWS.read_text().replace("RECEIVER", receiver).split("---\n")
    return "---\n".join(text + _hook(text) for text in texts)


def _hook(text: str) -> str:
    found = re.search(r"^name: (\S+)$", text, re.M)
    assert found
    name = found[1]
    mode = "wait" if name == "respond" else "accept"
    config = f"{{path: {name}, scheme: none, response_mode: {mode}}}"
    return f"slug: {name}\ntriggers: [{{kind: webhook, config: {config}}}]\n"


class House:
    """The site with all that its steps talk to."""

    def __init__(self, site: Site, receiver: Receiver, mail: MailServer) -> None:
        self.site, self.receiver, self.mail = site, receiver, mail


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, module_database: str | None
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("site")
    with Receiver() as receiver, MailServer() as mail:
        changes = {
            "EMAIL_URL": f"smtp://127.0.0.1:{mail.port}",
            "AUTOMATE_FILES_URL": f"file://{folder}/files",
        }
        site = Site(folder, module_database, changes)
        try:
            site.up()
            site.manage("shell", "-c", N8N.replace("RECEIVER", receiver.url))
            site.publish(documents(receiver.url))
            yield House(site, receiver, mail)
        finally:
            site.kill()


def test_every_kind_has_its_workflow_here() -> None:
    """A kind without an acceptance test is not done."""
    text = WORKFLOWS.read_text()
    assert [kind for kind in BUILT_IN if f"type: {kind}" not in text] == []


def succeeded(run: dict[str, Any]) -> dict[str, Any]:
    assert run["status"] == "succeeded", run["error"]
    results: dict[str, Any] = run["results"]
    return results


def test_http_request(house: House) -> None:
    results = succeeded(house.site.outcome("http-request"))

    assert results["call"]["status"] == 200
    assert results["call"]["body"] == {"ok": True}


def test_set(house: House) -> None:
    assert succeeded(house.site.outcome("set", {"n": 1})) == {"build": {"n": 2}}


def test_delay(house: House) -> None:
    began = time.monotonic()
    results = succeeded(house.site.outcome("delay"))

    assert results["note"] == {"went": "yes"}
    assert time.monotonic() - began >= 0.5


def test_filter(house: House) -> None:
    assert "note" in succeeded(house.site.outcome("filter", {"n": 2}))

    stopped = house.site.outcome("filter", {"n": 1})
    assert "note" not in succeeded(stopped)
    assert stopped["stopped_by"] == ["only"]


def test_branch(house: House) -> None:
    assert "many" in succeeded(house.site.outcome("branch", {"n": 2}))
    assert "few" in succeeded(house.site.outcome("branch", {"n": 1}))


def test_switch(house: House) -> None:
    assert "near" in succeeded(house.site.outcome("switch", {"country": "DE"}))
    assert "far" in succeeded(house.site.outcome("switch", {"country": "JP"}))


def test_log(house: House) -> None:
    run = house.site.outcome("log", {"n": 7})
    succeeded(run)

    lines = house.site.api(f"runs/{run['id']}/logs")["results"]
    assert ("warning", "Saw 7") in [(x["level"], x["message"]) for x in lines]


def test_placeholder(house: House) -> None:
    run = house.site.outcome("placeholder", {"who": "Ann"})

    assert run["status"] == "failed"
    assert "Still to be made for Ann." in run["error"]["message"]


def test_n8n(house: House) -> None:
    """The receiver plays both n8n's API and the workflow's webhook."""
    results = succeeded(house.site.outcome("n8n"))

    assert results["call"]["body"] == {"ok": True}
    assert house.receiver.bodies("/webhook/from-api") == [{"n": 1}]


def test_respond(house: House) -> None:
    reply = house.site.post("respond", {"n": 7})

    assert (reply.status_code, reply.json()) == (201, {"n": 7})


def test_email(house: House) -> None:
    results = succeeded(house.site.outcome("email", {"to": "ada@example.com", "n": 7}))

    message = house.mail.taken[-1].message
    assert message["Subject"] == "Order 7"
    assert message["To"] == "ada@example.com"
    assert results["mail"]["refused"] in ([], {})


def test_slack(house: House) -> None:
    succeeded(house.site.outcome("slack", {"n": 7}))

    assert {"text": "Order 7"} in house.receiver.bodies("/slack")


def test_store_file(house: House) -> None:
    results = succeeded(house.site.outcome("store-file", {"n": 7}))

    files = list((house.site.folder / "files").rglob("7.json"))
    assert [json.loads(path.read_text()) for path in files] == [{"n": 7}]
    assert results["keep"]["name"].endswith("/orders/7.json")


def test_for_each(house: House) -> None:
    """Twenty items, three at once, of which one cannot be doubled."""
    lines: list[Any] = [{"n": number} for number in range(20)]
    lines[3] = {"m": "no n"}
    house.receiver.most_at_once = 0
    loop = succeeded(house.site.outcome("for-each", {"lines": lines}))["each"]

    assert loop["count"] == 20
    assert [item["index"] for item in loop["failed"]] == [3]
    doubled = [number * 2 for number in range(20)]
    assert loop["results"] == [*doubled[:3], None, *doubled[4:]]
    sent = [index for index in range(20) if index != 3]
    assert sorted(house.receiver.bodies("/items")) == sent
    assert 1 <= house.receiver.most_at_once <= 3


def test_run_workflow(house: House) -> None:
    call = succeeded(house.site.outcome("run-workflow", {"n": 1}))["call"]

    assert call["status"] == "succeeded"
    assert call["output"] == {"n": 2}
    assert house.site.ended(call["run_id"])["results"] == {"add": {"n": 2}}


def address_of(house: House, path: str) -> tuple[str, str]:
    """A new run that has sent the address at which it waits; both."""
    before = len(house.receiver.bodies("/ask"))
    run_id = house.site.started(path)
    eventually(lambda: len(house.receiver.bodies("/ask")) > before)
    return run_id, house.receiver.bodies("/ask")[-1]


def test_wait_for_webhook(house: House) -> None:
    run_id, address = address_of(house, "wait-for-webhook")
    reply = requests.post(address, json={"image": "cat"}, timeout=90)
    assert reply.status_code < 300, reply.text

    results = succeeded(house.site.ended(run_id))
    assert results["back"]["payload"] == {"image": "cat"}
    assert requests.post(address, json={}, timeout=90).status_code in (409, 410)


def test_approval(house: House) -> None:
    run_id, address = address_of(house, "approval")
    # The address is known a step before the question is.
    eventually(lambda: "Refund?" in requests.get(address, timeout=90).text)
    reply = requests.post(address, json={"decision": "approved"}, timeout=90)
    assert reply.status_code < 300, reply.text

    assert "agreed" in succeeded(house.site.ended(run_id))


def test_an_approval_survives_the_death_of_every_process(house: House) -> None:
    run_id, address = address_of(house, "approval")
    house.site.kill()
    house.site.up()
    reply = requests.post(address, json={"decision": "rejected"}, timeout=90)
    assert reply.status_code < 300, reply.text

    assert "refused" in succeeded(house.site.ended(run_id, 90))
