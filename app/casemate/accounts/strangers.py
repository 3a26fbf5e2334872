"""What strangers are refused, counted by address and minute: who tries door after door is seen by that alone."""

import logging
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from casemate import limiter
from casemate.accounts.lockout import neighbourhood
from casemate.audit.origin import client_address

log = logging.getLogger("casemate.refused")
REFUSALS = frozenset({400, 403, 404, 405, 410, 429})


class CountStrangers:
    """The 1st, 10th, 100th, … refusal of an address within a minute is a line of the log, with the number that it is.

    A line of the log and no event: the audit log is kept for years, and strangers could fill it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        refused = response.status_code in REFUSALS or getattr(request, "turned_away", False)
        if refused and stranger(request):
            address = neighbourhood(client_address(request))
            if times := limiter.worth_telling("refused", address):
                log.warning("stranger refused", extra={"address": address, "times": times})
        return response


def stranger(request: HttpRequest) -> bool:
    """Without a cookie nobody asks the database who it is."""
    return settings.SESSION_COOKIE_NAME not in request.COOKIES or not request.user.is_authenticated
