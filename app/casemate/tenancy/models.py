import uuid
from collections.abc import Collection, Iterable
from typing import Any, ClassVar, NoReturn, Self

from django.conf import settings
from django.db import models

from casemate.tenancy.binding import WrongTenant, bound_organization_id
from casemate.tenancy.permissions import Role


class Organization(models.Model):
    # What the running application may do with a table; `grants --sql` reads it.
    runtime_grants: ClassVar = {"SELECT": (), "INSERT": ()}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Byte by byte: /o/ACME/ and /o/acmé/ are other addresses than /o/acme/, not other names of it.
    slug = models.SlugField(max_length=50, unique=True, db_collation="utf8mb4_bin")
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """Who belongs where, as what. Read before anything is bound, so it is no TenantModel."""

    runtime_grants: ClassVar = {"SELECT": (), "INSERT": (), "UPDATE": ("role", "confirmed_reset_at"), "DELETE": ()}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)
    # The reset of the person's second factor that an owner has confirmed, by its time: a later one is not confirmed.
    confirmed_reset_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("organization", "user"), name="one_membership_a_person"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        )

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role} of {self.organization_id}"


class TenantQuerySet[M: "TenantModel"](models.QuerySet[M]):
    """Rows of the bound organisation; what would write or read past it is refused."""

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        rows = list(objs)
        for row in rows:
            row.adopt()
        return super().bulk_create(rows, *args, **kwargs)

    def update(self, **values: Any) -> int:
        if values.keys() & {"organization", "organization_id"}:
            raise WrongTenant("A row never moves to another organisation.")
        return super().update(**values)

    def raw(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise WrongTenant("Raw SQL does not know the bound organisation; use the query set.")


class TenantManager[M: "TenantModel"](models.Manager[M]):
    """Also each tenant model's base manager: relations, refresh_from_db() and deletes take the same road."""

    def get_queryset(self) -> TenantQuerySet[M]:
        return TenantQuerySet(self.model, using=self._db).filter(organization_id=bound_organization_id())


class TenantModel(models.Model):
    """A row of one organisation."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", editable=False)

    objects = TenantManager[Self]()

    class Meta:
        abstract = True
        base_manager_name = "objects"
        constraints = (
            # What SameTenant constraints of other tables refer to.
            models.UniqueConstraint(fields=("organization", "id"), name="%(app_label)s_%(class)s_tenant"),
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.adopt()
        super().save(*args, **kwargs)

    def delete(self, using: Any = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Through the manager: a row put together by hand with another tenant's id deletes nothing."""
        self.adopt()
        return type(self)._base_manager.filter(pk=self.pk).delete()

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        self.adopt()
        super().validate_constraints(exclude=exclude)

    def adopt(self) -> None:
        """Belong to the bound organisation, or raise WrongTenant if this row is another's."""
        bound = bound_organization_id()
        if self.organization_id is None:
            self.organization_id = bound
        elif self.organization_id != bound:
            raise WrongTenant(f"This {self._meta.verbose_name} belongs to another organisation than the bound one.")
