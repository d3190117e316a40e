"""The groups Administrator, Developer, Operator and Viewer.

On an empty database there are no permissions yet: they are given as they are made,
after the migrations (`automate.accounts.roles.after_migrate`).
"""

from typing import Any

from django.db import migrations

from automate.accounts import roles


def make(apps: Any, schema_editor: Any) -> None:
    roles.make_groups(apps, schema_editor.connection.alias)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
