"""The verbs of accounts. Each is one transaction, and its audit events commit with it."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from casemate.accounts.models import EnrolmentLink, Session, TotpDevice, User, digest, normalised
from casemate.accounts.totp import new_seed
from casemate.audit.actions import Action
from casemate.audit.origin import STRANGER, TERMINAL, Actor, Origin, Target
from casemate.audit.services import committed, record
from casemate.audit.text import visible


class LinkRefused(Exception):
    """An enrolment link that opens nothing; the text says why, and what to do."""


class LinkUnknown(LinkRefused):
    pass


class AlreadyEnrolled(Exception):
    pass


class SetUpClosed(Exception):
    """The second factor cannot be set up any more (or again) with the password alone."""


@committed
def issue_enrolment_link(*, email: str, name: str = "", again: bool = False) -> tuple[User, str]:
    """Make an operator, or find one, and a link that lets them set password and second factor. Earlier links die."""
    user = person_with(email=email, name=name)
    if not again and user.confirmed_device() is not None:
        raise AlreadyEnrolled(user.email)
    user.is_operator = True
    user.save(update_fields=["is_operator"])
    return user, new_link(user, again=again)


def person_with(*, email: str, name: str = "") -> User:
    """Find the person with that address or make one, who can do nothing until they enrol. Raise ValidationError."""
    email = User._meta.get_field("email").clean(normalised(email), None)
    user = User.objects.by_email(email)
    if user is None:
        user = User(email=email, must_change_password=True)
        user.set_unusable_password()
    user.name = name[:120] or user.name
    user.save()
    return user


def new_link(user: User, *, again: bool = False) -> str:
    """The token of a new enrolment link, within the caller's transaction."""
    user.enrolment_links.filter(finished_at=None, revoked_at=None).update(revoked_at=timezone.now())
    _link, token = EnrolmentLink.issue(user)
    record(
        Action.ENROLMENT_LINK_ISSUED,
        actor=TERMINAL,
        origin=Origin(),
        target=Target.person(user),
        detail={"again": again},
    )
    return token


def usable_link(token: str, *, lock: bool = False) -> EnrolmentLink:
    """Raise LinkRefused, with the sentence to show, for a link that opens nothing."""
    links = EnrolmentLink.objects.select_related("user")
    if lock:
        links = links.select_for_update()
    link = links.filter(token_digest=digest(token)).first()
    if link is None:
        raise LinkUnknown("This link is not one of ours: copy it again, whole, from where you got it.")
    if link.used_at is not None:
        raise LinkRefused("This link was used already: sign in, or ask an operator for a new link.")
    if link.expired or link.revoked_at is not None or not link.user.is_active:
        raise LinkRefused("This link is no longer valid: ask an operator for a new one.")
    return link


@committed
def open_link(*, token: str, origin: Origin) -> User:
    """Whose link it is; the first time that it is opened is told."""
    link = usable_link(token, lock=True)
    if link.opened_at is None:
        link.opened_at = timezone.now()
        link.save(update_fields=["opened_at"])
        record(Action.ENROLMENT_LINK_OPENED, actor=STRANGER, origin=origin, target=Target.person(link.user))
    return link.user


@committed
def set_password_by_link(*, token: str, password: str, origin: Origin) -> User:
    """Use a link up: set the password, drop what the person had before (second factor, sessions)."""
    link = usable_link(token, lock=True)
    user = link.user
    link.used_at = timezone.now()
    link.save(update_fields=["used_at"])
    user.set_password(password)
    user.must_change_password = False
    user.save(update_fields=["password", "must_change_password"])
    TotpDevice.objects.filter(user=user).delete()
    ended, _models = Session.objects.filter(user=user).delete()
    actor, target = Actor.person(user), Target.person(user)
    record(Action.ENROLMENT_LINK_USED, actor=actor, origin=origin, target=target)
    record(Action.PASSWORD_SET, actor=actor, origin=origin, target=target)
    if ended:
        record(Action.SESSIONS_ENDED, actor=actor, origin=origin, target=target, detail={"ended": ended})
    return user


@transaction.atomic
def device_to_set_up(*, user: User) -> TotpDevice:
    """The device that waits for its first code: the same one however often the page is loaded."""
    User.objects.select_for_update().get(pk=user.pk)
    if user.confirmed_device() is not None or not user.may_set_up_second_factor():
        raise SetUpClosed
    device: TotpDevice | None = TotpDevice.objects.filter(user=user, confirmed=False).first()
    if device is None:
        device = TotpDevice(user=user, name="Authenticator app", confirmed=False, seed=new_seed())
        device.save(force_insert=True)
    return device


class Result(Enum):
    RIGHT = "right"
    WRONG = "wrong"
    WAIT = "wait"


@dataclass(frozen=True)
class Checked:
    result: Result
    wait: timedelta = timedelta()


@committed
def check_password(*, email: str, password: str, origin: Origin) -> User | None:
    """Whoever it is, by e-mail address and password. Right or wrong, it is in the audit log before this returns."""
    user = authenticate(email=email, password=password)
    if isinstance(user, User) and not user.must_change_password:
        Session.objects.filter(expire_date__lt=timezone.now()).delete()
        record(Action.PASSWORD_CHECKED, actor=Actor.person(user), origin=origin, target=Target.person(user))
        return user
    target = Target("user", label=_typed(email))
    record(Action.PASSWORD_CHECKED, actor=STRANGER, origin=origin, target=target, success=False)
    return None


def _typed(email: str) -> str:
    """What was typed as an address, unless it is none: people type their password into the wrong field."""
    try:
        validate_email(email)
    except ValidationError:
        return "(not an e-mail address)"
    return visible(email, 100)


@committed
def check_code(*, user: User, code: str, origin: Origin) -> Checked:
    """The second factor of someone who has one. RIGHT means signed in, and the event of it is committed."""
    device = TotpDevice.objects.select_for_update().get(user=user, confirmed=True)
    checked = _check(device, code)
    if checked.result is Result.RIGHT:
        _note_sign_in(user, origin)
    _record_code(Action.TOTP_CHECKED, user, origin, checked)
    if checked.result is Result.RIGHT:
        _record_sign_in(user, origin)
    return checked


@committed
def confirm_device(*, user: User, code: str, origin: Origin) -> Checked:
    """The first code of a new device. RIGHT makes it the person's second factor and signs them in."""
    if not user.may_set_up_second_factor():
        raise SetUpClosed
    device = TotpDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
    if device is None:
        raise SetUpClosed
    checked = _check(device, code)
    if checked.result is not Result.RIGHT:
        _record_code(Action.TOTP_CHECKED, user, origin, checked)
        return checked
    device.confirmed = True
    device.save()
    user.enrolment_links.filter(used_at__isnull=False, finished_at=None).update(finished_at=timezone.now())
    _note_sign_in(user, origin)
    record(Action.TOTP_ENROLLED, actor=Actor.person(user), origin=origin, target=Target.person(user))
    _record_sign_in(user, origin)
    return checked


@committed
def step_up(*, user: User, code: str, origin: Origin) -> Checked:
    """The second factor once more, from someone who is signed in."""
    device = TotpDevice.objects.select_for_update().get(user=user, confirmed=True)
    checked = _check(device, code)
    _record_code(Action.STEPPED_UP, user, origin, checked)
    return checked


@committed
def sign_out(*, user: User, origin: Origin) -> None:
    record(Action.SIGNED_OUT, actor=Actor.person(user), origin=origin, target=Target.person(user))


def _check(device: TotpDevice, code: str) -> Checked:
    if seconds := device.seconds_to_wait():
        return Checked(Result.WAIT, timedelta(seconds=seconds))
    accepted = device.accept(code)
    device.save()
    return Checked(Result.RIGHT if accepted else Result.WRONG)


def _record_code(action: Action, user: User, origin: Origin, checked: Checked) -> None:
    record(
        action,
        actor=Actor.person(user),
        origin=origin,
        target=Target.person(user),
        success=checked.result is Result.RIGHT,
        detail={"result": checked.result.value},
    )


def _note_sign_in(user: User, origin: Origin) -> None:
    row = User.objects.select_for_update().get(pk=user.pk)
    row.previous_sign_in_at, row.previous_sign_in_from = row.signed_in_at, row.signed_in_from
    row.signed_in_at, row.signed_in_from = timezone.now(), origin.ip
    row.save(
        update_fields=["previous_sign_in_at", "previous_sign_in_from", "signed_in_at", "signed_in_from"],
    )


def _record_sign_in(user: User, origin: Origin) -> None:
    record(Action.SIGNED_IN, actor=Actor.person(user), origin=origin, target=Target.person(user))
