from django.db import migrations, models


class Migration(migrations.Migration):
    """When somebody's second factor was taken away last."""

    dependencies = [("accounts", "0002_backup_codes")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="second_factor_reset_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
