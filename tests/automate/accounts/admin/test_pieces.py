"""The small pieces that admin pages are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from automate.accounts.admin import html
from automate.accounts.admin.paginator import CappedPaginator
from automate.accounts.models import Team
from automate.accounts.templatetags import automate_admin as tags
from automate.lib.encryption import Unreadable

AT = datetime(2026, 11, 20, 9, 30, 18, 74_298, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, html.NOTHING),
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (59_940, "59.9 s"),
        (60_000, "1 min 0 s"),
        (125_000, "2 min 5 s"),
        (3_599_999, "1 h 0 min"),
        (12_000_000, "3 h 20 min"),
    ],
)
def test_milliseconds_for_people(given: int | None, shown: str) -> None:
    assert html.milliseconds(given) == shown


def test_a_duration_runs_until_now_and_is_never_negative() -> None:
    assert html.duration(None, AT) == html.NOTHING
    assert html.duration(AT, AT + timedelta(seconds=2)) == "2.0 s"
    assert html.duration(AT, AT - timedelta(seconds=2)) == "0 ms"
    assert html.duration(timezone.now() - timedelta(hours=2), None) == "2 h 0 min"


def test_times_are_exact_and_in_utc() -> None:
    assert html.moment(AT) == "2026-11-20 09:30:18.074 UTC"
    assert html.moment(None) == html.NOTHING
    assert tags.clock(AT) == "09:30:18.074"
    column = html.when("at", "arrived")
    row: Any = type("Row", (), {"at": AT})()
    shown = "2026-11-20 09:30:18"
    assert column(None, row) == f'<time title="{html.moment(AT)}">{shown}</time>'


def test_everything_is_escaped() -> None:
    evil = "<b>&\"'"
    for made in (html.pill("failed", evil), html.code(evil), html.block(evil)):
        assert "<b>" not in made


def test_addresses_break_behind_their_signs() -> None:
    shown = html.breakable("https://a.example/b-c/d?e=<f>&g=1")
    assert shown == (
        "https://<wbr>a.example/<wbr>b-c/<wbr>d?<wbr>e=<wbr>&lt;f&gt;&amp;<wbr>g=<wbr>1"
    )
    assert html.breakable("") == ""


def test_a_pill_says_its_status_in_words() -> None:
    expected = '<span class="pill pill-dead-letter">dead letter</span>'
    assert html.pill("dead_letter") == expected


def test_what_is_no_json_stays_as_it_is() -> None:
    assert html.pretty_text('{"a":1}') == '{\n  "a": 1\n}'
    assert html.pretty_text("{not json") == "{not json"
    assert html.pretty_text("[" * 100_000) == "[" * 100_000
    assert html.pretty(Unreadable("abc", b"")) == "unreadable (key abc)"


def test_a_row_s_cells_carry_their_columns_names() -> None:
    cells = ['<td class="action-checkbox">x</td>', "<th>1</th>", "<td>–</td>"]  # noqa: RUF001
    headers = [{"text": ""}, {"text": "run"}, {"text": '"quoted"'}]
    shown = tags.labelled(cells, headers)
    assert '<td data-label="" class="action-checkbox">' in shown
    assert '<th data-label="Run">1</th>' in shown
    assert '<td data-label="&quot;quoted&quot;" data-empty>' in shown


@pytest.mark.django_db
def test_counting_stops_at_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CappedPaginator, "cap", 5)
    Team.objects.bulk_create(Team(name=f"{n}", slug=f"{n}") for n in range(7))
    rows = CappedPaginator(Team.objects.order_by("name"), 2)
    assert (rows.count, rows.capped, rows.num_pages) == (5, True, 3)
    few = CappedPaginator(Team.objects.filter(slug__in=("1", "2")), 2)
    assert (few.count, few.capped) == (2, False)
    assert CappedPaginator([1, 2, 3], 2).count == 3


class List:
    """As much of a change list as the dates need."""

    date_hierarchy = "created_at"

    def __init__(self, **params: str) -> None:
        self.params = {f"created_at__{name}": value for name, value in params.items()}
        self.root_queryset = Team.objects.all()

    def get_query_string(self, new: dict[str, int], remove: list[str]) -> str:
        assert remove == ["created_at__"]
        return ",".join(str(value) for value in new.values())


def dated(*days: datetime) -> None:
    for day in days:
        slug = f"{Team.objects.count()}"
        team = Team.objects.create(name=slug, slug=slug)
        Team.objects.filter(pk=team.pk).update(created_at=day)


def links(**params: str) -> list[str | None]:
    shown = tags.quick_date_hierarchy(List(**params))
    return [choice.get("link") for choice in shown.get("choices", [])]


@pytest.mark.django_db
def test_dates_begin_at_the_level_that_tells_rows_apart() -> None:
    assert tags.quick_date_hierarchy(List()) == {"show": False}
    dated(AT)
    assert links() == ["2026,11,20"]
    dated(AT - timedelta(days=2))
    assert links() == ["2026,11,18", "2026,11,19", "2026,11,20"]
    dated(AT - timedelta(days=31))
    assert links() == ["2026,10", "2026,11"]
    dated(AT - timedelta(days=700))
    assert links() == ["2024", "2025", "2026"]


@pytest.mark.django_db
def test_dates_lead_down_and_back_up() -> None:
    dated(AT, AT - timedelta(days=400))
    assert links(year="2026") == [f"2026,{month}" for month in range(1, 12)]
    assert links(year="2026", month="11")[-1] == "2026,11,20"
    assert links(year="2026", month="11", day="20") == [None]
    month = tags.quick_date_hierarchy(List(year="2026", month="11"))
    assert month["back"]["link"] == "2026"
    assert links(year="nonsense") == ["2025", "2026"]
