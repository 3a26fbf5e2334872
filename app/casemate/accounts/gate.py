"""Who may open a view. Each view that is not for people who are wholly signed in says so; all others are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth import login, logout, update_session_auth_hash
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse

from casemate.accounts.assurance import SECOND_FACTOR, Assurance, StepUpRequired
from casemate.accounts.models import User
from casemate.audit.origin import Origin

# Keys of the session.
STARTED = "started"  # when the password was right; the absolute age counts from here
SEEN = "seen"
# From where it was used last, and with what: for its owner, who knows the own places and devices.
ADDRESS, DEVICE = "address", "device"

TOUCH_EVERY = timedelta(minutes=1)  # a page that is reloaded does not write the session each time


class Access(Enum):
    ANYONE = "anyone"
    PASSWORD = "password"  # noqa: S105  the first factor is enough: set-up, verification and sign-out
    SIGNED_IN = "signed in"


def access[V: Callable[..., HttpResponseBase]](level: Access) -> Callable[[V], V]:
    def mark(view: V) -> V:
        view.access = level  # type: ignore[attr-defined]
        return view

    return mark


def start_session(request: HttpRequest, user: User) -> None:
    """After the right password: a new session id, which opens only set-up, verification and sign-out."""
    request.session.flush()
    login(request, user, backend="casemate.accounts.backends.PasswordBackend")
    now = datetime.now(UTC).timestamp()
    request.session[STARTED] = request.session[SEEN] = now
    origin = Origin.of(request)
    request.session[ADDRESS], request.session[DEVICE] = origin.ip, origin.user_agent


def finish_session(request: HttpRequest) -> None:
    """After the second factor: again a new session id."""
    request.session.cycle_key()
    request.session[SECOND_FACTOR] = request.session[SEEN] = datetime.now(UTC).timestamp()


def keep_session(request: HttpRequest, user: User) -> None:
    """After a new password, which ends all sessions of the old one: this one goes on, by a new session id."""
    update_session_auth_hash(request, user)


def signed_in(request: HttpRequest) -> bool:
    return request.user.is_authenticated and SECOND_FACTOR in request.session


def fresh(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Send whoever gave the second factor too long ago to give it again, then back here; the service refuses by itself.

    The view answers GET: after the step-up the browser comes back by it.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs) if Assurance.of(request).fresh else to_step_up(request)

    return guarded


def to_step_up(request: HttpRequest) -> HttpResponseBase:
    # 303: whatever the request was, its body is not sent on.
    return HttpResponseRedirect(reverse("step-up", query={"next": request.path}), status=303)


class SignInGate:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        level = getattr(view, "access", Access.SIGNED_IN)
        if level is Access.ANYONE:
            return None
        if not request.user.is_authenticated or self._too_old(request):
            request.turned_away = True  # type: ignore[attr-defined]  # for the count of what strangers are refused
            return redirect("sign-in")
        if level is Access.SIGNED_IN and not signed_in(request):
            return redirect("verify")
        request.signed_in = level is Access.SIGNED_IN  # type: ignore[attr-defined]  # for the navigation
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        return to_step_up(request) if isinstance(exception, StepUpRequired) else None

    @staticmethod
    def _too_old(request: HttpRequest) -> bool:
        """End a session past its idle or absolute age; note that a younger one was used."""
        now = datetime.now(UTC)
        started, seen = (datetime.fromtimestamp(request.session.get(name, 0), UTC) for name in (STARTED, SEEN))
        if now - started > settings.SESSION_ABSOLUTE or now - seen > settings.SESSION_IDLE:
            logout(request)
            return True
        if now - seen > TOUCH_EVERY:
            request.session[SEEN], request.session[ADDRESS] = now.timestamp(), Origin.of(request).ip
        return False
