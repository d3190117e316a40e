"""Every address of the site, and what it needs: a new one must be written down here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from automate.admin import site

# No role has it.
NOBODY = "nobody"
ANY = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What a page of the admin needs.

    `needs` is a permission (ANY: to be signed in), `row` the label of the object that
    it is about, `more` its further arguments. One that changes something by its only
    method is `posted`: a GET is answered 405. A `quiet` one says nothing of the object.
    """

    needs: str = ANY
    row: str = ""
    more: tuple[Any, ...] = ()
    posted: bool = False
    quiet: bool = False
    answers: int = 200
    query: str = ""
    data: tuple[tuple[str, str], ...] = ()


# --- pages that Django's admin makes for each model ------------------------------

ADDED = {
    "workflows.workflow", "workflows.secret", "workflows.connection", "accounts.user",
    "accounts.team", "accounts.apikey",
}  # fmt: skip
CHANGED = {*ADDED, "workflows.trigger"}
DELETED = {"workflows.secret", "workflows.connection", "accounts.team"}


def _of_models() -> Iterator[tuple[str, Page]]:
    for model in site._registry:
        app, name = model._meta.app_label, model._meta.model_name
        label, base = f"{app}.{name}", f"admin:{app}_{name}_"
        view = f"{app}.view_{name}"
        add = f"{app}.add_{name}" if label in ADDED else NOBODY
        delete = f"{app}.delete_{name}" if label in DELETED else NOBODY
        yield f"{base}changelist", Page(view)
        yield f"{base}add", Page(add)
        yield f"{base}change", Page(view, label)
        yield f"{base}delete", Page(delete, label, data=(("post", "yes"),))
        # The audit of the object, whose list decides.
        yield f"{base}history", Page(ANY, label, answers=302)


# --- all others ------------------------------------------------------------------

RUN, WORKFLOW = "runs.run", "workflows.workflow"
VERSION = "workflows.workflowversion"
ADMIN: dict[str, Page] = {
    **dict(_of_models()),
    "admin:index": Page(),
    "admin:password_change": Page(),
    "admin:second_factor": Page(),
    "admin:password_change_done": Page(),
    "admin:jsi18n": Page(),
    "admin:logout": Page(posted=True),
    "admin:auth_user_password_change": Page("accounts.change_user", "accounts.user"),
    "admin:runs_run_answer": Page(
        "runs.answer_waittoken", RUN, ("ask",), posted=True,
        data=(("decision", "approved"),),
    ),
    "admin:runs_run_cancel": Page("runs.cancel_run", RUN),
    "admin:runs_run_payload": Page("runs.read_payloads", RUN, posted=True),
    "admin:runs_run_redrive": Page(
        "runs.redrive_run", RUN, data=(("start", "start"), ("version", "pinned"))
    ),
    "admin:runs_run_redrive_all": Page("runs.redrive_run"),
    "admin:runs_run_start": Page("runs.add_run", WORKFLOW, data=(("payload", "{}"),)),
    "admin:runs_run_try": Page("workflows.change_workflow", WORKFLOW),
    "admin:runs_run_why": Page("runs.view_run", RUN),
    "admin:runs_run_state": Page("runs.view_run", RUN, quiet=True),
    "admin:runs_campaign_steer": Page(
        "runs.redrive_run", "runs.campaign", ("pause",), posted=True
    ),
    "admin:workflows_connection_close_breaker": Page(
        "workflows.close_breaker", "workflows.connection", posted=True
    ),
    "admin:workflows_connection_check": Page(
        "workflows.change_connection", "workflows.connection", posted=True
    ),
    "admin:workflows_trigger_rotate": Page(
        "workflows.change_trigger", "workflows.trigger",
        data=(("generate", "on"), ("end_previous", "1")),
    ),
    "admin:workflows_workflow_n8n": Page("workflows.view_workflow", WORKFLOW),
    "admin:workflows_workflow_switch": Page(
        "workflows.publish_workflow", WORKFLOW, ("archive",), posted=True
    ),
    "admin:workflows_workflowversion_diff": Page(
        "workflows.view_workflowversion", VERSION, query="?against=published"
    ),
    "admin:workflows_workflowversion_rollback": Page(
        "workflows.publish_workflow", VERSION, data=(("seen_edit", "1"),)
    ),
}  # fmt: skip

# Walked by tests of their own: a list by app, a search, the way in.
APART = {
    "admin:app_list", "admin:autocomplete", "admin:view_on_site", "admin:login",
    "admin:second_step", "admin:oidc", "admin:oidc_back", "home",
}  # fmt: skip
OPEN = {"livez", "readyz", "health", "docs"}
# Senders of events have no account; a GET may be one (`methods` of a trigger).
EDGE = {"resume", "webhook", "webhook/<path:address>"}

# Actions of lists: by what they are offered.
ACTIONS = {
    "runs.run": {
        "redrive_from_start": "runs.redrive_run",
        "redrive_from_failed": "runs.redrive_run",
        "cancel_runs": "runs.cancel_run",
    },
    "workflows.workflow": dict.fromkeys(
        ("publish_selected", "activate", "deactivate", "archive"),
        "workflows.publish_workflow",
    ),
    "workflows.trigger": dict.fromkeys(
        ("switch_on", "switch_off"), "workflows.change_trigger"
    ),
    "workflows.secret": {"delete_selected": "workflows.delete_secret"},
    "workflows.connection": {"delete_selected": "workflows.delete_connection"},
    "accounts.user": {"reset_second_factor": "accounts.change_user"},
    "accounts.failedsignin": dict.fromkeys(
        ("unlock_account", "unlock_address"), "accounts.delete_failedsignin"
    ),
    "accounts.apikey": {"revoke": "accounts.change_apikey"},
    "accounts.team": {"delete_selected": "accounts.delete_team"},
}


def addresses(
    found: URLResolver | None = None, prefix: str = "", spaces: tuple[str, ...] = ()
) -> Iterator[tuple[str, str, URLPattern]]:
    """(name, route, pattern) of each address; without a name it has its route's."""
    for pattern in (found or get_resolver()).url_patterns:
        route = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            inner = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from addresses(pattern, route, inner)
        else:
            name = ":".join([*spaces, pattern.name]) if pattern.name else route
            yield name, route, pattern


def is_redirect(route: str) -> bool:
    """Addresses of Django's admin that only lead on: to a page, or to a slash."""
    leads = route.startswith("admin/") and route.endswith("/<path:object_id>/")
    if "<path:content_type_id>" in route:
        return False  # `view_on_site` has a view of its own
    return leads or route == "admin/(?P<url>.*)$"
