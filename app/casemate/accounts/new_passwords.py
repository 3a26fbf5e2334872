"""A new password for somebody who has one: by themselves, who know it, or by root at the host.

Each is one transaction, and its audit events commit with it.
"""

from django.contrib.auth import authenticate
from django.db.models import QuerySet

from casemate.accounts import lockout
from casemate.accounts.assurance import Assurance
from casemate.accounts.models import Session, User
from casemate.accounts.services import Result, close_links, close_sessions
from casemate.accounts.sessions import stored
from casemate.audit.actions import Action
from casemate.audit.origin import TERMINAL, Actor, Origin, Target
from casemate.audit.services import committed, record


class NotEnrolled(Exception):
    """Nobody has the address, or has not set up a second factor, to which an enrolment link leads."""


@committed
def change(*, who: Assurance, current: str, password: str, session_key: str | None) -> tuple[Result, User | None]:
    """One's own; all sessions end but that of the key. A wrong current one counts as one at the sign-in does.

    The person comes with RIGHT alone. Raise StepUpRequired.
    """
    who.require_fresh()
    # Of two at once the second has to give the password that the first has set.
    user = User.objects.select_for_update().get(pk=who.user.pk)
    attempt = lockout.Attempt(who.origin)
    if authenticate(attempt, email=user.email, password=current) is None:
        return _refused(user, attempt, who), None
    lockout.forgive(user.email, who.origin)
    others = Session.objects.filter(user=user).exclude(session_key=stored(session_key or ""))
    _set(user, password, others, actor=who.actor, origin=who.origin)
    return Result.RIGHT, user


@committed
def set_at_terminal(*, email: str, password: str) -> None:
    """Root's word, without the current one; all sessions end. Raise NotEnrolled."""
    user = enrolled(email)
    _set(user, password, Session.objects.filter(user=user), actor=TERMINAL, origin=Origin())


def enrolled(email: str) -> User:
    """Raise NotEnrolled: a password alone would be all that such a person had."""
    user = User.objects.by_email(email)
    if user is None or user.confirmed_device() is None:
        raise NotEnrolled(email)
    return user


def _refused(user: User, attempt: lockout.Attempt, who: Assurance) -> Result:
    result = Result.LOCKED if attempt.axes_locked_out else Result.WRONG
    target, detail = Target.person(user), {"result": result.value}
    record(Action.PASSWORD_CHECKED, actor=who.actor, origin=who.origin, target=target, success=False, detail=detail)
    if attempt.axes_locked_out and attempt.axes_failures_since_start is not None:  # by this very try
        record(Action.LOCKED_OUT, actor=who.actor, origin=who.origin, target=target, success=False)
    return result


def _set(user: User, password: str, sessions: QuerySet[Session], *, actor: Actor, origin: Origin) -> None:
    user.set_password(password)
    user.must_change_password = False
    user.save(update_fields=["password", "must_change_password"])
    close_links(user)
    record(Action.PASSWORD_SET, actor=actor, origin=origin, target=Target.person(user), success=True)
    close_sessions(sessions, user, origin, actor=actor)
