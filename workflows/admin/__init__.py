"""The admin pages of workflows, triggers, versions, secrets and connections."""

from __future__ import annotations

from django.contrib.admin import AdminSite

from workflows.admin.connection import ConnectionAdmin
from workflows.admin.secret import SecretAdmin
from workflows.admin.trigger import TriggerAdmin
from workflows.admin.version import WorkflowVersionAdmin
from workflows.admin.workflow import WorkflowAdmin
from workflows.models import Connection, Secret, Trigger, Workflow, WorkflowVersion


def register(site: AdminSite) -> None:
    """Put this package's pages on a site."""
    site.register(Workflow, WorkflowAdmin)
    site.register(Trigger, TriggerAdmin)
    site.register(WorkflowVersion, WorkflowVersionAdmin)
    site.register(Secret, SecretAdmin)
    site.register(Connection, ConnectionAdmin)
