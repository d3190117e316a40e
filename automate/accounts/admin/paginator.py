"""A paginator for tables with millions of rows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import QuerySet

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator


class CappedPaginator(_Paginator):
    """Counts to `cap` and no further: PostgreSQL counts a million rows by reading them.

    `capped` tells that there are more; they are reached by filters and dates.
    """

    cap = 10_000

    @cached_property
    def _counted(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[: self.cap + 1].count()
        return len(rows)

    @property
    def capped(self) -> bool:
        """True when there are more rows than were counted."""
        return self._counted > self.cap

    @cached_property
    def count(self) -> int:
        """The number of rows, at most `cap`."""
        return min(self._counted, self.cap)
