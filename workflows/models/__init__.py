"""What should happen: workflows, their versions, triggers, secrets, connections."""

from workflows.models.breaker import Breaker
from workflows.models.connection import Connection
from workflows.models.n8n_import import N8nImport
from workflows.models.secret import Secret
from workflows.models.trigger import Trigger
from workflows.models.version import WorkflowVersion
from workflows.models.workflow import Workflow

__all__ = [
    "Breaker",
    "Connection",
    "N8nImport",
    "Secret",
    "Trigger",
    "Workflow",
    "WorkflowVersion",
]
