import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import automate.lib.ids


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0006_audit_team'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='email_is_proven',
            field=models.BooleanField(db_default=True, default=True, editable=False),
        ),
        migrations.CreateModel(
            name='SignIn',
            fields=[
                ('id', models.UUIDField(default=automate.lib.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('password_stamp', models.CharField(editable=False, max_length=64)),
                ('with_second_factor', models.BooleanField(default=False, editable=False)),
                ('generation', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('refreshed_at', models.DateTimeField(editable=False, null=True)),
                ('expires_at', models.DateTimeField(editable=False)),
                ('ended_at', models.DateTimeField(editable=False, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sign_ins', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'sign-in',
                'default_permissions': (),
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('created_at'))), name='sign_in_ends_later'),
                    models.CheckConstraint(condition=models.Q(('generation__gte', 1)), name='sign_in_generation_from_one'),
                ],
            },
        ),
    ]
