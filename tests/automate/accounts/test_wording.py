"""What the audit says happened, in words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from automate.accounts.wording import VERBS, in_words

NOUNS = "api_?key|campaign|connection|run|secret|signin|step|trigger|user|workflow"
ACTION = re.compile(rf"({NOUNS})\.[a-z_0-9]+")
# Places in templates and the like that look as an action does.
OTHERS = {
    "run.created_at", "run.id", "run.workflow", "trigger.headers", "trigger.payload",
    "trigger.query", "workflow.completed",
}  # fmt: skip


def recorded() -> Iterator[str]:
    """The actions that the code names."""
    for package in ("automate", "runs", "webhooks", "workflows"):
        for path in Path(settings.BASE_DIR, package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                text = node.value if isinstance(node, ast.Constant) else None
                if isinstance(text, str) and ACTION.fullmatch(text):
                    yield text


def test_each_action_has_words() -> None:
    actions = set(recorded()) - OTHERS
    assert len(actions) > 40
    assert {action for action in actions if action.split(".")[1] not in VERBS} == set()


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("run.start", "Run started"),
        ("apikey.revoke", "API key revoked"),
        ("trigger.end_previous_secret", "Trigger previous secret ended"),
        ("n8nimport.drop_all", "N8nimport drop all"),  # of a later release, say
        ("", ""),
    ],
)
def test_an_action_in_words(action: str, words: str) -> None:
    assert in_words(action) == words
