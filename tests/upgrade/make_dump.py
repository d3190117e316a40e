"""Make the dump of a release that later releases are upgraded from.

`python -m tests.upgrade.make_dump VERSION` on the release's own code, with DATABASE_URL
naming an empty database (PostgreSQL: pg_dump must be installed). Every state that a
row can rest in is there: ended, queued, running under a lease that nobody renews,
waiting. Dumps are never made anew: what matters is that old ones keep loading.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
KEYS = {
    "SECRET_KEY": "upgrade-" + "0123456789abcdef" * 4,
    "FIELD_ENCRYPTION_KEYS": "upgrade-" + "fedcba9876543210" * 4,
}
SET = {
    "id": "make",
    "type": "set",
    "config": {"values": {"n": "{{ trigger.payload.n }}"}},
}
LAST = {"id": "last", "type": "set", "config": {"values": {"n": "{{ steps.make.n }}"}}}
OUTPUT = {"n": "{{ steps.last.n }}"}


def main(version: str) -> None:
    os.environ |= {**KEYS, "DJANGO_SETTINGS_MODULE": "automate.settings"}
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    fill()
    from django.db import connection

    vendor = connection.vendor
    target = FOLDER / f"{version}.{vendor}.sql"
    name = connection.settings_dict["NAME"]
    connection.close()
    target.write_text(_sqlite(name) if vendor == "sqlite" else _postgresql())


def _sqlite(name: str) -> str:
    with sqlite3.connect(name) as database:
        return "\n".join(database.iterdump()) + "\n"


def _postgresql() -> str:
    command = ["pg_dump", "--no-owner", "--no-privileges", "--inserts"]
    dump = subprocess.run(
        [*command, os.environ["DATABASE_URL"]],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    # Lines with a backslash are for psql alone.
    kept = [line for line in dump.splitlines() if not line.startswith("\\")]
    return "\n".join(kept) + "\n"


def fill() -> None:
    """One run of each kind, and a row of everything beside them."""
    from automate.accounts.models import ApiKey, Team, User
    from workflows.models import Connection, Secret

    team = Team.objects.create(name="Team", slug="team")
    user = User.objects.create_superuser("owner@example.com", "a password of no use")
    user.teams.add(team)
    ApiKey.objects.issue(user, "reader", ["runs:read", "payloads:read"])
    Secret.objects.create(team=team, name="TOKEN", value="a secret value")
    Connection.objects.create(
        team=team,
        name="crm",
        kind="bearer",
        base_url="https://crm.example.com",
        credentials={"token": "a token"},
    )
    plain = _workflow("plain", team, [SET, LAST])
    pause = {"id": "pause", "type": "delay", "config": {"duration": "30s"}}
    slow = _workflow("slow", team, [SET, pause, LAST])
    call = {
        "id": "call",
        "type": "http_request",
        "config": {"url": "http://127.0.0.1:9/"},
        "retry": {"max_attempts": 1},
    }
    refused = _workflow("refused", team, [SET, call])
    for number, workflow in enumerate((plain, slow, refused), 1):
        _event(workflow, number)
    _drain_until_waiting(slow)
    _event(plain, 4)
    _claim_and_vanish()
    _event(plain, 5)


def _workflow(slug: str, team: Any, nodes: list[dict[str, Any]]) -> Any:
    from workflows.services import create_workflow

    links = [
        {"from": before["id"], "to": after["id"]} for before, after in pairwise(nodes)
    ]
    output = OUTPUT if nodes[-1] is LAST else None
    document = {
        "name": slug.title(),
        "slug": slug,
        "nodes": nodes,
        "connections": links,
        **({"output": output} if output else {}),
        "triggers": [
            {"kind": "webhook", "config": {"scheme": "github"}, "secret": "signing"}
        ],
    }
    return create_workflow(document, by=None, team=team).workflow


def _event(workflow: Any, number: int) -> None:
    from runs.services import Dedupe, Event, Target, accept

    workflow.refresh_from_db()
    trigger = workflow.triggers.get()
    accept(
        Target(workflow.pk, workflow.published_id, 10**8, trigger.pk),
        Event(
            body=b'{"n": %d}' % number,
            content_type="application/json",
            headers={"x-github-event": "push"},
            event_id=f"event-{number}",
        ),
        Dedupe(f"trigger:{trigger.pk}", f"event-{number}", "0" * 64),
    )


def _drain_until_waiting(slow: Any) -> None:
    from django.db import connection

    from runs.engine.drain import Drain
    from runs.models import Job, Run

    drain = Drain(threads=4)

    def watch() -> None:
        while True:
            left = Job.objects.filter(lease_token=None, seq__gt=0)
            if left.exists() and Run.objects.exclude(finished_at=None).count() == 2:
                break
            time.sleep(0.05)
        connection.close()
        drain.stop()

    threading.Thread(target=watch).start()
    drain.run()


def _claim_and_vanish() -> None:
    """A step is marked running; nothing will ever be heard of it again."""
    from runs.engine.ledger import Ledger

    assert Ledger().turn({}, 4, 4).claimed == 1


if __name__ == "__main__":
    main(sys.argv[1])
