"""What the views of workflows share: who sees which, and how refusals are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.views import APIView

from automate.accounts.api.callers import user_of
from automate.accounts.visibility import visible_to
from automate.lib.errors import Code
from automate.lib.rest import ApiError, invalid
from automate.lib.rest.described import RULES
from workflows import services
from workflows.api.etags import etag
from workflows.definition import Problem
from workflows.models import Workflow
from workflows.services import naming
from workflows.services.owned import NotYours

# Why something is refused, as the description of the API says it.
CHANGED = "Somebody else changed it first; `ETag` is the present one."
FOREIGN = "It serves every team: administrators change it."
NO_SUCH = "A parameter that cannot be read, or a workflow that is none."
NO_TAG = "`If-Match` holds no tag."
TAKEN = "Its name is taken, or its state does not allow it."
UNSOUND = "A document that is none, or no sound workflow: each fault with its place."
EDIT: Mapping[str, Any] = {
    "sends": ("ETag",),
    "takes": ("If-Match",),
    "refuses": {400: UNSOUND, 403: FOREIGN, 409: TAKEN, 412: CHANGED},
}
OWNED: Mapping[int, str] = {400: RULES, 403: FOREIGN, 409: TAKEN}
IN_USE: Mapping[int, str] = {403: FOREIGN, 409: "Something uses it."}


def visible_workflows(request: Request) -> QuerySet[Workflow]:
    """The workflows that the caller may see."""
    return Workflow.objects.filter(visible_to(user_of(request)))


def find_workflow(request: Request, name: str) -> Workflow:
    """The workflow of this UUID or slug, with its version, team and owner.

    Raises ApiError 404 with those that are near, also for another team's.
    """
    seen = visible_workflows(request)
    rows = seen.select_related("published", "team", "owner")
    workflow = named(rows, name).first()
    if workflow is None:
        text = f"There is no workflow {name}.{naming.did_you_mean(seen, name)}"
        raise ApiError(404, Code.NOT_FOUND, text)
    return workflow


def workflow_in_query(request: Request, name: str) -> UUID:
    """The id of the workflow that the filter `workflow` names by its UUID or slug.

    Raises ApiError 400 with those that are near; another team's is as unknown as any.
    """
    rows = visible_workflows(request)
    found = named(rows, name).values_list("pk", flat=True).first()
    if found is None:
        raise invalid([("workflow", naming.unknown(rows, name))])
    return found


def named(rows: QuerySet[Workflow], name: str) -> QuerySet[Workflow]:
    """Those of the rows that a UUID or a slug names: one, or none."""
    try:
        return rows.filter(pk=UUID(name))
    except ValueError:
        return rows.filter(slug=name)


class WorkflowView(APIView):
    """A view below one workflow's address."""

    def find(self, request: Request, name: str) -> Workflow:
        """As `find_workflow`."""
        return find_workflow(request, name)


def issues(problems: Iterable[Problem]) -> list[tuple[str, str]]:
    """(field, issue) of each problem, as errors are told."""
    return [(problem.path, problem.message) for problem in problems]


def listed(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """The same as answers show them."""
    return [{"field": field, "issue": issue} for field, issue in issues(problems)]


@contextmanager
def told() -> Iterator[None]:
    """What the services refuse, as the API says it: 400, 403, 409 or 412."""
    try:
        yield
    except services.DocumentError as error:
        raise invalid(issues(error.problems)) from None
    except services.EditConflict as error:
        raise ApiError(
            412, error.code, error.message, headers={"ETag": etag(error.current)}
        ) from None
    except NotYours as error:
        raise ApiError(403, error.code, error.message) from None
    except services.WorkflowServiceError as error:
        raise ApiError(409, error.code, error.message) from None
