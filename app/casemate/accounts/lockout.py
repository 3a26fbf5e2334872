"""Wrong passwords and codes, counted by django-axes in the database: an address that guesses is locked out for an hour.

Two counts, both of one address: five wrong tries for one person, twenty for all persons together, since a few common
passwords tried on everybody are guessing too, while an office behind one address mistypes now and then. Nothing counts
a person alone: by that a stranger could lock anybody out from everywhere. Wrong second factors count like wrong
passwords, and only a whole sign-in ends the count of that person at that address, not the right password: who has
stolen one gets five codes an hour, not as many as they like.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest
from django.utils.timezone import now

from casemate.accounts.models import normalised
from casemate.audit.origin import Origin, client_address

NO_ADDRESS = "(not an e-mail address)"  # people type their password into the wrong field, and it must not be kept


def typed(email: str) -> str:
    """What was typed as an address, unless it is none."""
    try:
        validate_email(normalised(email))
    except ValidationError:
        return NO_ADDRESS
    return normalised(email)[:254]


def neighbourhood(address: str) -> str:
    """What counts as one address: of IPv6 the /64, since whoever has one address of it has them all."""
    if ":" not in address:
        return address
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False).network_address)


class Attempt(HttpRequest):
    """What axes is shown of a request: the address. Of the real one it would keep the form, and with it what people
    type into the wrong field, and it would begin a new count with each new User-Agent."""

    axes_locked_out: bool
    axes_failures_since_start: int | None

    def __init__(self, origin: Origin) -> None:
        super().__init__()
        self.META["REMOTE_ADDR"] = origin.ip


def attempt_address(request: HttpRequest) -> str | None:
    return neighbourhood(client_address(request)) or None


def attempt_person(_request: HttpRequest, credentials: dict[str, str] | None) -> str:
    return typed((credentials or {}).get("email") or "")


class Attempts(AxesDatabaseHandler):
    def get_failures(self, request: HttpRequest, credentials: dict[str, str] | None = None) -> int:
        """Of the two counts the one that is nearer to its limit, as axes compares both with the person's."""
        for_person, for_all = (
            sum(attempts.values_list("failures_since_start", flat=True))
            for attempts in self.get_user_attempts(request, credentials)
        )
        nearer: int = max(for_person, for_all - (settings.LOCKOUT_LIMIT_FOR_ALL - settings.AXES_FAILURE_LIMIT))
        return nearer

    def user_logged_in(self, *_args: object, **_kwargs: object) -> None:
        """Nothing: that is the right password alone. See `forgive`."""

    def user_logged_out(self, *_args: object, **_kwargs: object) -> None:
        """Nothing: the audit log tells it."""


def locked(email: str, origin: Origin) -> bool:
    return bool(AxesProxyHandler.is_locked(Attempt(origin), {"email": email}))


def failed(email: str, origin: Origin) -> bool:
    """Count a wrong second factor; whether that was one too many."""
    attempt = Attempt(origin)
    AxesProxyHandler.user_login_failed(__name__, {"email": email}, attempt)
    return attempt.axes_locked_out


def forgive(email: str, origin: Origin) -> None:
    """After a whole sign-in: the person's count at this address begins anew. The address's own goes on."""
    AccessAttempt.objects.filter(username=typed(email), ip_address=neighbourhood(origin.ip) or None).delete()


@dataclass(frozen=True)
class Count:
    address: str
    person: str
    failures: int
    locked: bool
    until: datetime


def counts() -> Iterator[Count]:
    """What counts now, for an operator to look at: each person at each address, then addresses that tried many."""
    attempts = list(AccessAttempt.objects.filter(attempt_time__gt=now() - settings.AXES_COOLOFF_TIME))
    addresses: dict[str, list[AccessAttempt]] = {}
    for attempt in attempts:
        addresses.setdefault(attempt.ip_address or "", []).append(attempt)
    for address, tried in sorted(addresses.items()):
        for attempt in tried:
            failures = attempt.failures_since_start
            until = attempt.attempt_time + settings.AXES_COOLOFF_TIME
            yield Count(address, attempt.username or "", failures, failures >= settings.AXES_FAILURE_LIMIT, until)
        failures = sum(attempt.failures_since_start for attempt in tried)
        if failures >= settings.LOCKOUT_LIMIT_FOR_ALL:
            # Open again as soon as enough of them are an hour old; at the latest then.
            until = max(attempt.attempt_time for attempt in tried) + settings.AXES_COOLOFF_TIME
            yield Count(address, "everybody", failures, True, until)
