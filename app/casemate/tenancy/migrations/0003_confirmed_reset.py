from django.db import migrations, models


class Migration(migrations.Migration):
    """Which reset of a member's second factor an owner has confirmed."""

    dependencies = [("tenancy", "0002_organization_slug_bytes")]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="confirmed_reset_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
