from django.db import migrations

import automate.lib.encryption


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0005_unknown_outcomes'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='hidden',
            field=automate.lib.encryption.EncryptedJSONField(
                editable=False,
                help_text='What its child runs must not show, whatever they call it.',
                null=True,
            ),
        ),
    ]
