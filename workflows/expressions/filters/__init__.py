"""The filters of the language: a fixed table, each pure and within the budget."""

from workflows.expressions.filters import (  # noqa: F401 - each fills the table
    dates,
    encodings,
    lists,
    mappings,
    numbers,
    text,
)
from workflows.expressions.filters.base import FILTERS, FilterSpec

FILTERS["d"] = FILTERS["default"]

__all__ = ["FILTERS", "FilterSpec"]
