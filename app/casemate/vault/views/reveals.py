"""The pages that show a secret. Each needs a fresh second factor, and the service has committed the event before it
hands the plaintext over."""

import uuid
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from casemate.accounts.assurance import Assurance
from casemate.accounts.gate import fresh
from casemate.organizations.access import OrganizationRequest, permission
from casemate.tenancy.permissions import Permission
from casemate.vault import reveals
from casemate.vault.forms import CopyForm, ReasonForm
from casemate.vault.guard import suspension
from casemate.vault.refusals import VaultRefusal
from casemate.vault.views.answers import attempt, entry, form_page, posted, tells, who

SHOWN_SECONDS = 30


@permission(Permission.VAULT_REVEAL)
@form_page
@fresh
@tells
def password_reveal(request: OrganizationRequest, password_id: uuid.UUID) -> HttpResponse:
    return _reveal(
        request,
        password_id,
        lambda reason: reveals.reveal(password_id=password_id, reason=reason, **who(request)),
        {},
    )


@permission(Permission.VAULT_REVEAL)
@form_page
@fresh
@tells
def revision_reveal(request: OrganizationRequest, password_id: uuid.UUID, number: int) -> HttpResponse:
    return _reveal(
        request,
        password_id,
        lambda reason: reveals.reveal_revision(password_id=password_id, number=number, reason=reason, **who(request)),
        {"number": number},
    )


def _reveal(
    request: OrganizationRequest,
    password_id: uuid.UUID,
    verb: Callable[[str], reveals.Revealed],
    context: dict[str, Any],
) -> HttpResponse:
    form = ReasonForm(posted(request))
    if form.is_valid():
        revealed = attempt(form, lambda: verb(form.cleaned_data["reason"]))
        if revealed:
            return _show(request, revealed, form.cleaned_data["reason"], context)
    context |= {
        "password": entry(password_id, trashed=True),
        "form": form,
        "suspension": suspension(request.membership, Assurance.of(request).user),
    }
    return render(request, "vault/reveal.html", context)


def _show(
    request: OrganizationRequest, revealed: reveals.Revealed, reason: str, context: dict[str, Any]
) -> HttpResponse:
    back = reverse("password", args=[request.organization.slug, revealed.password.pk])
    context = {**context, "revealed": revealed, "reason": reason, "back": back, "seconds": SHOWN_SECONDS}
    answer = render(request, "vault/revealed.html", context)
    answer.headers["Cache-Control"] = "no-store"
    # The browser itself leaves the page, with scripts or without.
    answer.headers["Refresh"] = f"{SHOWN_SECONDS}; url={back}"
    return answer


@permission(Permission.VAULT_REVEAL)
@form_page
@fresh
def password_copy(request: OrganizationRequest, password_id: uuid.UUID) -> HttpResponse:
    """For the script of a page, which puts the answer on the clipboard and nowhere else."""
    if request.method != "POST":
        return redirect("password-reveal", organization=request.organization.slug, password_id=password_id)
    form = CopyForm(request.POST)
    if not form.is_valid():
        return JsonResponse({"sentence": " ".join(_sentences(form))})
    cleaned = form.cleaned_data
    try:
        text = reveals.copy(password_id=password_id, part=cleaned["part"], reason=cleaned["reason"], **who(request))
    except VaultRefusal as refusal:
        status = 200 if refusal.field else refusal.status  # as a form that is asked again
        return JsonResponse({"sentence": str(refusal)}, status=status)
    return JsonResponse({"text": text}, headers={"Cache-Control": "no-store"})


def _sentences(form: CopyForm) -> list[str]:
    return [str(sentence) for errors in form.errors.values() for sentence in errors]
