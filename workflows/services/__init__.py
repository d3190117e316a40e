"""The public verbs of workflows: read a document, save, publish, switch, export."""

from workflows.services.breakers import close_breaker
from workflows.services.changes import diff_draft, diff_versions
from workflows.services.documents import (
    Document,
    TriggerSpec,
    check_document,
    parse_document,
)
from workflows.services.drafts import (
    SaveResult,
    create_workflow,
    save_document,
    save_draft,
)
from workflows.services.errors import (
    DocumentError,
    EditConflict,
    StateRefused,
    WorkflowServiceError,
)
from workflows.services.exporting import document_of
from workflows.services.files import Loaded, dump_yaml, read_documents
from workflows.services.publishing import (
    Publication,
    activate,
    archive,
    deactivate,
    publish,
    publish_in_full,
)
from workflows.services.rollback import rollback
from workflows.services.triggers import (
    end_previous_secret,
    rotate_trigger_secret,
    set_trigger_active,
    trigger_url,
)

__all__ = [
    "Document",
    "DocumentError",
    "EditConflict",
    "Loaded",
    "Publication",
    "SaveResult",
    "StateRefused",
    "TriggerSpec",
    "WorkflowServiceError",
    "activate",
    "archive",
    "check_document",
    "close_breaker",
    "create_workflow",
    "deactivate",
    "diff_draft",
    "diff_versions",
    "document_of",
    "dump_yaml",
    "end_previous_secret",
    "parse_document",
    "publish",
    "publish_in_full",
    "read_documents",
    "rollback",
    "rotate_trigger_secret",
    "save_document",
    "save_draft",
    "set_trigger_active",
    "trigger_url",
]
