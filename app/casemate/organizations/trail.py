"""The audit pages: an organisation's own stream for its auditors, the installation's for operators."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from casemate.audit.actions import Action
from casemate.audit.models import INSTALLATION
from casemate.audit.search import Page, Search, page
from casemate.organizations.access import OrganizationRequest, operators_only, permission
from casemate.tenancy.permissions import Permission

# What is written about people and the host themselves, to the installation's stream alone.
OF_THE_INSTALLATION = ("accounts.", "audit.", "security.")


@permission(Permission.AUDIT_VIEW)
@require_safe
def organization_audit(request: OrganizationRequest) -> HttpResponse:
    actions = [action for action in Action if not action.startswith(OF_THE_INSTALLATION)]
    return show(request, str(request.organization.pk), actions, request.organization.name)


@require_safe
@operators_only
def installation_audit(request: HttpRequest) -> HttpResponse:
    return show(request, INSTALLATION, list(Action), "this installation")


def show(request: HttpRequest, stream: str, actions: list[Action], whose: str) -> HttpResponse:
    search = Search(request.GET, actions=actions)
    shown = page(search, stream) if search.is_valid() else Page.empty()
    kept = {name: value for name, value in request.GET.dict().items() if name in search.fields}
    context = {
        "search": search,
        "page": shown,
        "whose": whose,
        "older": address(kept, "before", shown.older),
        "newer": address(kept, "after", shown.newer),
    }
    return render(request, "organizations/audit.html", context)


def address(kept: dict[str, str], way: str, number: int | None) -> str:
    if number is None:
        return ""
    return "?" + urlencode({**{k: v for k, v in kept.items() if v and k not in {"before", "after"}}, way: number})
