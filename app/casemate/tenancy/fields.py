"""A foreign key between rows of tenants that the database itself keeps inside one organisation."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models.constraints import BaseConstraint


class SameTenant(BaseConstraint):
    """`(organization_id, <field>_id)` must exist as `(organization_id, id)` in the table that the field points at.

    MariaDB refuses a reference into another organisation whatever wrote it: save(), update(), bulk_create(), raw SQL.
    """

    def __init__(self, *, field: str, name: str) -> None:
        super().__init__(name=name)
        self.field = field

    def constraint_sql(self, model: Any, schema_editor: Any) -> str:
        # Not within CREATE TABLE: the unique key that it refers to may come later in the same migration.
        schema_editor.deferred_sql.append(self._add(model, schema_editor.quote_name))
        return ""

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        return self.constraint_sql(model, schema_editor)

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        quote = schema_editor.quote_name
        return f"ALTER TABLE {quote(model._meta.db_table)} DROP FOREIGN KEY {quote(self.name)}"

    def _add(self, model: type[models.Model], quote: Callable[[str], str]) -> str:
        field: Any = model._meta.get_field(self.field)
        own = f"{quote('organization_id')}, {quote(field.column)}"
        others = f"{quote(field.related_model._meta.db_table)} ({quote('organization_id')}, {quote('id')})"
        table = quote(model._meta.db_table)
        return f"ALTER TABLE {table} ADD CONSTRAINT {quote(self.name)} FOREIGN KEY ({own}) REFERENCES {others}"

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """Nothing here: the field validates through the tenant's manager, and the database refuses the rest."""

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "field": self.field}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SameTenant) and (self.name, self.field) == (other.name, other.field)

    def __hash__(self) -> int:
        return hash((self.name, self.field))


class TenantForeignKey(models.ForeignKey):  # type: ignore[type-arg]
    """A ForeignKey from one tenant model to another; brings its SameTenant constraint along."""

    def __init__(self, to: Any, on_delete: Any, **kwargs: Any) -> None:
        # The composite constraint covers what the simple one would.
        super().__init__(to, on_delete, **{**kwargs, "db_constraint": False})

    def contribute_to_class(self, cls: type[models.Model], name: str, *args: Any, **kwargs: Any) -> None:
        super().contribute_to_class(cls, name, *args, **kwargs)
        if cls._meta.abstract or cls.__module__ == "__fake__":
            return
        constraint = SameTenant(field=name, name=f"{cls._meta.app_label}_{cls._meta.model_name}_{name}_tenant"[:64])
        cls._meta.constraints = [*cls._meta.constraints, constraint]
        # makemigrations looks only at options that the model's Meta named.
        cls._meta.original_attrs["constraints"] = cls._meta.constraints

    def deconstruct(self) -> Any:
        """In migrations it is a plain ForeignKey: there the constraint stands beside it, by name."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.ForeignKey", args, kwargs


def same_tenant_constraint(model: type[models.Model], field_name: str) -> SameTenant | None:
    try:
        model._meta.get_field(field_name)
    except FieldDoesNotExist:
        return None
    found = (c for c in model._meta.constraints if isinstance(c, SameTenant) and c.field == field_name)
    return next(found, None)
