"""What the list of runs says when a search finds nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser

from automate.accounts.admin.scope import visible
from automate.accounts.models import User
from runs.admin.history import id_rule
from workflows.definition.problems import shorten
from workflows.models import Workflow
from workflows.services import naming


@dataclass(frozen=True, slots=True)
class Hint:
    """A sentence, and the slugs of workflows that were meant perhaps."""

    text: str
    near: Sequence[str] = ()


def hint_on(term: str, user: User | AnonymousUser) -> Hint:
    """Of what this person sees: no other name is told. Two queries."""
    term = term.strip()
    if id_rule(term) is not None:
        return Hint("No run has an id that begins like this.")
    seen = visible(Workflow.objects.all(), user)
    if naming.named(seen, term).exists():
        return Hint(f"The workflow “{shorten(term)}” has no such run.")
    said = f"No workflow, event or error is called “{shorten(term)}”."
    return Hint(said, naming.near(seen, term))
