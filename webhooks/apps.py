"""The webhooks app: the edge, bytes in."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks"
    verbose_name = "Webhooks"

    def ready(self) -> None:
        """Tell `runs` what the edge knows of how a run's event was let in."""
        from webhooks import explain  # noqa: F401 - registers itself
