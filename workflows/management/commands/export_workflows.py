"""`manage.py export_workflows`: workflows as documents that can be imported."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workflows.models import Workflow
from workflows.services import DocumentError, document_of, dump_yaml


class Command(BaseCommand):
    help = (
        "Print workflows as YAML or JSON documents for import_workflows; all of them "
        "when no slug is given. Secrets and connections are named, never shown."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """SLUG..., --format, --output, --json."""
        parser.add_argument("slugs", nargs="*", metavar="SLUG")
        parser.add_argument("--format", choices=("yaml", "json"), default="yaml")
        parser.add_argument("--output", metavar="FILE", help="Write to a file.")
        parser.add_argument(
            "--json",
            action="store_true",
            help="For programs: documents and errors as one JSON object; with "
            "--output, what was written.",
        )

    def handle(self, *, slugs: list[str], **options: Any) -> None:
        """Exits with 1 when a workflow is unknown or its draft cannot be read."""
        documents: list[dict[str, Any]] = []
        errors = _unknown(slugs)
        chosen = Workflow.objects.select_related("team").order_by("slug")
        for workflow in chosen.filter(slug__in=slugs) if slugs else chosen:
            try:
                documents.append(document_of(workflow))
            except DocumentError as error:
                errors.append({"slug": workflow.slug, "message": error.message})
        self._write(documents, errors, options)
        for failed in errors:
            text = f"{failed['slug']}: {failed['message']}"
            self.stderr.write(self.style.ERROR(text))
        if errors:
            sys.exit(1)

    def _write(
        self,
        documents: list[dict[str, Any]],
        errors: list[dict[str, str]],
        options: dict[str, Any],
    ) -> None:
        output, as_json = options["output"], options["json"]
        if output:
            _write_file(output, _text(documents, options["format"]))
        report: dict[str, Any] = {"workflows": documents, "errors": errors}
        if output:
            written = [document["slug"] for document in documents]
            report = {"file": output, "workflows": written, "errors": errors}
        if as_json:
            self.stdout.write(json.dumps(report, indent=2))
        elif output:
            self.stdout.write(f"Wrote {len(documents)} workflow(s) to {output}.")
        else:
            self.stdout.write(_text(documents, options["format"]), ending="")


def _unknown(slugs: list[str]) -> list[dict[str, str]]:
    known = set(Workflow.objects.filter(slug__in=slugs).values_list("slug", flat=True))
    return [
        {"slug": slug, "message": "there is no such workflow"}
        for slug in dict.fromkeys(slugs)
        if slug not in known
    ]


def _text(documents: list[dict[str, Any]], kind: str) -> str:
    if kind == "json":
        return json.dumps(documents, indent=2, ensure_ascii=False) + "\n"
    return dump_yaml(documents)


def _write_file(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{name} cannot be written: {error.strerror}") from error
