"""The tables of docs/workflows.md that say what the code says.

`python -m tests.contract.docs_tables` writes them anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "workflows.md"
_TABLE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filters() -> str:
    """Every filter by its name."""
    from workflows.expressions import FILTERS

    rows = (
        (
            code(spec.signature),
            spec.summary,
            code(spec.example),
            code(shown(spec.result)),
        )
        for _, spec in sorted(FILTERS.items())
    )
    return table(("filter", "what it gives", "example", "its result"), rows)


def tests() -> str:
    """Every test that may stand after `is`, by its name."""
    from workflows.expressions import TESTS

    rows = (
        (code(spec.name), spec.summary, code(spec.example), code(shown(spec.result)))
        for _, spec in sorted(TESTS.items())
    )
    return table(("test", "what it asks", "example", "its result"), rows)


def config(kind: str) -> str:
    """The config of a step kind, as its schema has it."""
    from workflows.actions.base import get

    return properties(get(kind).config_schema)


def trigger(kind: str) -> str:
    """The config of a trigger kind, as its schema has it."""
    from workflows.triggers.base import get

    return properties(get(kind).config_schema)


def properties(schema: Mapping[str, Any]) -> str:
    """What a schema's object may hold."""
    required = schema.get("required", ())
    rows = (
        (
            code(name) + (" (required)" if name in required else ""),
            words(part),
            code(shown(part["default"])) if "default" in part else "",
        )
        for name, part in schema["properties"].items()
    )
    return table(("key", "what it is", "default"), rows)


def words(part: Mapping[str, Any]) -> str:
    """A schema in words: its title, its description, its choices and bounds."""
    said = [part["title"], part.get("description", "")]
    choices = part.get("enum") or part.get("items", {}).get("enum", ())
    said.append(", ".join(code(str(choice)) for choice in choices))
    if "properties" in part:
        said.append(", ".join(code(name) for name in part["properties"]))
    if "maximum" in part:
        said.append(f"{part.get('minimum', 0):,} to {part['maximum']:,}")
    return ". ".join(filter(None, said))


def code(text: str) -> str:
    return f"`{text}`"


def shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a bar within a cell is escaped."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    cells = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


TABLES: Mapping[str, Callable[[], str]] = {
    "filters": filters,
    "tests": tests,
    "http_request": lambda: config("http_request"),
    "set": lambda: config("set"),
    "delay": lambda: config("delay"),
    "approval": lambda: config("approval"),
    "branch": lambda: config("branch"),
    "email": lambda: config("email"),
    "filter": lambda: config("filter"),
    "for_each": lambda: config("for_each"),
    "log": lambda: config("log"),
    "n8n": lambda: config("n8n"),
    "placeholder": lambda: config("placeholder"),
    "respond": lambda: config("respond"),
    "run_workflow": lambda: config("run_workflow"),
    "slack": lambda: config("slack"),
    "store_file": lambda: config("store_file"),
    "switch": lambda: config("switch"),
    "wait_for_webhook": lambda: config("wait_for_webhook"),
    "schedule": lambda: trigger("schedule"),
    "run_finished": lambda: trigger("run_finished"),
}


def rewritten(page: str) -> str:
    """The page with every marked table as it should be."""
    return _TABLE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], page)


def marked(page: str) -> list[str]:
    """The names of the tables that the page holds."""
    return [found[2] for found in _TABLE.finditer(page)]


def main() -> None:
    PAGE.write_text(rewritten(PAGE.read_text()))


if __name__ == "__main__":
    main()
