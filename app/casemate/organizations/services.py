"""The verbs of organisations. Each is one transaction, and its audit event commits with it."""

import re
import uuid

from django.db import IntegrityError, transaction

from casemate.accounts.assurance import Assurance
from casemate.accounts.factors import suspended_until
from casemate.accounts.models import User
from casemate.accounts.services import new_link, person_with
from casemate.audit.actions import Action
from casemate.audit.origin import TERMINAL, Origin, Target
from casemate.audit.services import begin_stream, committed, record
from casemate.organizations.access import Refused, require
from casemate.tenancy.models import Membership, Organization
from casemate.tenancy.permissions import Permission, Role, allows

LONGEST_NAME, LONGEST_SLUG = 120, 50
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class NotDone(Exception):
    """What was asked for cannot be; the text says why, and what to do."""


@committed
def create_organization(*, name: str, slug: str, owner: str) -> tuple[Organization, str | None]:
    """Make an organisation with its audit stream and first owner. The second value is the owner's enrolment link's
    token, or None for someone who is enrolled."""
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise NotDone(f"The name of an organisation has 1 to {LONGEST_NAME} characters that can be seen.")
    if not SLUG.fullmatch(slug) or len(slug) > LONGEST_SLUG:
        raise NotDone(
            f"{slug!r} cannot stand in an address: give --slug up to {LONGEST_SLUG} small letters and digits, with"
            " single hyphens between them, as in acme-north."
        )
    try:
        with transaction.atomic():
            organization = Organization.objects.create(name=name, slug=slug)
    except IntegrityError:
        raise NotDone(f"There is an organisation at /o/{slug}/ already: choose another --slug.") from None
    begin_stream(str(organization.pk))
    user, token = _person(owner)
    Membership.objects.create(organization=organization, user=user, role=Role.OWNER)
    record(
        Action.ORGANIZATION_CREATED,
        actor=TERMINAL,
        origin=Origin(),
        target=Target("organization", str(organization.pk), organization.name),
        success=True,
        detail={"slug": slug},
        stream=str(organization.pk),
    )
    _record_member(Action.MEMBER_ADDED, organization, user, {"role": Role.OWNER.value})
    return organization, token


@committed
def add_member(*, slug: str, email: str, role: str) -> tuple[Membership, str | None]:
    """Make someone a member, from the host's terminal; the person too where there is none. Token as above."""
    organization = Organization.objects.filter(slug=slug).first()
    if organization is None:
        raise NotDone(f"There is no organisation {slug!r}: `casemate create_organization` makes one.")
    if role not in Role.values:
        raise NotDone(f"{role!r} is no role: choose one of {', '.join(Role.values)}.")
    user, token = _person(email)
    membership, made = Membership.objects.get_or_create(organization=organization, user=user, defaults={"role": role})
    if not made:
        raise NotDone(
            f"{user.email} is a member of {organization.name} already, as {membership.role}: an owner changes that on"
            " the page Members."
        )
    _record_member(Action.MEMBER_ADDED, organization, user, {"role": role})
    return membership, token


@committed
def change_role(*, membership: Membership, assurance: Assurance, member_id: uuid.UUID, role: str) -> Membership:
    """Give another member, or oneself, another role. Only an owner makes or unmakes an owner; one always stays."""
    acting, subject = _both(membership, assurance, member_id)
    if role not in Role.values:
        raise NotDone("Choose one of the roles that are listed.")
    before = subject.role
    if role == before:
        return subject
    _keep_an_owner(acting, subject, becomes=role)
    subject.role = role
    subject.save(update_fields=["role"])
    _record_change(Action.MEMBER_ROLE_CHANGED, assurance, subject, {"before": before, "role": role})
    return subject


@committed
def end_membership(*, membership: Membership, assurance: Assurance, member_id: uuid.UUID) -> Membership:
    """From now on no request of theirs opens the organisation; their sessions, and other organisations, stay."""
    acting, subject = _both(membership, assurance, member_id)
    _keep_an_owner(acting, subject, becomes="")
    subject.delete()
    _record_change(Action.MEMBER_ENDED, assurance, subject, {"role": subject.role})
    return subject


@committed
def confirm_revealing(*, membership: Membership, assurance: Assurance, member_id: uuid.UUID) -> Membership:
    """An owner says of another member that the reset of their second factor was their own wish: they reveal again."""
    acting, subject = _both(membership, assurance, member_id)
    require(acting, Permission.OWNERS_CHANGE)
    if subject.pk == acting.pk:
        raise NotDone("Nobody confirms themselves: ask another owner, or wait until the 24 hours are over.")
    if suspended_until(acting, acting.user) is not None:
        raise NotDone("Your own second factor was reset within the last 24 hours: until then you confirm nobody.")
    if suspended_until(subject, subject.user) is None:
        raise NotDone("There is nothing to confirm: this member reveals what their role allows.")
    subject.confirmed_reset_at = subject.user.second_factor_reset_at
    subject.save(update_fields=["confirmed_reset_at"])
    _record_change(Action.REVEALING_CONFIRMED, assurance, subject, {"role": subject.role})
    return subject


class NoSuchMember(LookupError):
    """Not a member of that organisation: the page is the same as for one who never was anywhere."""


def _both(membership: Membership, assurance: Assurance, member_id: uuid.UUID) -> tuple[Membership, Membership]:
    """Who acts and whom it is about, as they are now.

    All members are locked: of two owners who end each other's membership one comes second, and is the last.
    """
    assurance.require_fresh()
    members = Membership.objects.select_for_update().filter(organization_id=membership.organization_id).order_by("pk")
    by_id = {member.pk: member for member in members}
    # The role that the acting member had when the request came in may be gone by now.
    acting = by_id.get(membership.pk)
    if acting is None or not allows(acting.role, Permission.MEMBERS_CHANGE):
        raise Refused(Permission.MEMBERS_CHANGE)
    if member_id not in by_id:
        raise NoSuchMember(member_id)
    return acting, by_id[member_id]


def _keep_an_owner(acting: Membership, subject: Membership, *, becomes: str) -> None:
    if Role.OWNER not in {subject.role, becomes}:
        return
    require(acting, Permission.OWNERS_CHANGE)
    owners = Membership.objects.filter(organization_id=subject.organization_id, role=Role.OWNER, user__is_active=True)
    if becomes != Role.OWNER and not owners.exclude(pk=subject.pk).exists():
        raise NotDone("This is the only owner: make another member an owner first.")


def _person(email: str) -> tuple[User, str | None]:
    user = person_with(email=email)
    if not user.is_active:
        raise NotDone(f"{user.email} is disabled, so nothing was made: `casemate enable {user.email}` comes first.")
    return user, None if user.confirmed_device() is not None else new_link(user)


def _record_member(action: Action, organization: Organization, user: User, detail: dict[str, str]) -> None:
    record(
        action,
        actor=TERMINAL,
        origin=Origin(),
        target=Target.person(user),
        success=True,
        detail=detail,
        stream=str(organization.pk),
    )


def _record_change(action: Action, assurance: Assurance, subject: Membership, detail: dict[str, str]) -> None:
    record(
        action,
        actor=assurance.actor,
        origin=assurance.origin,
        target=Target.person(subject.user),
        success=True,
        detail=detail,
        stream=str(subject.organization_id),
    )
