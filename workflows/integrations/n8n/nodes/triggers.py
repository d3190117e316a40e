"""What starts a workflow."""

from __future__ import annotations

import re
from typing import Any

from workflows.integrations.n8n.data import Output, Parts, Plain
from workflows.integrations.n8n.nodes.base import Answer, Job, Start, Starts, starts
from workflows.integrations.n8n.nodes.messages import response_headers
from workflows.integrations.n8n.nodes.paths import lodash_path
from workflows.integrations.n8n.schedule import cron_lines, interval_lines, schedules
from workflows.integrations.n8n.source import listed, mapping, number, text
from workflows.triggers.webhook_schema import METHODS, PATH

_WEBHOOK_DATA = {
    "body": "trigger.payload",
    "headers": "trigger.headers",
    "query": "trigger.query",
}
_ANSWERS = ("responseNode", "lastNode", "streaming")
_KNOWN = frozenset(
    {"rawBody", "noResponseBody", "responseData", "responseCode", "binaryPropertyName"}
    | {"responsePropertyName", "responseHeaders"}
)
_PAYLOAD = Plain("trigger.payload")


@starts("manualTrigger", "start")
def manual(job: Job) -> Starts:  # noqa: ARG001 - there is nothing to choose
    return Starts([Start("manual")], _PAYLOAD)


@starts("executeWorkflowTrigger")
def called(job: Job) -> Starts:  # noqa: ARG001 - what it declares is not checked here
    """Another workflow's `run_workflow` gives the input as the payload."""
    return Starts([Start("api")], _PAYLOAD, Answer())


@starts("webhook")
def webhook(job: Job) -> Starts:
    config: dict[str, Any] = {}
    config["methods"] = _methods(job)
    path = text(job.parameters.get("path")).strip("/")
    if path and re.match(PATH, path) and len(path) <= 200:
        config["path"] = path
    elif path:
        job.note(
            f'the path "{path[:100]}" has a part that is none here (a parameter like '
            ":id): the webhook has an address with a key instead"
        )
    config["scheme"] = _scheme(job)
    mode = text(job.parameters.get("responseMode")) or "onReceived"
    if mode in _ANSWERS:
        config["response_mode"] = "wait"
        config["response_timeout"] = 30
        job.note("the sender waits 30 seconds at most; then it is answered 202")
    else:
        job.note("the sender is answered 202 with the run's id, not 200 with a message")
    given = {**job.options}
    if given.get("ipWhitelist"):
        job.note("ipWhitelist: any address may send")
    if (
        job.parameters.get("responseCode") not in (None, 200, "200")
        and mode == "onReceived"
    ):
        job.note("the status of the answer cannot be chosen here")
    job.unknown_options(_KNOWN | {"ipWhitelist"}, given)
    answer = _answer(job) if mode == "lastNode" else None
    return Starts([Start("webhook", config)], Parts(_WEBHOOK_DATA), answer)


def _answer(job: Job) -> Answer:
    """What the sender gets of the last node, which waits for it."""
    given = text(job.parameters.get("responseData")) or "firstEntryJson"
    items = {"firstEntryJson": "first", "allEntries": "all", "noData": "none"}
    if given not in items:
        job.note(f'the sender gets the data of the last node, not "{given[:40]}"')
    codes = mapping(mapping(job.options.get("responseCode")).get("values"))
    code = codes.get("customCode", codes.get("responseCode"))
    status = number(code or job.parameters.get("responseCode"), 200)
    name = text(job.options.get("responsePropertyName"))
    return Answer(
        sent=True,
        items=items.get(given, "first"),
        of=lodash_path(name) if name and given == "firstEntryJson" else (),
        status=int(status) if 200 <= status <= 599 and status != 200 else None,
        headers=response_headers(job),
    )


def _methods(job: Job) -> list[str]:
    given = job.parameters.get("httpMethod", "GET")
    if job.parameters.get("multipleMethods") is True:
        given = given if isinstance(given, list) else ["GET", "POST"]
    names = [
        text(name).upper() for name in (given if isinstance(given, list) else [given])
    ]
    known = [name for name in dict.fromkeys(names) if name in METHODS]
    if len(known) < len(set(names)):
        job.note(
            f"of the methods {', '.join(sorted(set(names)))} only some are known here"
        )
    return known or ["POST"]


def _scheme(job: Job) -> str:
    chosen = text(job.parameters.get("authentication")) or "none"
    if chosen == "none" and not job.node.credentials:
        return "none"
    kinds = {credential.type for credential in job.node.credentials}
    if chosen == "basicAuth" or "httpBasicAuth" in kinds:
        scheme = "basic"
    elif chosen == "headerAuth" or "httpHeaderAuth" in kinds:
        scheme = "token"
        job.note("the header is X-Webhook-Token until it is set: n8n keeps its name")
    else:
        job.note(
            f'"{chosen[:40]}" has no counterpart: the webhook asks for a bearer token; '
            "type it in once it is published"
        )
        return "bearer"
    job.remark(
        "the secret stays in n8n: type it in at the trigger once it is published"
    )
    return scheme


@starts("scheduleTrigger")
def schedule(job: Job) -> Starts:
    rule = job.parameters.get("rule")
    intervals = rule.get("interval") if isinstance(rule, dict) else None
    lines = schedules(listed(intervals) or [{}], job.note)
    return _by_the_clock(job, lines)


@starts("cron")
def cron(job: Job) -> Starts:
    """The node before scheduleTrigger."""
    times = job.parameters.get("triggerTimes")
    items = listed(times.get("item")) if isinstance(times, dict) else []
    return _by_the_clock(job, cron_lines(items, job.note))


@starts("interval")
def interval(job: Job) -> Starts:
    return _by_the_clock(job, interval_lines(job.parameters, job.note))


def _by_the_clock(job: Job, lines: list[str]) -> Starts:
    zone = job.timezone or "UTC"
    if not job.timezone:
        job.note(
            "the time zone is that of the n8n instance, which it does not tell: UTC"
        )
    if not lines:
        job.note("it has no rule that says when")
        return Starts([Start("manual")], _PAYLOAD)
    triggers = [
        Start("schedule", {"cron": line, "timezone": zone, "catch_up": "skip"})
        for line in dict.fromkeys(lines)
    ]
    output: Output = Parts(
        {
            "timestamp": "trigger.payload.scheduled_for",
            "Timezone": "trigger.payload.timezone",
        }
    )
    return Starts(triggers, output)


@starts("errorTrigger")
def failed(job: Job) -> Starts:
    job.note(
        "it starts when any workflow of the team fails, not only those that name this "
        "one as their error workflow: list them in the trigger's workflows"
    )
    job.note("what arrives has other names: error.message, run_id, workflow_name")
    config = {"statuses": ["failed", "dead_letter"]}
    output = Parts({"execution": "trigger.payload"})
    return Starts([Start("run_finished", config)], output)
