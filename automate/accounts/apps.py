"""The accounts app: people, teams, keys, and what they changed."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "automate.accounts"
    label = "accounts"
    verbose_name = "People and access"
