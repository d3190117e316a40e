"""Variables that come with a start: instead of the version's own, never beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from workflows.definition.json_tree import clean
from workflows.definition.problems import listed, place, shorten, suggest


def overriding(
    declared: Collection[str], given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The values as they are stored, and everything that is wrong with them.

    A name that is not declared is a mistyped one, and a run that ignored it would do
    the wrong thing. With something wrong the values are of no use.
    """
    tree, problems = clean(dict(given))
    wrong = [str(problem) for problem in problems]
    for name in given:
        if name not in declared:
            where = place("variables", shorten(str(name)))
            known = (
                f"declared are {listed(declared)}" if declared else "none is declared"
            )
            wrong.append(f"{where}: unknown; {known}{suggest(name, declared)}")
    return {} if wrong else tree, wrong
