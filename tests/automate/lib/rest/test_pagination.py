"""Pages by cursor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from automate.accounts.models import Team
from automate.lib.rest import ApiError, ListQuery, page

pytestmark = pytest.mark.django_db


def get(rows: QuerySet[Any], url: str, **options: bool) -> tuple[list[Any], Any]:
    request = Request(APIRequestFactory().get(url))
    return page(rows, request, ListQuery.read_query(request), **options)


def walk(url: str, **options: bool) -> Iterator[list[str]]:
    following: str | None = url
    while following:
        rows, further = get(Team.objects.all(), following, **options)
        yield [row.slug for row in rows]
        following = further["next"]


def make_teams(count: int) -> list[str]:
    return [Team.objects.create(name="t", slug=f"t{n}").slug for n in range(count)]


def test_pages_follow_each_other_newest_first_without_gap() -> None:
    make_teams(5)

    assert list(walk("/x?limit=2")) == [["t4", "t3"], ["t2", "t1"], ["t0"]]


def test_history_is_read_oldest_first() -> None:
    make_teams(3)

    assert list(walk("/x?limit=2", newest_first=False)) == [["t0", "t1"], ["t2"]]


def test_a_full_last_page_has_no_next() -> None:
    make_teams(4)

    assert list(walk("/x?limit=2")) == [["t3", "t2"], ["t1", "t0"]]


def test_rows_that_arrive_meanwhile_do_not_shift_the_pages() -> None:
    make_teams(3)
    _, further = get(Team.objects.all(), "/x?limit=2")
    Team.objects.create(name="new", slug="new")

    rows, _ = get(Team.objects.all(), further["next"])

    assert [row.slug for row in rows] == ["t0"]


def test_the_next_address_keeps_the_filters() -> None:
    make_teams(3)

    _, further = get(Team.objects.all(), "/x?limit=1")

    assert "limit=1" in further["next"]
    assert f"cursor={further['next_cursor']}" in further["next"]
    assert further["next"].startswith("http://testserver/x?")


@pytest.mark.parametrize("cursor", ["x", "%00", "AAAA", "bm90LWEtdXVpZA", "é"])
def test_a_strange_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(ApiError) as caught:
        get(Team.objects.all(), f"/x?cursor={cursor}")

    assert [field for field, _ in caught.value.errors] == ["cursor"]


@pytest.mark.parametrize("limit", ["0", "-1", "201", "many", ""])
def test_a_limit_out_of_range_is_refused(limit: str) -> None:
    with pytest.raises(ApiError) as caught:
        get(Team.objects.all(), f"/x?limit={limit}")

    assert [field for field, _ in caught.value.errors] == ["limit"]
