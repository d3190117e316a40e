"""The filters of the language: a fixed table, each pure and within the budget."""

from dataclasses import replace

from workflows.expressions.filters import (  # noqa: F401 - each fills the table
    dates,
    encodings,
    lists,
    mappings,
    numbers,
    text,
)
from workflows.expressions.filters.base import FILTERS, FilterSpec

FILTERS["d"] = replace(
    FILTERS["default"],
    name="d",
    signature=FILTERS["default"].signature.replace("default(", "d(", 1),
    summary="Short for default.",
)

__all__ = ["FILTERS", "FilterSpec"]
