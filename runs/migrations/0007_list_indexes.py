"""Lists by trigger and by search key stay fast over a long history."""

from typing import Any

from django.db import migrations, models


def index_search_keys(apps: Any, schema_editor: Any) -> None:
    """`search_keys @> {...}`; runs without any, which are most, cost nothing."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "CREATE INDEX run_search_keys ON runs_run "
            "USING gin (search_keys jsonb_path_ops) WHERE NOT search_keys = '{}'"
        )


def forget_search_keys(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX run_search_keys")


class Migration(migrations.Migration):
    dependencies = [("runs", "0006_run_hidden")]
    operations = [
        migrations.RemoveIndex(model_name="run", name="run_trigger"),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("trigger__isnull", False)),
                fields=["trigger", "-id"],
                name="run_of_trigger",
            ),
        ),
        migrations.RunPython(index_search_keys, forget_search_keys),
    ]
