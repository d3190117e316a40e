"""`manage.py import_workflows`: documents become workflows."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from workflows.definition import Problem
from workflows.management import files, owners
from workflows.models import Trigger
from workflows.services import (
    DocumentError,
    Loaded,
    SaveResult,
    WorkflowServiceError,
    read_documents,
    save_document,
    trigger_url,
)
from workflows.services.files import MAX_FILE
from workflows.services.transactions import unit_of_work

NEW_ADDRESS = "a new address, made by the import"


@dataclass(frozen=True, slots=True)
class Source:
    """One document and where it came from."""

    file: str
    loaded: Loaded

    def __str__(self) -> str:
        return f"{self.file}, document {self.loaded.number}"


class Command(BaseCommand):
    help = (
        "Create or change workflows from YAML or JSON files (- is standard input), or "
        "all of a folder. A file may hold several documents. A document's workflow "
        "is found by its slug. Exit status 1 when any document failed; the others are "
        "imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """FILE..., --publish, --dry-run, --owner, --team, --json."""
        parser.add_argument("files", nargs="+", metavar="FILE")
        parser.add_argument(
            "--publish", action="store_true", help="Publish what is imported."
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what would be done; do nothing."
        )
        owners.add_arguments(
            parser, "The team of workflows that are new; else the one a document names."
        )
        parser.add_argument("--json", action="store_true", help="For programs.")

    def handle(self, *, publish: bool, **options: Any) -> None:
        """Imports each document by itself; exits with 1 when one was refused."""
        dry_run = bool(options["dry_run"])
        report = Report(dry_run=dry_run)
        names = files.files_of(options["files"], (".json", ".yaml", ".yml"))
        sources = [source for file in names for source in _sources(file)]
        save = partial(
            save_document,
            by=None,
            publish=publish,
            owner=options["owner"],
            team=options["team"],
        )
        if dry_run:
            # One transaction, so that documents which clash are told as they would be.
            with unit_of_work():
                _import(sources, report, save)
                transaction.set_rollback(True)
        else:
            _import(sources, report, save)
        with files.telling():
            if options["json"]:
                self.stdout.write(json.dumps(report.data(), indent=2))
            else:
                self._tell(report)
        if report.errors:
            sys.exit(1)

    def _tell(self, report: Report) -> None:
        for item in report.workflows:
            for line in _lines(item, dry_run=report.dry_run):
                self.stdout.write(line)
        for error in report.errors:
            where = f"{error['file']}, document {error['document']}"
            place = f"{error['path']}: " if error["path"] else ""
            self.stderr.write(self.style.ERROR(f"{where}: {place}{error['message']}"))


class Report:
    """What was done to each document, as JSON data."""

    def __init__(self, *, dry_run: bool) -> None:
        self.dry_run = dry_run
        self.workflows: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.known = set(Trigger.objects.values_list("pk", flat=True))

    def data(self) -> dict[str, Any]:
        return {
            "dry_run": self.dry_run,
            "workflows": self.workflows,
            "errors": self.errors,
        }

    def failed(self, source: Source, problems: list[Problem]) -> None:
        self.errors += [
            {
                "file": source.file,
                "document": source.loaded.number,
                "path": problem.path,
                "message": problem.message,
            }
            for problem in problems
        ]

    def saved(self, source: Source, result: SaveResult) -> None:
        workflow = result.workflow
        self.workflows.append(
            {
                "file": source.file,
                "document": source.loaded.number,
                "slug": workflow.slug,
                "name": workflow.name,
                "id": None if self._unreal(result) else str(workflow.pk),
                "status": workflow.status,
                "owner": workflow.owner.email if workflow.owner else None,
                "team": workflow.team.slug if workflow.team else None,
                "created": result.is_new,
                "version": result.version.number if result.version else None,
                "triggers": [
                    self._trigger(row, result.new_secrets) for row in result.triggers
                ],
                "warnings": [str(warning) for warning in result.warnings],
                "messages": [str(message) for message in result.messages],
                "problems": [str(problem) for problem in result.problems],
            }
        )

    def _unreal(self, result: SaveResult) -> bool:
        return self.dry_run and result.is_new

    def _trigger(self, row: Trigger, secrets: dict[UUID, str]) -> dict[str, Any]:
        real = not self.dry_run or bool(row.path) or row.pk in self.known
        data = {
            "id": str(row.pk) if real else None,
            "kind": row.kind,
            "node_id": row.node_id,
            "is_active": row.is_active,
            "url": trigger_url(row) if real else None,
        }
        if row.pk in secrets:
            data["generated_secret"] = None if self.dry_run else secrets[row.pk]
        return data


def _sources(file: str) -> Iterator[Source]:
    name = "standard input" if file == "-" else file
    try:
        raw = files.read(file, MAX_FILE)
    except OSError as error:
        yield Source(name, Loaded(1, error=f"cannot be read: {error.strerror}"))
        return
    for loaded in read_documents(raw, file):
        yield Source(name, loaded)


def _import(
    sources: list[Source], report: Report, save: Callable[..., SaveResult]
) -> None:
    for source in sources:
        if source.loaded.document is None:
            report.failed(source, [Problem("", source.loaded.error)])
            continue
        stem = "" if source.file == "standard input" else Path(source.file).stem
        name = stem if source.loaded.number == 1 else f"{stem} {source.loaded.number}"
        try:
            result = save(source.loaded.document, default_name=name if stem else "")
        except DocumentError as error:
            report.failed(source, list(error.problems))
        except WorkflowServiceError as error:
            report.failed(source, [Problem("", error.message)])
        else:
            report.saved(source, result)


def _lines(item: dict[str, Any], *, dry_run: bool) -> Iterator[str]:
    verb = "created" if item["created"] else "saved"
    version = item["version"]
    what = f"{verb}, published as version {version}" if version else f"{verb} as draft"
    yield f"{item['slug']}: {'would be ' if dry_run else ''}{what} ({item['status']})"
    for trigger in item["triggers"]:
        name = f" {trigger['node_id']}" if trigger["node_id"] else ""
        address = NEW_ADDRESS if trigger["url"] is None else trigger["url"]
        state = "" if trigger["is_active"] else " (inactive)"
        yield f"  {trigger['kind']}{name}{state}{f': {address}' if address else ''}"
        if trigger.get("generated_secret"):
            yield f"    signing secret, shown only now: {trigger['generated_secret']}"
    for warning in item["warnings"]:
        yield f"  warning: {warning}"
    for message in item["messages"]:
        yield f"  note: {message}"
    if item["owner"] is None:
        yield f"  note: {owners.NOBODY_S}"
    for problem in item["problems"]:
        yield f"  to mend before it can be published: {problem}"
