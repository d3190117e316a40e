"""Workflows by the name that somebody typed."""

from __future__ import annotations

import uuid

import pytest

from tests.makers import make_workflow
from workflows.models import Workflow
from workflows.services import naming

pytestmark = pytest.mark.django_db


def near(name: str) -> list[str]:
    return naming.near(Workflow.objects.all(), name)


def test_by_id_and_by_slug() -> None:
    flow = make_workflow(slug="orders")
    make_workflow(slug="refunds")
    for name in ("orders", str(flow.pk), str(flow.pk).upper()):
        assert naming.named(Workflow.objects.all(), name).get() == flow
    for name in ("Orders", str(uuid.uuid4()), "", "order"):
        assert not naming.named(Workflow.objects.all(), name).exists()


def test_the_nearest_come_first_by_slug_or_name() -> None:
    for slug, name in (
        ("orders", "Order intake"), ("orders-eu", "European orders"), ("books", "B"),
    ):  # fmt: skip
        make_workflow(slug=slug, name=name)
    assert near("ordres")[0] == "orders"
    assert near("Order Intake") == ["orders"]
    assert near("european")[0] == "orders-eu"
    assert near("zzz") == []
    assert near("") == near("o") == []


def test_three_at_most_are_named() -> None:
    for number in range(9):
        make_workflow(slug=f"orders-{number}", name="x")
    assert len(near("orders")) == 3


def test_the_sentence() -> None:
    make_workflow(slug="orders", name="x")
    rows = Workflow.objects.all()
    assert naming.unknown(rows, "zzz") == 'There is no workflow "zzz".'
    one = 'There is no workflow "ordrs". Did you mean orders?'
    assert naming.unknown(rows, "ordrs") == one
    make_workflow(slug="orders-eu", name="y")
    assert naming.unknown(rows, "orders-e").endswith("mean orders-eu or orders?")
    assert naming.unknown(Workflow.objects.none(), "ordrs").endswith('"ordrs".')
    assert len(naming.unknown(rows, "x" * 5000)) < 100
