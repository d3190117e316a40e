"""`manage.py import_n8n`: workflows that n8n exported become drafts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from workflows.integrations.n8n.files import MAX_FILE, read_exported
from workflows.integrations.n8n.report import FIDELITIES, summary, table
from workflows.integrations.n8n.source import NotAWorkflow, read_workflow
from workflows.management import files, owners
from workflows.services.n8n_import import (
    FILE,
    UNIQUE_ID,
    Given,
    Imported,
    Origin,
    import_all,
)
from workflows.services.transactions import unit_of_work

STDIN = "standard input"


class Command(BaseCommand):
    help = (
        "Import workflows that n8n exported (- is standard input): a file with one, a "
        "list of them, or what its API answers; a folder is its *.json files. They "
        "become drafts: nothing starts before somebody publishes them. The report says "
        "what became of each node. Exit status 1 when any could not be read; the "
        "others are imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """FILE..., --owner, --team, --overwrite, --dry-run, --json."""
        parser.add_argument("files", nargs="+", metavar="FILE")
        owners.add_arguments(parser, "The team of workflows that are new.")
        parser.add_argument(
            "--overwrite",
            action="store_true",
            help="Also where the draft was edited here since the last import.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what would be done; do nothing."
        )
        parser.add_argument("--json", action="store_true", help="For programs.")

    def handle(self, **options: Any) -> None:
        """Imports each workflow by itself; exits with 1 when one could not be."""
        names = files.files_of(options["files"], (".json",))
        given = [item for file in names for item in _given(file)]
        dry_run = bool(options["dry_run"])
        with unit_of_work():
            found = import_all(
                given,
                by=None,
                team=options["team"].slug if options["team"] else "",
                owner=options["owner"],
                overwrite=options["overwrite"],
            )
            if dry_run:
                transaction.set_rollback(True)
        with files.telling():
            if options["json"]:
                data = {
                    "dry_run": dry_run,
                    "counts": _counts(found),
                    "workflows": [as_data(item, real=not dry_run) for item in found],
                }
                self.stdout.write(json.dumps(data, indent=2))
            else:
                self._tell(found, dry_run=dry_run)
        if any(item.outcome == "failed" for item in found):
            sys.exit(1)

    def _tell(self, found: list[Imported], *, dry_run: bool) -> None:
        for item in found:
            if item.outcome == "failed":
                text = f"{item.origin.source_id}: {item.error}"
                self.stderr.write(self.style.ERROR(text))
                continue
            assert item.workflow is not None  # noqa: S101 - it did not fail
            assert item.report is not None  # noqa: S101
            would = "would be " if dry_run else ""
            self.stdout.write(
                f"{item.workflow.slug}: {would}{item.outcome} from "
                f"{item.origin.source_id} ({summary(item.report.counts())})"
            )
            for line in table(item.report.as_data()):
                self.stdout.write(f"  {line}")
            for message in item.messages:
                self.stdout.write(f"  note: {message}")
            if item.workflow.owner is None:
                self.stdout.write(f"  note: {owners.NOBODY_S}")
            for problem in item.problems:
                self.stdout.write(f"  to mend before it can be published: {problem}")
        done = [item for item in found if item.outcome != "failed"]
        self.stdout.write(f"{len(done)} workflow(s): {summary(_counts(found))}")


def as_data(item: Imported, *, real: bool = True) -> dict[str, Any]:
    """One workflow's import as JSON data; of an unreal one without its id."""
    row = item.workflow
    return {
        "source": item.origin.source,
        "source_id": item.origin.source_id,
        "outcome": item.outcome,
        "name": item.name,
        "id": str(row.pk) if row is not None and real else None,
        "slug": row.slug if row is not None else None,
        "owner": row.owner.email if row is not None and row.owner else None,
        "team": row.team.slug if row is not None and row.team else None,
        "report": item.report.as_data() if item.report is not None else None,
        "messages": [str(message) for message in item.messages],
        "problems": [str(problem) for problem in item.problems],
        "error": item.error,
    }


def _counts(found: list[Imported]) -> dict[str, int]:
    counts = [item.report.counts() for item in found if item.report is not None]
    return {name: sum(one[name] for one in counts) for name in FIDELITIES}


def _given(file: str) -> Iterator[Given]:
    name = STDIN if file == "-" else Path(file).name
    try:
        raw = files.read(file, MAX_FILE)
    except OSError as error:
        said = f"cannot be read: {error.strerror}"
        yield Given(Origin(FILE, file), error=said, code="UNREADABLE")
        return
    for exported in read_exported(raw):
        here = name if exported.number == 1 else f"{name}, number {exported.number}"
        if exported.error:
            yield Given(Origin(FILE, here), error=exported.error, code="UNREADABLE")
            continue
        try:
            source = read_workflow(exported.tree)
        except NotAWorkflow as error:
            yield Given(Origin(FILE, here), error=str(error), code="NOT_A_WORKFLOW")
            continue
        # An id of n8n's that is random finds the workflow again, whatever its file.
        id_ = source.id if len(source.id) >= UNIQUE_ID else here
        yield Given(Origin(FILE, id_), source)
