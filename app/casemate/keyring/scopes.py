"""Whose secrets a key opens: one organisation's, or the installation's own."""

from dataclasses import dataclass
from typing import Self

from casemate.tenancy.models import Organization


@dataclass(frozen=True)
class Scope:
    name: str

    @classmethod
    def of(cls, organization: Organization) -> Self:
        return cls(f"organization:{organization.pk}")

    def __str__(self) -> str:
        return self.name


# TOTP seeds and the like. It is no organisation, so it can never be bound as a tenant.
INSTALLATION = Scope("installation")
