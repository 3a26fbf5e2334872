"""How the vault's pages answer: forms that keep what was typed, and a sentence for each refusal."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, cast

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from casemate.accounts.assurance import Assurance
from casemate.errors import page
from casemate.organizations.access import OrganizationRequest
from casemate.vault.models import Password
from casemate.vault.refusals import Outdated, Unknown, VaultRefusal

form_page = require_http_methods(["GET", "HEAD", "POST"])
TITLES = {
    403: "Not for now",
    409: "Not as it was",
    422: "That cannot be done",
    429: "That was many in a short time",
    500: "This value does not open",
}
NO_FORM_MENDS = {403, 429, 500}

type View[**P] = Callable[Concatenate[OrganizationRequest, P], HttpResponseBase]


def tells[**P](view: View[P]) -> View[P]:
    """A refusal that no form shows becomes a page with its sentence."""

    @wraps(view)
    def told(request: OrganizationRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except Unknown:
            raise Http404 from None
        except VaultRefusal as refusal:
            return page(request, refusal.status, TITLES[refusal.status], str(refusal))

    return told


def who(request: OrganizationRequest) -> dict[str, Any]:
    """The arguments that every service takes."""
    return {"membership": request.membership, "assurance": Assurance.of(request)}


def attempt[R](form: forms.Form, verb: Callable[[], R]) -> R | None:
    """Do it, or write on the form why not. What is not about the form goes on up."""
    try:
        return verb()
    except VaultRefusal as refusal:
        if refusal.status in NO_FORM_MENDS or (isinstance(refusal, Unknown) and refusal.field is None):
            raise
        form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        if isinstance(refusal, Outdated):
            # Saved once more, the form goes on top of what stands now, which its person has been told of.
            data = cast("QueryDict", form.data).copy()
            data["version"] = str(refusal.version)
            form.data = data
        return None


def ask(request: HttpRequest, template: str, form: forms.Form, context: dict[str, Any]) -> HttpResponse:
    """The form's page; to the script of a page, which keeps what was typed, what is wrong with it."""
    if form.is_bound and asked_by_script(request):
        answer: dict[str, Any] = {"errors": {name or "": list(errors) for name, errors in form.errors.items()}}
        if "version" in form.fields:
            answer["version"] = form.data.get("version", "")
        return JsonResponse(answer)
    return render(request, template, {"form": form, **context})


def go(request: OrganizationRequest, name: str, **arguments: Any) -> HttpResponse:
    answer = redirect(name, organization=request.organization.slug, **arguments)
    return JsonResponse({"go": answer.url}) if asked_by_script(request) else answer


def asked_by_script(request: HttpRequest) -> bool:
    return request.headers.get("Accept") == "application/json"


def posted(request: HttpRequest) -> Any:
    """POST's fields, even where a form has none."""
    return request.POST if request.method == "POST" else None


def entry(password_id: uuid.UUID, *, trashed: bool = False) -> Password:
    """A password of this organisation without its sealed column, or 404."""
    rows = Password.listed() if trashed else Password.listed().filter(deleted_at=None)
    found = rows.filter(pk=password_id).first()
    if found is None:
        raise Http404
    return found
