"""Quick instances are what the model itself would make."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import models

from runs.engine.instances import clone, fresh
from runs.models import DeliveryAttempt, Run, StepRun


def attributes(row: models.Model) -> dict[str, Any]:
    """All but the state, database defaults by their kind."""
    own = {name: value for name, value in vars(row).items() if name != "_state"}
    return {
        name: type(value) if isinstance(value, models.Expression) else value
        for name, value in own.items()
    }


@pytest.mark.parametrize("model", [StepRun, DeliveryAttempt])
def test_a_fresh_row_is_what_the_model_makes(model: type[models.Model]) -> None:
    values = {"run_id": uuid4()}
    quick, slow = fresh(model, **values), model(**values)

    assert attributes(quick) == attributes(slow)
    assert (quick._state.adding, quick._state.db) == (True, None)
    assert quick._state.fields_cache == slow._state.fields_cache == {}


def test_defaults_that_can_be_changed_are_not_shared() -> None:
    first, second = fresh(Run), fresh(Run)
    first.headers["a"] = "b"
    first.start.append("c")

    assert (second.headers, second.start) == ({}, [])
    assert first.pk != second.pk


def test_a_name_that_is_no_column_is_refused() -> None:
    with pytest.raises(TypeError, match="StepRun has no column nodeid"):
        fresh(StepRun, nodeid="a")


def test_a_clone_changes_nothing_of_its_original() -> None:
    run = Run()
    row = StepRun(run=run, node_id="a", status="running")
    row._state.db = "default"
    copied = clone(row)
    copied.status, copied.run_id = "failed", uuid4()
    copied.run = Run()
    copied._state.adding = False

    assert (row.status, row.run_id, row.run) == ("running", run.pk, run)
    assert row._state.adding
    assert clone(row).run is run
    assert clone(row)._state.db == "default"
