"""The policy headers that Django has no setting for. nginx sets the same ones on what it serves itself."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from casemate.policy import ENDPOINT, REPORTS

# Where the policies' `report-to` leads: our own origin.
REPORTING_ENDPOINTS = f'{ENDPOINT}="{REPORTS}"'


class PolicyHeaders:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        response.headers["Reporting-Endpoints"] = REPORTING_ENDPOINTS
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response
