"""A purpose id is for ever: changed, reused and unregistered ones are refused before anything runs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, register
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

from casemate.keyring.fields import EncryptedTextField
from casemate.keyring.purposes import PURPOSES, RETIRED


@register("keyring")
def purposes_are_fixed(**_options: Any) -> list[CheckMessage]:
    return [*registered(_fields(), PURPOSES, RETIRED), *unchanged(_history())]


def _fields() -> Iterator[EncryptedTextField]:
    for model in apps.get_models():
        yield from (field for field in model._meta.local_fields if isinstance(field, EncryptedTextField))


def registered(
    fields: Iterable[EncryptedTextField], purposes: Mapping[str, str], retired: frozenset[str]
) -> Iterator[CheckMessage]:
    """Registry and models agree, and each row has an id before it is saved, since the id seals its values."""
    seen: dict[str, str] = {}
    for field in fields:
        label = f"{field.model._meta.label}.{field.name}"
        if field.purpose in retired:
            yield Error(f"The purpose {field.purpose} is retired and never used again.", obj=field, id="keyring.E001")
        elif field.purpose in seen:
            yield Error(f"{seen[field.purpose]} has the purpose {field.purpose} too.", obj=field, id="keyring.E002")
        elif purposes.get(field.purpose) != label:
            yield Error(
                f"The purpose {field.purpose} is not registered for {label}.",
                hint="Add a new field to casemate/keyring/purposes.py; a field's purpose never changes.",
                obj=field,
                id="keyring.E003",
            )
        if not field.model._meta.pk.has_default() or not hasattr(field.model, "encryption_scope"):
            yield Error(
                "A model with an encrypted field needs a primary key with a default, and `encryption_scope`.",
                obj=field,
                id="keyring.E004",
            )
        seen[field.purpose] = label
    for purpose in purposes.keys() - seen.keys():
        yield Error(f"No field has the purpose {purpose}: move it to RETIRED.", id="keyring.E005")


def _history() -> Iterator[migrations.Migration]:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    ours = {config.label for config in apps.get_app_configs()}
    yield from (loader.disk_migrations[key] for key in sorted(loader.disk_migrations) if key[0] in ours)


def unchanged(history: Iterable[migrations.Migration]) -> Iterator[CheckMessage]:
    """No field ever had two purposes: values sealed with the first could not be opened any more."""
    purposes: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for migration in history:
        for model_name, field_name, field in _written(migration):
            if isinstance(field, EncryptedTextField):
                purposes[migration.app_label, model_name.lower(), field_name].add(field.purpose)
    for (app, model_name, field_name), found in purposes.items():
        if len(found) > 1:
            yield Error(
                f"{app}.{model_name}.{field_name} changes its purpose in a migration ({', '.join(sorted(found))}).",
                hint="Put the first one back: existing values are sealed with it.",
                id="keyring.E006",
            )


def _written(migration: migrations.Migration) -> "Iterator[tuple[str, str, models.Field[Any, Any]]]":
    for operation in migration.operations:
        if isinstance(operation, migrations.CreateModel):
            yield from ((operation.name, name, field) for name, field in operation.fields)
        elif isinstance(operation, migrations.AddField | migrations.AlterField):
            yield operation.model_name, operation.name, operation.field
