"""The verbs of accounts. Each is one transaction, and its audit events commit with it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from axes.models import AccessAttempt
from django.contrib.auth import authenticate
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from casemate.accounts import backup_codes, lockout
from casemate.accounts.assurance import Assurance
from casemate.accounts.factors import take_away
from casemate.accounts.guessed import refuse_guessed
from casemate.accounts.models import BackupCode, EnrolmentLink, Session, TotpDevice, User, digest, normalised
from casemate.accounts.sessions import name_of, stored
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
    """Find the person with that address or make one, who can do nothing until they enrol.

    Raise ValidationError, and GuessedName where there is nobody yet.
    """
    email = User._meta.get_field("email").clean(normalised(email), None)
    user = User.objects.by_email(email)
    if user is None:
        refuse_guessed(email)
        user = User(email=email, must_change_password=True)
        user.set_unusable_password()
    user.name = name[:120] or user.name
    user.save()
    return user


def new_link(user: User, *, again: bool = False) -> str:
    """The token of a new enrolment link, within the caller's transaction."""
    close_links(user)
    _link, token = EnrolmentLink.issue(user)
    record(
        Action.ENROLMENT_LINK_ISSUED,
        actor=TERMINAL,
        origin=Origin(),
        target=Target.person(user),
        success=True,
        detail={"again": again},
    )
    return token


def close_links(user: User) -> None:
    user.enrolment_links.filter(finished_at=None, revoked_at=None).update(revoked_at=timezone.now())


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
        record(
            Action.ENROLMENT_LINK_OPENED, actor=STRANGER, origin=origin, target=Target.person(link.user), success=True
        )
    return link.user


@committed
def set_password_by_link(*, token: str, password: str, origin: Origin) -> User:
    """Use a link up: set the password, drop what the person had before (second factor, backup codes, sessions)."""
    link = usable_link(token, lock=True)
    user = link.user
    link.used_at = timezone.now()
    link.save(update_fields=["used_at"])
    user.set_password(password)
    user.must_change_password = False
    user.save(update_fields=["password", "must_change_password"])
    actor, target = Actor.person(user), Target.person(user)
    record(Action.ENROLMENT_LINK_USED, actor=actor, origin=origin, target=target, success=True)
    record(Action.PASSWORD_SET, actor=actor, origin=origin, target=target, success=True)
    if user.confirmed_device() is not None:
        take_away(user, actor=actor, origin=origin)  # a reset by another road, and no less in public
    TotpDevice.objects.filter(user=user).delete()
    BackupCode.objects.filter(user=user).delete()
    close_sessions(Session.objects.filter(user=user), user, origin)
    return user


@transaction.atomic
def new_key(*, user: User) -> TotpDevice:
    """The device that waits for its first code, with a key that was never shown. The one before opens nothing."""
    User.objects.select_for_update().get(pk=user.pk)
    if user.confirmed_device() is not None or not user.may_set_up_second_factor():
        raise SetUpClosed
    waiting: TotpDevice | None = TotpDevice.objects.filter(user=user, confirmed=False).first()
    device = waiting or TotpDevice(user=user, name="Authenticator app", confirmed=False, seed="")
    # How long to wait after wrong codes stays as it was: a new key is no new try.
    device.seed = new_seed()
    device.save()
    return device


# What looks at a code, with the row of the device locked, and counts it.
type Accept = Callable[[TotpDevice], bool]


class Result(Enum):
    RIGHT = "right"
    WRONG = "wrong"
    WAIT = "wait"
    LOCKED = "locked"  # this address may not try any more for now


@dataclass(frozen=True)
class Checked:
    result: Result
    wait: timedelta = timedelta()
    backup_codes: tuple[str, ...] = ()  # of an enrolment, which tells them once


@committed
def check_password(*, email: str, password: str, origin: Origin) -> tuple[Result, User | None]:
    """Whoever it is, by e-mail address and password. Right or wrong, it is in the audit log before this returns."""
    attempt = lockout.Attempt(origin)
    user = authenticate(attempt, email=email, password=password)
    if isinstance(user, User):
        record(
            Action.PASSWORD_CHECKED, actor=Actor.person(user), origin=origin, target=Target.person(user), success=True
        )
        return Result.RIGHT, user
    result = Result.LOCKED if attempt.axes_locked_out else Result.WRONG
    label = visible(lockout.typed(email), 100)
    record(
        Action.PASSWORD_CHECKED,
        actor=STRANGER,
        origin=origin,
        target=Target("user", label=label),
        success=False,
        detail={"result": result.value},
    )
    if attempt.axes_locked_out and attempt.axes_failures_since_start is not None:  # by this very try
        record(Action.LOCKED_OUT, actor=STRANGER, origin=origin, target=Target("user", label=label), success=False)
    return result, None


@committed
def check_code(*, user: User, code: str, origin: Origin) -> Checked:
    """The second factor of someone who has one. RIGHT means signed in, and the event of it is committed."""
    return _sign_in_by(Action.TOTP_CHECKED, user, origin, lambda device: device.accept(code))


@committed
def check_backup_code(*, user: User, code: str, origin: Origin) -> Checked:
    """One of the ten instead of a code of the app. RIGHT means signed in, and that it never opens anything again."""
    return _sign_in_by(Action.BACKUP_CODE_CHECKED, user, origin, lambda device: backup_codes.accept(device, code))


@committed
def new_backup_codes(*, who: Assurance) -> list[str]:
    """Ten new ones, told here; the earlier ones open nothing any more. Raise StepUpRequired."""
    who.require_fresh()
    TotpDevice.objects.select_for_update().get(user=who.user, confirmed=True)  # nobody uses one up meanwhile
    return _issue_backup_codes(who.user, who.origin)


@committed
def confirm_device(*, user: User, code: str, origin: Origin, session_key: str | None) -> Checked:
    """The first code of a new device. RIGHT makes it the second factor, and of that session the person's only one.

    Ten backup codes come with it.
    """
    if not user.may_set_up_second_factor():
        raise SetUpClosed
    device = TotpDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
    if device is None:
        raise SetUpClosed
    checked = _check(device, lambda device: device.accept(code))
    if checked.result is not Result.RIGHT:
        _record_code(Action.TOTP_CHECKED, user, origin, checked)
        return checked
    device.confirmed = True
    device.save()
    user.enrolment_links.filter(used_at__isnull=False, finished_at=None).update(finished_at=timezone.now())
    _note_sign_in(user, origin)
    record(Action.TOTP_ENROLLED, actor=Actor.person(user), origin=origin, target=Target.person(user), success=True)
    issued = _issue_backup_codes(user, origin)
    _record_sign_in(user, origin)
    # Somebody else may have the password, and wait before the second factor.
    close_sessions(Session.objects.filter(user=user).exclude(session_key=stored(session_key or "")), user, origin)
    return Checked(Result.RIGHT, backup_codes=tuple(issued))


@committed
def step_up(*, user: User, code: str, origin: Origin) -> Checked:
    """The second factor once more, from someone who is signed in."""
    checked = _check_confirmed(user, origin, lambda device: device.accept(code))
    _record_code(Action.STEPPED_UP, user, origin, checked)
    return checked


@committed
def unlock(*, email: str = "", address: str = "") -> list[tuple[str, str]]:
    """Forget the wrong tries for a person, from an address, or both; who and where they were. An operator's word."""
    if not email and not address:
        raise ValueError("Everybody everywhere is nobody's to unlock.")
    attempts = AccessAttempt.objects.all()
    if email:
        attempts = attempts.filter(username=lockout.typed(email))
    if address:
        attempts = attempts.filter(ip_address=lockout.neighbourhood(address))
    forgotten = list(attempts.values_list("username", "ip_address"))
    attempts.delete()
    user = User.objects.by_email(email)
    if user is not None and (device := user.confirmed_device()) is not None:
        device.throttle_reset()
    target = (
        Target.person(user) if user else Target("address" if address else "user", label=visible(address or email, 100))
    )
    record(
        Action.UNLOCKED,
        actor=TERMINAL,
        origin=Origin(),
        target=target,
        success=True,
        detail={"forgotten": len(forgotten)},
    )
    return [(username or "", ip or "") for username, ip in forgotten]


@committed
def sign_out(*, user: User, origin: Origin) -> None:
    record(Action.SIGNED_OUT, actor=Actor.person(user), origin=origin, target=Target.person(user), success=True)


@committed
def end_sessions(*, user: User, names: Collection[str], origin: Origin) -> None:
    """Ends those of the person's sessions. Names of others' sessions, or of none, end nothing."""
    keys = Session.objects.select_for_update().filter(user=user).values_list("session_key", flat=True)
    chosen = [key for key in keys if name_of(key) in names]
    close_sessions(Session.objects.filter(session_key__in=chosen), user, origin)


def _sign_in_by(action: Action, user: User, origin: Origin, accept: Accept) -> Checked:
    checked = _check_confirmed(user, origin, accept)
    if checked.result is Result.RIGHT:
        _note_sign_in(user, origin)
    _record_code(action, user, origin, checked)
    if checked.result is Result.RIGHT:
        _record_sign_in(user, origin)
    return checked


def _check_confirmed(user: User, origin: Origin, accept: Accept) -> Checked:
    """A locked-out address does not get as far as the device, so it cannot make its owner wait either."""
    if lockout.locked(user.email, origin):
        return Checked(Result.LOCKED)
    checked = _check(TotpDevice.objects.select_for_update().get(user=user, confirmed=True), accept)
    if checked.result is Result.RIGHT:
        lockout.forgive(user.email, origin)
    if checked.result is Result.WRONG and lockout.failed(user.email, origin):
        record(Action.LOCKED_OUT, actor=Actor.person(user), origin=origin, target=Target.person(user), success=False)
        return Checked(Result.LOCKED)
    return checked


def _check(device: TotpDevice, accept: Accept) -> Checked:
    if seconds := device.seconds_to_wait():
        return Checked(Result.WAIT, timedelta(seconds=seconds))
    accepted = accept(device)
    device.save()
    return Checked(Result.RIGHT if accepted else Result.WRONG)


def _issue_backup_codes(user: User, origin: Origin) -> list[str]:
    issued = backup_codes.issue(user)
    actor, target = Actor.person(user), Target.person(user)
    record(
        Action.BACKUP_CODES_ISSUED,
        actor=actor,
        origin=origin,
        target=target,
        success=True,
        detail={"made": len(issued)},
    )
    return issued


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


def close_sessions(rows: QuerySet[Session], user: User, origin: Origin, *, actor: Actor | None = None) -> None:
    """Whoever changes a password or a factor because somebody else is in must not leave that somebody in.

    Within the caller's transaction; the person themselves did it where no other is named.
    """
    ended, _models = rows.delete()
    if ended:
        actor, target = actor or Actor.person(user), Target.person(user)
        record(Action.SESSIONS_ENDED, actor=actor, origin=origin, target=target, success=True, detail={"ended": ended})


def _record_sign_in(user: User, origin: Origin) -> None:
    record(Action.SIGNED_IN, actor=Actor.person(user), origin=origin, target=Target.person(user), success=True)
