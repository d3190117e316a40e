"""`manage.py settings_docs`: docs/settings.md and .env.example, from the table."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from automate.env import BASE_DIR
from automate.settings_table import SETTINGS, Setting

KINDS = {bool: "yes or no", int: "whole number", float: "number", list: "list"}
HEAD = """\
# Settings

Read from the environment, or from a file `.env` beside `manage.py`, once at the
start. This page is made from `automate/settings_table.py` by `manage.py settings_docs`.
"""
ENV_HEAD = """\
# Copy to .env and change what you need. Made from automate/settings_table.py by
# `manage.py settings_docs`; docs/settings.md tells the same.
"""


class Command(BaseCommand):
    help = "Write docs/settings.md and .env.example from the declared settings."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """--check, --print, --json."""
        parser.add_argument(
            "--check", action="store_true", help="Exit with 1 when a file differs."
        )
        parser.add_argument(
            "--print", action="store_true", help="Print both; write nothing."
        )
        parser.add_argument("--json", action="store_true", help="For programs.")

    def handle(self, *, check: bool, **options: Any) -> None:
        """Writes, prints or compares the two files."""
        files = pages()
        if options["print"]:
            self._print(files, as_json=options["json"])
            return
        differing = [name for name, text in files.items() if _stored(name) != text]
        if not check:
            for name in differing:
                path = BASE_DIR / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(files[name], encoding="utf-8")
        self._tell(differing, check=check, as_json=options["json"])
        if check and differing:
            sys.exit(1)

    def _print(self, files: dict[str, str], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(files, indent=2))
            return
        for name, text in files.items():
            self.stdout.write(f"--- {name}\n{text}")

    def _tell(self, differing: list[str], *, check: bool, as_json: bool) -> None:
        if as_json:
            key = "differ" if check else "written"
            self.stdout.write(json.dumps({key: differing}, indent=2))
        elif not differing:
            self.stdout.write("docs/settings.md and .env.example are up to date.")
        elif check:
            names = " and ".join(differing)
            self.stderr.write(f"Out of date: {names}. Run: manage.py settings_docs")
        else:
            self.stdout.write(f"Wrote {' and '.join(differing)}.")


def pages() -> dict[str, str]:
    """The text of both files by their path in the repository."""
    return {"docs/settings.md": markdown(), ".env.example": env_example()}


def markdown() -> str:
    """The page for people: a table for each section."""
    parts = [HEAD]
    for section, settings in _sections():
        parts.append(f"\n## {section}\n\n| setting | default | |\n|---|---|---|\n")
        for item in settings:
            kind = KINDS.get(item.kind)
            note = f" ({kind})" if kind else ""
            text = item.help.replace("|", r"\|")
            parts.append(f"| `{item.name}` | {_shown(item)} | {text}{note} |\n")
    return "".join(parts)


def env_example() -> str:
    """The file to copy: every setting with its default, commented out."""
    parts = [ENV_HEAD]
    for section, settings in _sections():
        parts.append(f"\n# --- {section}\n")
        for item in settings:
            parts += [f"# {line}\n" for line in textwrap.wrap(item.help, 80)]
            parts.append(f"#{item.name}={_plain(item)}\n")
    return "".join(parts)


def _sections() -> Iterator[tuple[str, list[Setting]]]:
    """Settings by section, sections in the order of their first setting."""
    order = list(dict.fromkeys(item.section for item in SETTINGS))
    ordered = sorted(SETTINGS, key=lambda item: order.index(item.section))
    for section, settings in groupby(ordered, key=lambda item: item.section):
        yield section, list(settings)


def _plain(item: Setting) -> str:
    if item.kind is list:
        return ",".join(map(str, item.default))
    if item.kind is bool:
        return "1" if item.default else "0"
    if item.kind is float:
        return f"{item.default:g}"
    return str(item.default)


def _shown(item: Setting) -> str:
    if item.kind is bool:
        return "on" if item.default else "off"
    text = _plain(item)
    return f"`{text}`" if text else "none"


def _stored(name: str) -> str | None:
    path = Path(BASE_DIR) / name
    return path.read_text(encoding="utf-8") if path.is_file() else None
