"""The vault's pages. No page of this module opens anything; reveals.py has those that do."""

import uuid

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from casemate.accounts.assurance import Assurance
from casemate.organizations.access import OrganizationRequest, permission
from casemate.tenancy.permissions import Permission, allows
from casemate.vault import pages, services
from casemate.vault.folders import Tree
from casemate.vault.forms import PasswordChangeForm, PasswordForm, ReasonForm, SearchForm
from casemate.vault.guard import suspension
from casemate.vault.models import PasswordRevision
from casemate.vault.reveals import last_shown
from casemate.vault.views.answers import ask, attempt, entry, form_page, go, posted, tells, who


@permission(Permission.VAULT_VIEW)
@require_safe
@tells
def vault(request: OrganizationRequest) -> HttpResponse:
    form, tree = SearchForm(request.GET), Tree.load()
    asked = form.cleaned_data if form.is_valid() else {}
    if "folder" in form.errors:
        raise Http404
    folder_id = asked.get("folder")
    chosen = tree.node(folder_id) if folder_id else None
    lying = pages.counts()
    listing = pages.find(tree, lying, q=asked.get("q", ""), folder_id=folder_id, page=asked.get("page") or 1)
    context = {
        "form": form,
        "home": reverse("vault", args=[request.organization.slug]),  # once, not once a row
        "q": asked.get("q", ""),
        "chosen": chosen,
        "listing": listing,
        "folders": pages.folder_rows(tree, lying),
        "may": rights(request),
    }
    return render(request, "vault/vault.html", context)


@permission(Permission.VAULT_CHANGE)
@form_page
@tells
def password_new(request: OrganizationRequest) -> HttpResponse:
    tree = Tree.load()
    form = PasswordForm(posted(request), tree=tree, initial={"folder": request.GET.get("folder")})
    if form.is_valid():
        made = attempt(
            form,
            lambda: services.create_password(
                folder_id=form.cleaned_data["folder"],
                name=form.cleaned_data["name"],
                parts=form.parts(),
                **who(request),
            ),
        )
        if made:
            return go(request, "password", password_id=made.pk)
    return ask(request, "vault/password_new.html", form, {"folders": tree.nodes, "may": rights(request)})


@permission(Permission.VAULT_VIEW)
@require_safe
def password(request: OrganizationRequest, password_id: uuid.UUID) -> HttpResponse:
    found = entry(password_id, trashed=True)
    may, assurance = rights(request), Assurance.of(request)
    context = {
        "password": found,
        "may": may,
        "form": ReasonForm(),
        "fresh": assurance.fresh,
        "suspension": suspension(request.membership, assurance.user),
        "shown": last_shown(found) if may["see_people"] else None,
        "path": Tree.load().node(found.folder_id).path,
    }
    return render(request, "vault/password.html", context)


@permission(Permission.VAULT_CHANGE)
@form_page
@tells
def password_edit(request: OrganizationRequest, password_id: uuid.UUID) -> HttpResponse:
    found, tree = entry(password_id), Tree.load()
    initial = {"name": found.name, "folder": found.folder_id, "version": found.version}
    form = PasswordChangeForm(posted(request), tree=tree, initial=initial)
    if form.is_valid():
        changed = attempt(
            form,
            lambda: services.change_password(
                password_id=password_id,
                version=form.cleaned_data["version"],
                folder_id=form.cleaned_data["folder"],
                name=form.cleaned_data["name"],
                parts=form.parts(),
                **who(request),
            ),
        )
        if changed:
            return go(request, "password", password_id=password_id)
    return ask(request, "vault/password_edit.html", form, {"password": found})


@permission(Permission.VAULT_VIEW)
@require_safe
def password_history(request: OrganizationRequest, password_id: uuid.UUID) -> HttpResponse:
    found = entry(password_id, trashed=True)
    revisions = (
        PasswordRevision.objects.defer("contents")
        .select_related("written_by", "replaced_by")
        .filter(password=found)
        .order_by("-number")[: pages.A_PAGE]
    )
    context = {"password": found, "revisions": list(revisions), "may": rights(request)}
    return render(request, "vault/history.html", context)


@permission(Permission.VAULT_CHANGE)
@form_page
@tells
def password_delete(request: OrganizationRequest, password_id: uuid.UUID) -> HttpResponse:
    if request.method == "POST":
        services.trash_password(password_id=password_id, **who(request))
        return go(request, "vault-trash")
    return render(request, "vault/password_delete.html", {"password": entry(password_id)})


@permission(Permission.VAULT_CHANGE)
@require_POST
@tells
def password_restore(request: OrganizationRequest, password_id: uuid.UUID) -> HttpResponse:
    services.restore_password(password_id=password_id, **who(request))
    return go(request, "password", password_id=password_id)


@permission(Permission.VAULT_VIEW)
@require_safe
def trash(request: OrganizationRequest) -> HttpResponse:
    form = SearchForm(request.GET)
    number = (form.cleaned_data["page"] or 1) if form.is_valid() else 1
    return render(request, "vault/trash.html", {"listing": pages.trashed(Tree.load(), number), "may": rights(request)})


def rights(request: OrganizationRequest) -> dict[str, bool]:
    """For templates: what the member may do, by short names. The services decide for themselves."""
    role = request.membership.role
    return {
        "change": allows(role, Permission.VAULT_CHANGE),
        "reveal": allows(role, Permission.VAULT_REVEAL),
        "arrange": allows(role, Permission.FOLDERS_CHANGE),
        "see_people": allows(role, Permission.MEMBERS_VIEW),
    }
