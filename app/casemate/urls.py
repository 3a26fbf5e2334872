from django.urls import include, path

from casemate.health import healthz
from casemate.organizations.trail import installation_audit

# What each organisation has. OrganizationAccess takes `organization` and hands the view a request that knows it.
_of_an_organization = [
    path("", include("casemate.organizations.urls")),
    path("vault/", include("casemate.vault.urls")),
]
urlpatterns = [
    path("audit/", installation_audit, name="audit"),
    path("o/<slug:organization>/", include(_of_an_organization)),
    path("", include("casemate.accounts.urls")),
    path("", include("casemate.security.urls")),
    path("healthz", healthz, name="healthz"),
]
handler400 = "casemate.errors.bad_request"
handler403 = "casemate.errors.forbidden"
handler404 = "casemate.errors.not_found"
handler500 = "casemate.errors.server_error"
