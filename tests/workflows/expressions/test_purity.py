"""The language is pure: no framework, no clock, no dice."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import workflows.expressions

PACKAGE = Path(workflows.expressions.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def test_importing_it_imports_no_django() -> None:
    code = (
        "import sys, workflows.expressions; "
        "sys.exit(any(name.split('.')[0] in ('django', 'rest_framework') "
        "for name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE.parent.parent,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_module_asks_the_clock_the_dice_or_the_world(path: Path) -> None:
    imported: set[str] = set()
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).split(".")[0])
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Name):
            names.add(node.id)
    assert not imported & {
        "time", "random", "secrets", "uuid", "os", "subprocess", "socket", "locale",
        "importlib", "pickle",
    }  # fmt: skip
    assert not names & {
        "now", "today", "utcnow", "getattr", "eval", "exec", "open", "__import__",
        "strftime", "format", "format_map", "vars", "globals",
    }  # fmt: skip
