from django.urls import include, path

from casemate.health import healthz

urlpatterns = [
    path("", include("casemate.accounts.urls")),
    path("healthz", healthz, name="healthz"),
]
handler400 = "casemate.errors.bad_request"
handler403 = "casemate.errors.forbidden"
handler404 = "casemate.errors.not_found"
handler500 = "casemate.errors.server_error"
