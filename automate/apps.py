"""The project as an app: its checks, its commands, and what is wired at the start."""

from __future__ import annotations

from django.apps import AppConfig


class AutomateConfig(AppConfig):
    name = "automate"
    verbose_name = "Automate"

    def ready(self) -> None:
        """Register the system checks and what a purge knows besides runs."""
        import automate.checks
        import automate.maintenance  # noqa: F401
        import webhooks.maintenance  # noqa: F401
