"""The rules of tenancy that a model could break by accident, looked at by `check` before anything runs."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, register
from django.db import models

from casemate.tenancy.fields import TenantForeignKey, same_tenant_constraint
from casemate.tenancy.models import TenantManager, TenantModel


@register("tenancy")
def tenant_models_keep_inside_their_tenant(
    app_configs: Sequence[AppConfig] | None, **_options: Any
) -> list[CheckMessage]:
    chosen = app_configs if app_configs is not None else apps.get_app_configs()
    return [
        message
        for config in chosen
        for model in config.get_models()
        if issubclass(model, TenantModel)
        for message in examine(model)
    ]


def examine(model: type[TenantModel]) -> Iterator[CheckMessage]:
    options = model._meta
    if not isinstance(model._base_manager, TenantManager) or not all(
        isinstance(manager, TenantManager) for manager in options.managers
    ):
        yield Error("A tenant model has only TenantManagers, its base manager too.", obj=model, id="tenancy.E001")
    if not any(
        isinstance(c, models.UniqueConstraint) and tuple(c.fields) == ("organization", "id")
        for c in options.constraints
    ):
        yield Error(
            "The unique key (organization, id) is missing.",
            hint="Write `class Meta(TenantModel.Meta)` and extend its constraints.",
            obj=model,
            id="tenancy.E002",
        )
    for field in options.get_fields():
        if isinstance(field, models.ManyToManyField) and field.model is model:
            yield Error("A tenant model has no ManyToManyField: write the table between.", obj=field, id="tenancy.E003")
        if not isinstance(field, models.ForeignKey) or not _is_tenant(field.related_model):
            continue
        if not isinstance(field, TenantForeignKey) or same_tenant_constraint(model, field.name) is None:
            yield Error(
                "A reference between tenant models must be a TenantForeignKey with its constraint.",
                obj=field,
                id="tenancy.E004",
            )


def _is_tenant(target: Any) -> bool:
    return isinstance(target, type) and issubclass(target, TenantModel)
