from django.db import migrations, models


class Migration(migrations.Migration):
    """Slugs are compared byte by byte: no collation makes two addresses one organisation."""

    dependencies = [("tenancy", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="organization",
            name="slug",
            field=models.SlugField(db_collation="utf8mb4_bin", unique=True),
        ),
    ]
