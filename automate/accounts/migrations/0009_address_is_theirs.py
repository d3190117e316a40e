from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0008_identity'),
    ]

    operations = [
        migrations.AlterField(
            model_name='user',
            name='email_is_proven',
            field=models.BooleanField(db_default=True, default=True, help_text="Unset for people who registered themselves: an address is anybody's to type. An identity provider signs nobody in to such an account.", verbose_name='address is theirs'),
        ),
    ]
