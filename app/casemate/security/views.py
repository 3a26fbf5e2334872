from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from casemate import policy
from casemate.accounts.gate import Access, access
from casemate.audit.origin import client_address
from casemate.organizations.access import operators_only
from casemate.security import reports, services
from casemate.security.models import Violation

LONGEST_BODY = 64 * 1024  # nginx refuses what is longer, too


# No token: the browser itself sends these, from no form. It reads no session and changes nothing but the list.
@csrf_exempt
@access(Access.ANYONE)
@require_POST
def collect(request: HttpRequest) -> HttpResponse:
    if request.content_type not in reports.TYPES:
        return HttpResponse(status=415)
    if int(request.META.get("CONTENT_LENGTH") or 0) > LONGEST_BODY:
        return HttpResponse(status=413)
    address = client_address(request)
    services.admit(address)
    try:
        found = reports.read(request.read(LONGEST_BODY), request.content_type)
    except reports.Malformed:
        return HttpResponse(status=400)
    services.take(found, address=address)
    return HttpResponse(status=204)


@require_safe
@operators_only
def violations(request: HttpRequest) -> HttpResponse:
    trial = services.current_trial()
    context = {
        "standing": services.standing(trial) if trial else None,
        "quiet_days": settings.CSP_QUIET.days,
        "tried": settings.CSP_REPORT_ONLY,
        "enforced": policy.told(settings.SECURE_CSP),
        "violations": Violation.objects.select_related("trial").order_by("-last_seen_at", "-pk"),
        "current": trial,
    }
    return render(request, "security/violations.html", context)
