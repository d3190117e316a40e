"""Files that n8n's editor, command line or API wrote."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_FILE = 32 * 1024 * 1024
_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),  # what PowerShell's `>` writes
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WRAPPERS = ("data", "workflow", "workflows")


@dataclass(frozen=True, slots=True)
class Exported:
    """The workflow of this number (from 1) in a file, or why it cannot be read."""

    number: int
    tree: Any = None
    error: str = ""


def read_exported(raw: bytes) -> Iterator[Exported]:
    """Each workflow of a file: one, a list of them, or {"data": [...]}."""
    if len(raw) > MAX_FILE:
        yield Exported(1, error=f"the file has more than {MAX_FILE >> 20} MiB")
        return
    encoding = next((name for bom, name in _ENCODINGS if raw.startswith(bom)), "utf-8")
    try:
        tree = json.loads(raw.decode(encoding))
    except UnicodeDecodeError as error:
        yield Exported(1, error=f"is not text in {encoding}: byte {error.start}")
        return
    except json.JSONDecodeError as error:
        message = f"is not JSON: {error.msg}, line {error.lineno} column {error.colno}"
        yield Exported(1, error=message)
        return
    except ValueError:  # an integer of more digits than Python reads
        yield Exported(1, error="is not JSON that can be read: a number is too long")
        return
    except RecursionError:
        yield Exported(1, error="is nested too deeply")
        return
    found = _unwrapped(tree)
    for number, item in enumerate(found, 1):
        yield Exported(number, item)
    if not found:
        yield Exported(1, error="holds no workflow")


def _unwrapped(tree: Any) -> list[Any]:
    for _ in range(3):
        if isinstance(tree, list):
            return tree
        if not isinstance(tree, Mapping) or "nodes" in tree:
            break
        inner = next(
            (tree[key] for key in _WRAPPERS if isinstance(tree.get(key), list | dict)),
            None,
        )
        if inner is None:
            break
        tree = inner
    return tree if isinstance(tree, list) else [tree]
