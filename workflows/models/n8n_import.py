"""Where a workflow came from: n8n, and what became of each of its nodes."""

from __future__ import annotations

from django.db import models

from workflows.models.workflow import Workflow


class N8nImport(models.Model):
    """The link from a workflow of n8n's to ours, so that it is imported once.

    `source` is the instance's address, or `file`; `source_id` the id there, or the
    file's name and number. `converted_sha256` is what the conversion gave,
    `draft_sha256` the draft as it was stored: a draft that differs was edited here.
    """

    workflow = models.OneToOneField(
        Workflow, models.CASCADE, primary_key=True, related_name="n8n_import"
    )
    source = models.CharField(max_length=300)
    source_id = models.CharField(max_length=200)
    converted_sha256 = models.CharField(max_length=64)
    draft_sha256 = models.CharField(max_length=64)
    report = models.JSONField(default=dict)
    imported_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "n8n import"
        indexes = (
            # At each import: is this workflow there already?
            models.Index(fields=("source_id", "source"), name="n8n_import_source"),
        )

    def __str__(self) -> str:
        return f"{self.source_id} of {self.source}"
