"""The language of `{{ ... }}`: pure, bounded, and never evaluated twice.

Only keys of mappings and indexes of lists can be reached, from a few roots; there
are no calls and no blocks. FILTERS and TESTS are the whole vocabulary, as data.
"""

from workflows.expressions.conditions import condition_places
from workflows.expressions.errors import (
    ExpressionError,
    MissingError,
    RenderError,
    TemplateError,
)
from workflows.expressions.evaluation import DEFAULT_LIMITS, Limits
from workflows.expressions.filters import FILTERS, FilterSpec
from workflows.expressions.is_tests import TESTS, IsSpec
from workflows.expressions.names import ROOTS
from workflows.expressions.render import references, render, same, templates, truth
from workflows.expressions.source import rename_roots
from workflows.expressions.template import Template, parse, parse_condition

__all__ = [
    "DEFAULT_LIMITS",
    "FILTERS",
    "ROOTS",
    "TESTS",
    "ExpressionError",
    "FilterSpec",
    "IsSpec",
    "Limits",
    "MissingError",
    "RenderError",
    "Template",
    "TemplateError",
    "condition_places",
    "parse",
    "parse_condition",
    "references",
    "rename_roots",
    "render",
    "same",
    "templates",
    "truth",
]
