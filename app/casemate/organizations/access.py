"""Who may open what of an organisation: its address names it, the membership opens it, the role decides the rest."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any

from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase

from casemate import limiter
from casemate.accounts.assurance import Assurance
from casemate.audit.actions import Action
from casemate.audit.models import INSTALLATION
from casemate.audit.origin import Target
from casemate.audit.services import committed, record
from casemate.audit.text import visible
from casemate.errors import forbidden
from casemate.tenancy.binding import bind
from casemate.tenancy.models import Membership, Organization
from casemate.tenancy.permissions import Permission, allows


class OrganizationRequest(HttpRequest):
    """What a view under /o/<organization>/ is called with."""

    organization: Organization
    membership: Membership


class Refused(PermissionDenied):
    """The member's role does not allow it: 403, and an event on the organisation's stream."""

    def __init__(self, permission: Permission) -> None:
        super().__init__(f"This needs the right {permission.value}.")
        self.permission = permission


def require(membership: Membership, permission: Permission) -> None:
    """For services: raise Refused unless the member may."""
    if not allows(membership.role, permission):
        raise Refused(permission)


def permission[V: Callable[..., HttpResponseBase]](needed: Permission) -> Callable[[V], V]:
    """Mark a view under /o/<organization>/ with what it needs. One without a mark is never called."""

    def mark(view: V) -> V:
        view.permission = needed  # type: ignore[attr-defined]
        return view

    return mark


def operators_only(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """For the installation's own pages, which are under no organisation."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        assurance = Assurance.of(request)
        if assurance.user.is_operator:
            return view(request, *args, **kwargs)
        if times := worth_telling("operators-only", assurance):
            note_no_operator(assurance=assurance, times=times)
        raise PermissionDenied

    return guarded


def worth_telling(scope: str, assurance: Assurance) -> int:
    """How often this person was refused from this address within a minute, where that is worth an event."""
    return limiter.worth_telling(scope, f"{assurance.user.pk} {assurance.origin.ip}")


class OrganizationAccess:
    """Turn the slug of the address into `request.organization` and `request.membership`, bound for the view.

    It takes the slug out of the view's arguments: a view that was reached round this middleware cannot even be called.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with ExitStack() as until_answered:
            request.until_answered = until_answered  # type: ignore[attr-defined]
            return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        if "organization" not in kwargs:
            return None
        needed = getattr(view, "permission", None)
        if not isinstance(needed, Permission):
            raise ImproperlyConfigured(f"{view.__name__} is under /o/ and says no @permission.")
        slug, assurance = kwargs.pop("organization"), Assurance.of(request)
        membership = (
            Membership.objects.select_related("organization")
            .filter(user=assurance.user, organization__slug=slug)
            .first()
        )
        if membership is None:
            if times := worth_telling("strangers", assurance):
                note_stranger(assurance=assurance, slug=slug, times=times)
            raise Http404
        request.organization, request.membership = membership.organization, membership  # type: ignore[attr-defined]
        if not allows(membership.role, needed):
            return self._refuse(request, needed)
        request.until_answered.enter_context(bind(membership.organization))  # type: ignore[attr-defined]
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        return self._refuse(request, exception.permission) if isinstance(exception, Refused) else None

    @staticmethod
    def _refuse(request: HttpRequest, needed: Permission) -> HttpResponseBase:
        membership: Membership = request.membership  # type: ignore[attr-defined]
        assurance = Assurance.of(request)
        # Each right by itself: whoever was refused a page is told of again when they are refused an action.
        if times := worth_telling(f"{membership.pk} {needed.value}", assurance):
            note_refusal(assurance=assurance, membership=membership, needed=needed, times=times)
        return forbidden(request)


@committed
def note_stranger(*, assurance: Assurance, slug: str, times: int) -> None:
    """On the installation's stream: strangers write nothing into an organisation's own."""
    record(
        Action.ORGANIZATION_UNKNOWN,
        actor=assurance.actor,
        origin=assurance.origin,
        target=Target("organization", label=visible(slug, 50)),
        success=False,
        detail={"times": times},
        stream=INSTALLATION,
    )


@committed
def note_no_operator(*, assurance: Assurance, times: int) -> None:
    record(
        Action.ACCESS_REFUSED,
        actor=assurance.actor,
        origin=assurance.origin,
        target=Target("installation", label="the installation's own pages"),
        success=False,
        detail={"right": "operator", "times": times},
        stream=INSTALLATION,
    )


@committed
def note_refusal(*, assurance: Assurance, membership: Membership, needed: Permission, times: int) -> None:
    record(
        Action.ACCESS_REFUSED,
        actor=assurance.actor,
        origin=assurance.origin,
        target=Target("organization", str(membership.organization_id), membership.organization.name),
        success=False,
        detail={"right": needed.value, "role": membership.role, "times": times},
        stream=str(membership.organization_id),
    )
