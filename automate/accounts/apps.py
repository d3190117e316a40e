"""The accounts app: people, teams, keys, and what they changed."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "automate.accounts"
    label = "accounts"
    verbose_name = "People and access"

    def ready(self) -> None:
        """Roles follow the permissions that `migrate` makes."""
        from automate.accounts import roles

        post_migrate.connect(roles.after_migrate, dispatch_uid="accounts.roles")
