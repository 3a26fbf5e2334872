import uuid
from functools import partial
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from casemate.organizations.access import OrganizationRequest, permission
from casemate.tenancy.permissions import Permission, allows
from casemate.vault import folders as services
from casemate.vault import pages
from casemate.vault.folders import Tree
from casemate.vault.forms import FolderForm
from casemate.vault.views.answers import ask, attempt, form_page, go, posted, tells, who


@permission(Permission.VAULT_VIEW)
@require_safe
def folders(request: OrganizationRequest) -> HttpResponse:
    may = {"arrange": allows(request.membership.role, Permission.FOLDERS_CHANGE)}
    return render(
        request, "vault/folders.html", {"folders": pages.folder_rows(Tree.load(), pages.counts()), "may": may}
    )


@permission(Permission.FOLDERS_CHANGE)
@form_page
@tells
def folder_new(request: OrganizationRequest) -> HttpResponse:
    initial = {"parent": request.GET.get("in"), "reason_required": True}
    form = FolderForm(posted(request), tree=Tree.load(), initial=initial)
    if form.is_valid():
        verb = partial(services.create_folder, **fields(form), **who(request))
        if attempt(form, verb):
            return go(request, "folders")
    return ask(request, "vault/folder_new.html", form, {})


@permission(Permission.FOLDERS_CHANGE)
@form_page
@tells
def folder(request: OrganizationRequest, folder_id: uuid.UUID) -> HttpResponse:
    tree = Tree.load()
    found = tree.node(folder_id).folder
    initial = {"name": found.name, "parent": found.parent_id, "reason_required": found.reason_required}
    form = FolderForm(posted(request), tree=tree, own=found, initial=initial)
    if form.is_valid():
        verb = partial(services.change_folder, folder_id=folder_id, **fields(form), **who(request))
        if attempt(form, verb):
            return go(request, "folders")
    return ask(request, "vault/folder.html", form, {"folder": found})


def fields(form: FolderForm) -> dict[str, Any]:
    cleaned = form.cleaned_data
    return {"name": cleaned["name"], "parent_id": cleaned["parent"], "reason_required": cleaned["reason_required"]}
