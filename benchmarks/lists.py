"""W12: the list of runs, and what else pages and programs read, over a long history."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

from benchmarks.processes import Site

ASKED = 40  # times each list is asked for
TEAM = "Measured"


class Reader:
    """Asks the site's API with one key, over one connection."""

    def __init__(self, site: Site, key: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", site.port, timeout=120)
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str) -> tuple[float, Any]:
        """Milliseconds, and what was answered."""
        began = time.perf_counter()
        self._connection.request("GET", f"/api/v1/{path}", headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
        return took, json.loads(body)


async def w12(site: Site, runs: int = 1_000_000) -> dict[str, Any]:
    """The list of runs by each filter over a long history: p50 / p95, ms"""
    seed(runs)
    figures: dict[str, Any] = {"runs": runs}
    for who, key in keys().items():
        reader = Reader(site, key)
        for name, path in lists(who):
            figures[f"{who}: {name}"] = measured(reader, path)
    return figures


def seed(runs: int) -> None:
    """Nine tenths of the history are of nobody's workflows, a tenth is a team's."""
    from django.core.management import call_command

    common = {"steps": 0, "beside": True}
    call_command("seed_history", runs=runs - runs // 10, seed=1, **common)
    call_command("seed_history", runs=runs // 10, seed=2, team=TEAM, **common)


def keys() -> dict[str, str]:
    """The keys of a superuser, of a member of the team, and of one who sees little."""
    from automate.accounts.models import ApiKey, Team, User
    from workflows.models import Workflow

    seen = Workflow.objects.filter(slug__startswith="history-", team=None)
    hidden = Team.objects.create(name="Others", slug="others")
    # So that members see a tenth: what belongs to nobody, everybody sees.
    seen.update(team=hidden)
    small = Team.objects.create(name="Small", slug="small")
    rare = Workflow.objects.filter(team=hidden).order_by("-pk")[:1]
    Workflow.objects.filter(pk__in=list(rare.values_list("pk", flat=True))).update(
        team=small
    )
    found = {}
    for name, team in (("all", None), ("a tenth", TEAM), ("little", "Small")):
        user = User.objects.create_user(
            f"{team or 'boss'}@example.com".lower(), is_superuser=team is None
        )
        if team:
            user.teams.add(Team.objects.get(name=team))
        found[name] = ApiKey.objects.issue(user, "bench", ["runs:read"])[1]
    return found


def lists(who: str) -> Iterator[tuple[str, str]]:
    """(name, path) of what is asked for; what matches much, little and nothing."""
    from django.db.models import Count

    from automate.accounts.models import User
    from automate.accounts.visibility import visible_to
    from runs.models import Run

    names = {"all": "boss", "a tenth": TEAM.lower(), "little": "small"}
    user = User.objects.get(email=f"{names[who]}@example.com")
    mine = Run.objects.filter(visible_to(user, "workflow__"))
    flows = list(
        mine.values_list("workflow__slug")
        .annotate(n=Count("pk"))
        .order_by("-n")
        .values_list("workflow__slug", flat=True)
    )
    one = mine.exclude(search_keys={}).order_by("pk")[1000]
    parent = (
        mine.exclude(parent=None).order_by("pk").values_list("parent", flat=True)[5]
    )
    failed = mine.exclude(error_fingerprint="").order_by("error_fingerprint")
    common, rare = failed.first(), failed.last()
    month = mine.order_by("pk").values_list("created_at", flat=True)
    early = month[mine.count() // 10]
    day = f"created_before={early:%Y-%m-%dT%H:%M:%SZ}"
    yield "without a filter", "runs"
    yield "the last page of 200", f"runs?limit=200&{day}"
    for status in ("succeeded", "failed", "cancelled", "waiting", "queued"):
        yield f"status {status}", f"runs?status={status}"
    yield "statuses failed, dead letter", "runs?status=failed,dead_letter"
    yield "workflow, the largest", f"runs?workflow={flows[0]}"
    yield "workflow, the smallest", f"runs?workflow={flows[-1]}"
    yield "workflow and status", f"runs?workflow={flows[-1]}&status=cancelled"
    yield "workflow, version 1", f"runs?workflow={flows[0]}&version=1"
    yield "version 2", "runs?version=2"
    yield "version 9, of which there is none", "runs?version=9"
    yield "trigger", f"runs?trigger={one.trigger_id}"
    yield "time", f"runs?created_after={early:%Y-%m-%d}&{day}"
    yield "time and status", f"runs?status=dead_letter&{day}"
    assert common is not None
    assert rare is not None
    yield "error, the most common", f"runs?error_fingerprint={common.error_fingerprint}"
    yield "error, the rarest", f"runs?error_fingerprint={rare.error_fingerprint}"
    yield "event id", f"runs?event_id={one.event_id}"
    yield "parent", f"runs?parent={parent}"
    for name, value in one.search_keys.items():
        yield f"search key {name}", f"runs?search_key={name}:{value}"
    yield "search key of nothing", "runs?search_key=order:nothing"


def measured(reader: Reader, path: str) -> tuple[float, float]:
    """(p50, p95) in milliseconds of this list and the pages that follow it."""
    took, at = [], path
    for _ in range(ASKED):
        spent, page = reader.get(at)
        took.append(spent)
        cursor = page["next_cursor"]
        at = f"{path}{'&' if '?' in path else '?'}cursor={cursor}" if cursor else path
    took.sort()
    return round(took[len(took) // 2], 1), round(took[int(len(took) * 0.95)], 1)
