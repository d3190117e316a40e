"""Log lines: what the engine and the `log` step said."""

from __future__ import annotations

from django.contrib import admin

from automate.accounts.admin.html import block, pill, pretty, when
from runs.admin.history import HistoryAdmin
from runs.models import RunLog


class RunLogAdmin(HistoryAdmin):
    """Lines of all runs, newest first."""

    list_display = ("said", "level_pill", "short_message", "node_id", "run_page")
    list_display_links = ("said",)
    list_filter = ("level",)
    text_fields = ("node_id",)
    search_help_text = "A run's id (8 digits or more of it), or a step's id."
    fields = ("run_page", "at", "level_pill", "node_id", "message", "details")

    said = when("at", "at")

    @admin.display(description="level")
    def level_pill(self, line: RunLog) -> str:
        """The level as a pill."""
        return pill(line.level)

    @admin.display(description="message")
    def short_message(self, line: RunLog) -> str:
        """The message, cut to what fits a list."""
        return line.message if len(line.message) <= 120 else f"{line.message[:119]}…"

    @admin.display(description="metadata")
    def details(self, line: RunLog) -> str:
        """What was said besides the message."""
        return block(pretty(line.metadata)) if line.metadata else "–"  # noqa: RUF001
