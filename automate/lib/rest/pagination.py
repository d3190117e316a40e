"""Pages by cursor: stable while rows are added, as fast at the end as at the start."""

from __future__ import annotations

import base64
import binascii
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import models
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from automate.lib.rest.errors import invalid
from automate.lib.rest.strict import StrictQuery

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
M = TypeVar("M", bound=models.Model)


class ListQuery(StrictQuery):
    """What every list takes; a list's own filters are added in a subclass."""

    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT
    )
    cursor = serializers.CharField(required=False)


def page(
    rows: models.QuerySet[M],
    request: Request,
    query: dict[str, Any],
    *,
    newest_first: bool = True,
) -> tuple[list[M], dict[str, Any]]:
    """The rows of this page, and `{"next", "next_cursor"}`: null on the last page.

    Ordered by primary key; one query. Raises ApiError 400 for a cursor that is not
    one of ours.
    """
    limit = query["limit"]
    if "cursor" in query:
        last = _decode(rows.model, query["cursor"])
        rows = rows.filter(**{"pk__lt" if newest_first else "pk__gt": last})
    found = list(rows.order_by("-pk" if newest_first else "pk")[: limit + 1])
    shown = found[:limit]
    if len(found) <= limit:
        return shown, {"next": None, "next_cursor": None}
    cursor = _encode(shown[-1].pk)
    url = replace_query_param(request.build_absolute_uri(), "cursor", cursor)
    return shown, {"next": url, "next_cursor": cursor}


def _encode(key: object) -> str:
    return base64.urlsafe_b64encode(str(key).encode()).rstrip(b"=").decode()


def _decode(model: type[models.Model], cursor: str) -> Any:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        return model._meta.pk.to_python(text)
    except (binascii.Error, ValueError, ValidationError):
        raise invalid([("cursor", "Take it from a page's next_cursor.")]) from None
