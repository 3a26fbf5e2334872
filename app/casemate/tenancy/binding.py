"""Which organisation the work at hand is for. There is no "all of them": such work binds one after the other."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class NoTenantBound(RuntimeError):
    """A tenant's rows were asked for while no organisation was bound."""


class WrongTenant(RuntimeError):
    """A row of one organisation was to be written while another one was bound."""


class Bindable(Protocol):
    @property
    def pk(self) -> uuid.UUID: ...


_bound: ContextVar[uuid.UUID | None] = ContextVar("bound_organization", default=None)


@contextmanager
def bind(organization: Bindable) -> Iterator[None]:
    """Bind a saved organisation for the length of a `with` block; blocks may nest."""
    if not isinstance(organization.pk, uuid.UUID):
        raise TypeError("Only an organisation can be bound.")
    token = _bound.set(organization.pk)
    try:
        yield
    finally:
        _bound.reset(token)


def bound_organization_id() -> uuid.UUID:
    organization_id = _bound.get()
    if organization_id is None:
        raise NoTenantBound("No organisation is bound: wrap the work in `with bind(organization):`.")
    return organization_id
