"""GET /api/v1/runs/{id}/explain."""

from __future__ import annotations

import pytest

from tests.makers import make_run, make_step
from tests.runs.api.conftest import Ask

pytestmark = pytest.mark.django_db


def test_it_says_what_the_command_says(ask: Ask) -> None:
    run = make_run(
        payload={"total": 150}, status="failed", error_message="the receiver is gone"
    )
    make_step(run, "notify", status="failed", error_message="answered 410")
    told = ask(f"runs/{run.pk}/explain").json()
    assert set(told) == {"about", "id", "subject", "answer", "parts"}
    assert (told["about"], told["id"]) == ("run", str(run.pk))
    titles = [part["title"] for part in told["parts"]]
    assert titles == ["Why it ran", "How it ended", "Steps that did not run"]
    (failed,) = told["parts"][2]["findings"]
    assert failed["by"] == "notify"
    assert failed["why"] == "Failed: answered 410"
