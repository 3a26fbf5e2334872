"""The runtime account's grants, from the models: one statement a table, none on a schema."""

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.db import models

# Tables of packages that have no model of ours. What is in neither list the application may not touch.
FOREIGN_TABLES: dict[str, dict[str, tuple[str, ...]]] = {
    "django_migrations": {"SELECT": ()},
    "axes_accessattempt": {"SELECT": (), "INSERT": (), "UPDATE": (), "DELETE": ()},
    # Never written; deleting an attempt looks into it.
    "axes_accessattemptexpiration": {"SELECT": (), "DELETE": ()},
}
NOT_USED = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "axes_accessfailurelog",
    "axes_accesslog",
    "django_content_type",
}


class Ungranted(LookupError):
    """A model says nothing about what the application may do with its table."""


def grants(account: str, host: str) -> Iterator[str]:
    wanted = {table: rights for model in apps.get_models(include_auto_created=True) for table, rights in _of(model)}
    wanted |= {_quoted(table): rights for table, rights in FOREIGN_TABLES.items()}
    for table, rights in sorted(wanted.items()):
        listed = ", ".join(f"{right} ({_columns(columns)})" if columns else right for right, columns in rights.items())
        yield f"GRANT {listed} ON {table} TO '{account}'@'{host}'"


def _of(model: type[models.Model]) -> Iterator[tuple[str, dict[str, tuple[str, ...]]]]:
    table = model._meta.db_table
    if table in NOT_USED or table in FOREIGN_TABLES:
        return
    if "runtime_grants" not in vars(model):
        raise Ungranted(f"{model._meta.label} has no `runtime_grants`: say what the application may do with its table.")
    yield _quoted(table), vars(model)["runtime_grants"]


def _quoted(table: str) -> str:
    """`schema`.`table`; an audit table's name brings its schema along."""
    return f"`{table}`" if "`.`" in table else f"`{settings.DATABASES['default']['NAME']}`.`{table}`"


def _columns(columns: tuple[str, ...]) -> str:
    return ", ".join(f"`{column}`" for column in columns)
