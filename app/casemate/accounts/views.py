import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import segno
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.password_validation import password_validators_help_texts
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from casemate import limiter
from casemate.accounts import backup_codes as codes
from casemate.accounts import lockout, new_passwords, open_sessions, services, tries
from casemate.accounts.assurance import Assurance
from casemate.accounts.factors import suspended_until
from casemate.accounts.forms import BackupCodeForm, ChangePasswordForm, CodeForm, EnrolmentPasswordForm, SignInForm
from casemate.accounts.gate import Access, access, finish_session, fresh, keep_session, signed_in, start_session
from casemate.accounts.models import TotpDevice, User
from casemate.audit.origin import Origin
from casemate.audit.text import visible
from casemate.errors import page

log = logging.getLogger("casemate.sign_in")
LONGEST_PATH = 500
REASONS = {services.Result.LOCKED: "locked out", services.Result.WAIT: "too soon"}
form_page = require_http_methods(["GET", "HEAD", "POST"])


@access(Access.SIGNED_IN)
@require_safe
def profile(request: HttpRequest) -> HttpResponse:
    user = person(request)
    memberships = user.memberships.select_related("organization").order_by("organization__name")
    context = {
        "device": user.confirmed_device(),
        "codes_left": codes.left(user),
        "memberships": [(membership, suspended_until(membership, user)) for membership in memberships],
    }
    return render(request, "accounts/profile.html", context)


@access(Access.ANYONE)
@form_page
def sign_in(request: HttpRequest) -> HttpResponse:
    if signed_in(request):
        return redirect("profile")
    form = SignInForm(request.POST or None)
    if form.is_valid():
        origin = Origin.of(request)
        email = form.cleaned_data["email"]
        with refusals_logged(origin, email):
            tries.admit_password(email, origin)
        result, user = services.check_password(**form.cleaned_data, origin=origin)
        if user is not None:
            start_session(request, user)
            return redirect("verify")
        refused(origin, REASONS.get(result, "wrong password"), email)
        if result is services.Result.LOCKED:
            return limiter.too_many(request, settings.AXES_COOLOFF_TIME)
        form.add_error(None, "The e-mail address or the password is not right.")
    return render(request, "accounts/sign_in.html", {"form": form})


@access(Access.PASSWORD)
@form_page
def verify(request: HttpRequest) -> HttpResponse:
    return second_factor(request, CodeForm(request.POST or None), services.check_code, "accounts/verify.html")


@access(Access.PASSWORD)
@form_page
def by_backup_code(request: HttpRequest) -> HttpResponse:
    """One of the ten, from somebody whose authenticator app is not at hand."""
    form = BackupCodeForm(request.POST or None)
    return second_factor(request, form, services.check_backup_code, "accounts/by_backup_code.html")


def second_factor(
    request: HttpRequest, form: CodeForm | BackupCodeForm, check: Callable[..., services.Checked], template: str
) -> HttpResponse:
    user = person(request)
    if signed_in(request):
        return redirect("profile")
    if user.confirmed_device() is None:
        return redirect("enrol-totp")
    if form.is_valid():
        origin = Origin.of(request)
        with refusals_logged(origin, user.email):
            tries.admit_code(user, origin)
        checked = check(user=user, code=form.cleaned_data["code"], origin=origin)
        if checked.result is services.Result.RIGHT:
            tries.forgive_after_success(user, origin)
            finish_session(request)
            return redirect("profile")
        refused(origin, REASONS.get(checked.result, "wrong code"), user.email)
        if checked.result is services.Result.LOCKED:
            return limiter.too_many(request, settings.AXES_COOLOFF_TIME)
        refuse_code(form, checked)
    return render(request, template, {"form": form})


@access(Access.SIGNED_IN)
@form_page
def step_up(request: HttpRequest) -> HttpResponse:
    """The second factor again, then on to where it was asked for."""
    user, onward = person(request), own_path(request.GET.get("next", ""))
    form = CodeForm(request.POST or None)
    if form.is_valid():
        origin = Origin.of(request)
        tries.admit_code(user, origin)
        checked = services.step_up(user=user, code=form.cleaned_data["code"], origin=origin)
        if checked.result is services.Result.RIGHT:
            tries.forgive_after_success(user, origin)
            finish_session(request)
            return HttpResponseRedirect(onward, status=303)
        if checked.result is services.Result.LOCKED:
            return limiter.too_many(request, settings.AXES_COOLOFF_TIME)
        refuse_code(form, checked)
    minutes = int(settings.STEP_UP_AGE.total_seconds() // 60)
    return render(request, "accounts/step_up.html", {"form": form, "onward": onward, "minutes": minutes})


def own_path(text: str) -> str:
    """A path of this site, or the profile's. Browsers read `//evil`, `/\\evil` and `/<tab>/evil` as other sites."""
    home = reverse("profile")
    if len(text) > LONGEST_PATH or not re.fullmatch(r"/(?!/)[A-Za-z0-9._~/-]*", text):
        return home
    try:
        resolve(text)
    except Resolver404:
        return home
    return text


@access(Access.SIGNED_IN)
@form_page
def sessions(request: HttpRequest) -> HttpResponse:
    """Where the person is signed in; POST ends one of the others by its name, or all of them."""
    user = person(request)
    found = open_sessions.of(user, key=request.session.session_key)
    if request.method != "POST":
        return render(request, "accounts/sessions.html", {"sessions": found})
    others = {one.name for one in found if not one.asking}
    chosen = request.POST.get("session", "")
    services.end_sessions(
        user=user, names=others if chosen == "others" else others & {chosen}, origin=Origin.of(request)
    )
    return redirect("sessions")


@access(Access.SIGNED_IN)
@form_page
@fresh
def backup_codes(request: HttpRequest) -> HttpResponse:
    """How many are left; POST makes ten new ones and shows them, once."""
    who = Assurance.of(request)
    if request.method == "POST":
        return render(request, "accounts/backup_codes_made.html", {"codes": services.new_backup_codes(who=who)})
    context = {"left": codes.left(who.user), "whole": codes.HOW_MANY}
    return render(request, "accounts/backup_codes.html", context)


@access(Access.SIGNED_IN)
@form_page
@fresh
def own_password(request: HttpRequest) -> HttpResponse:
    who = Assurance.of(request)
    form = ChangePasswordForm(who.user, request.POST or None)
    if form.is_valid():
        tries.admit_change(who.user, who.origin)
        result, user = new_passwords.change(
            who=who,
            current=form.cleaned_data["current"],
            password=form.cleaned_data["password"],
            session_key=request.session.session_key,
        )
        if user is not None:
            tries.forgive_after_change(user, who.origin)
            keep_session(request, user)
            return redirect("profile")
        if result is services.Result.LOCKED:
            return limiter.too_many(request, settings.AXES_COOLOFF_TIME)
        form.add_error("current", "That is not your current password. Type it as you do when you sign in.")
    return render(request, "accounts/own_password.html", {"form": form, "rules": password_validators_help_texts()})


@access(Access.PASSWORD)
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    services.sign_out(user=person(request), origin=Origin.of(request))
    logout(request)
    return redirect("sign-in")


@access(Access.ANYONE)
@form_page
def enrol(request: HttpRequest, token: str) -> HttpResponse:
    origin = Origin.of(request)
    try:
        user = services.open_link(token=token, origin=origin)
        form = EnrolmentPasswordForm(user, request.POST or None)
        if form.is_valid():
            password = form.cleaned_data["password"]
            user = services.set_password_by_link(token=token, password=password, origin=origin)
            start_session(request, user)
            return redirect("enrol-totp")
    except services.LinkRefused as refusal:
        unknown = isinstance(refusal, services.LinkUnknown)
        if unknown:
            refused(origin, "unknown link")
        return page(request, 404 if unknown else 410, "This link does not work", str(refusal))
    context = {"form": form, "person": user, "rules": password_validators_help_texts()}
    return render(request, "accounts/enrol_password.html", context)


@access(Access.PASSWORD)
@form_page
def enrol_totp(request: HttpRequest) -> HttpResponse:
    if signed_in(request):
        return redirect("profile")
    user = person(request)
    form = CodeForm(request.POST or None)
    context: dict[str, object] = {"form": form}
    try:
        if request.method != "POST":
            context |= shown_once(services.new_key(user=user), user)
        elif form.is_valid():
            origin = Origin.of(request)
            checked = services.confirm_device(
                user=user, code=form.cleaned_data["code"], origin=origin, session_key=request.session.session_key
            )
            if checked.result is services.Result.RIGHT:
                finish_session(request)
                return render(request, "accounts/backup_codes_made.html", {"codes": checked.backup_codes})
            refuse_code(form, checked)
    except services.SetUpClosed:
        if user.confirmed_device() is not None:
            return redirect("verify")
        if user.may_set_up_second_factor():  # a form from before the newest link
            return redirect("enrol-totp")
        logout(request)
        sentence = "The time to set up your second factor is over: ask an operator for a new enrolment link."
        return page(request, 403, "Set-up is closed", sentence)
    return render(request, "accounts/enrol_totp.html", context)


def shown_once(device: TotpDevice, user: User) -> dict[str, object]:
    """The key as text and as a picture."""
    seed = device.seed.reveal()
    picture = segno.make(device.uri(user.email), error="m").svg_inline(omitsize=True, border=2, light="#fff")
    return {
        "typed_key": [seed[at : at + 4] for at in range(0, len(seed), 4)],
        # Drawn by segno from paths and numbers alone; the address and the key are only in its dots.
        "picture": mark_safe(picture),  # noqa: S308
    }


def person(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def refused(origin: Origin, reason: str, email: str = "") -> None:
    """The line by which fail2ban counts: its words and fields are fixed, and the address is the one that we count.

    What a stranger chose comes last. Where it is no address of mail it may be a password, and stays out.
    """
    name = visible(lockout.typed(email), 254) if email else ""
    log.warning("sign-in refused", extra={"address": origin.ip, "reason": reason, "person": name})


@contextmanager
def refusals_logged(origin: Origin, email: str) -> Iterator[None]:
    try:
        yield
    except limiter.TooMany:
        refused(origin, "too many tries", email)
        raise


def refuse_code(form: CodeForm | BackupCodeForm, checked: services.Checked) -> None:
    if checked.result is services.Result.WAIT:
        seconds = int(checked.wait.total_seconds())
        form.add_error("code", f"Too many wrong codes. Wait {seconds} s, then enter a new one.")
    else:
        form.add_error("code", form.wrong)
