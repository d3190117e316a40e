"""The runs app: what happened, and making it happen."""

from django.apps import AppConfig

from automate.lib import payloads


class RunsConfig(AppConfig):
    name = "runs"
    verbose_name = "Runs"

    def ready(self) -> None:
        """The database becomes known as a payload store; lib imports no app."""
        from runs.payloads import DatabaseStore

        def make(url: str) -> payloads.PayloadStore:
            if url != DatabaseStore.kind:
                raise ValueError("database takes no address")
            return DatabaseStore()

        payloads.register(DatabaseStore.kind, make)
