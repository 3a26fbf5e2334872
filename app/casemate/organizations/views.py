import uuid
from collections.abc import Callable

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from casemate.accounts.assurance import Assurance
from casemate.accounts.factors import suspended_until
from casemate.accounts.gate import fresh
from casemate.organizations import navigation, services
from casemate.organizations.access import OrganizationRequest, permission, require
from casemate.organizations.forms import EndForm, RoleForm
from casemate.tenancy.models import Membership
from casemate.tenancy.permissions import Permission, Role, allows

form_page = require_http_methods(["GET", "HEAD", "POST"])


@permission(Permission.ORGANIZATION_VIEW)
@require_safe
def start(request: OrganizationRequest) -> HttpResponse:
    """On to the first place that the member may open."""
    places = navigation.open_to(request.membership)
    return redirect(places[0].name, organization=request.organization.slug) if places else redirect("profile")


@permission(Permission.MEMBERS_VIEW)
@require_safe
def members(request: OrganizationRequest) -> HttpResponse:
    people = request.organization.memberships.select_related("user").order_by("user__email")
    role = request.membership.role
    rows = [(person, may_change(role, person), suspended_until(person, person.user)) for person in people]
    return render(request, "organizations/members.html", {"rows": rows})


@permission(Permission.MEMBERS_CHANGE)
@form_page
@fresh
def member(request: OrganizationRequest, member_id: uuid.UUID) -> HttpResponse:
    subject = subject_of(request, member_id)
    roles = Role if allows(request.membership.role, Permission.OWNERS_CHANGE) else set(Role) - {Role.OWNER}
    form = RoleForm(request.POST or None, roles=roles, initial={"role": subject.role})
    if form.is_valid() and done(
        form,
        lambda: services.change_role(
            membership=request.membership,
            assurance=Assurance.of(request),
            member_id=member_id,
            role=form.cleaned_data["role"],
        ),
    ):
        # Who took the right from themselves may open the members' page no more.
        onward = "organization" if subject.pk == request.membership.pk else "members"
        return redirect(onward, organization=request.organization.slug)
    context = {
        "subject": subject,
        "form": form,
        "suspended": suspended_until(subject, subject.user),
        "may_confirm": may_confirm(request, subject),
    }
    return render(request, "organizations/member.html", context)


@permission(Permission.OWNERS_CHANGE)
@form_page
@fresh
def member_confirm(request: OrganizationRequest, member_id: uuid.UUID) -> HttpResponse:
    """Asks whether somebody whose second factor was reset is who they say; POST lets them reveal again."""
    subject = subject_of(request, member_id)
    form = EndForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and done(
        form,
        lambda: services.confirm_revealing(
            membership=request.membership, assurance=Assurance.of(request), member_id=member_id
        ),
    ):
        return redirect("members", organization=request.organization.slug)
    context = {"subject": subject, "form": form, "suspended": suspended_until(subject, subject.user)}
    return render(request, "organizations/member_confirm.html", context)


@permission(Permission.MEMBERS_CHANGE)
@form_page
@fresh
def member_end(request: OrganizationRequest, member_id: uuid.UUID) -> HttpResponse:
    subject = subject_of(request, member_id)
    form = EndForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and done(
        form,
        lambda: services.end_membership(
            membership=request.membership, assurance=Assurance.of(request), member_id=member_id
        ),
    ):
        own = subject.pk == request.membership.pk
        return redirect("profile") if own else redirect("members", organization=request.organization.slug)
    return render(request, "organizations/member_end.html", {"subject": subject, "form": form})


def done(form: forms.Form, change: Callable[[], object]) -> bool:
    """Whether the change was made; if not, the form says why."""
    try:
        change()
    except services.NotDone as reason:
        form.add_error(None, str(reason))
        return False
    except services.NoSuchMember:
        raise Http404 from None
    return True


def subject_of(request: OrganizationRequest, member_id: uuid.UUID) -> Membership:
    subject = request.organization.memberships.select_related("user").filter(pk=member_id).first()
    if subject is None:
        raise Http404
    if subject.role == Role.OWNER:
        require(request.membership, Permission.OWNERS_CHANGE)
    return subject


def may_change(role: str, subject: Membership) -> bool:
    needed = Permission.OWNERS_CHANGE if subject.role == Role.OWNER else Permission.MEMBERS_CHANGE
    return allows(role, needed)


def may_confirm(request: OrganizationRequest, subject: Membership) -> bool:
    return subject.pk != request.membership.pk and allows(request.membership.role, Permission.OWNERS_CHANGE)
