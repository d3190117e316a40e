"""The public verbs of workflows: read a document, save, publish, switch, export."""

from workflows.services.breakers import close_breaker
from workflows.services.by_hand import Added, add_trigger, remove_trigger
from workflows.services.changes import diff_draft, diff_versions
from workflows.services.checking import Checked, validate_document
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
from workflows.services.editing import (
    patch_workflow,
    replace_workflow,
    team_for,
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
from workflows.services.signing_secrets import (
    end_previous_secret,
    rotate_trigger_secret,
)
from workflows.services.submitting import submit
from workflows.services.triggers import set_trigger_active, trigger_url

__all__ = [
    "Added",
    "Checked",
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
    "add_trigger",
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
    "patch_workflow",
    "publish",
    "publish_in_full",
    "read_documents",
    "remove_trigger",
    "replace_workflow",
    "rollback",
    "rotate_trigger_secret",
    "save_document",
    "save_draft",
    "set_trigger_active",
    "submit",
    "team_for",
    "trigger_url",
    "validate_document",
]
