"""Reports of violations, gathered in a list that cannot grow for ever; and what a policy on trial has shown so far."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Max
from django.utils.timezone import now

from casemate import limiter, policy
from casemate.accounts.lockout import neighbourhood
from casemate.accounts.models import User
from casemate.audit.actions import Action
from casemate.audit.origin import TERMINAL, Origin, Target
from casemate.audit.services import committed, record
from casemate.security.models import Trial, Violation
from casemate.security.reports import Report

log = logging.getLogger("casemate.violations")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FROM_ONE, FROM_ALL = 120, 1200  # requests a minute
NEW_FROM_ONE = 30  # kinds an hour that an address may add: one who makes them up does not fill the list alone
KINDS = 200  # rows; what comes beyond them is counted in one row a policy
KEPT = timedelta(days=90)  # since it was seen last; then it makes room
BEYOND = Report(directive="", page="", blocked="", by_extension=False, on_trial=False)


class NotYet(Exception):
    """The policy may not be enforced now; the text says why, and until when."""


def admit(address: str) -> None:
    """Raise limiter.TooMany or limiter.LimiterDown."""
    limiter.require("csp-reports-from", neighbourhood(address), limit=FROM_ONE, per=MINUTE)
    limiter.require("csp-reports", "all", limit=FROM_ALL, per=MINUTE)


def take(reports: Iterable[Report], *, address: str) -> None:
    """Add what one request reported. No audit event: strangers could fill that log, which is kept for years."""
    trial = current_trial()
    for report, times in Counter(reports).items():
        # A report from a trial that has ended says nothing about the one that runs now, nor about what is enforced.
        if report.on_trial and trial is None:
            continue
        of = trial if report.on_trial else None
        if not _seen_again(report, of, times):
            _first_seen(report, of, times, address)


def _name(of: Trial | None) -> str:
    return of.digest if of else "enforced"


def _seen_again(report: Report, of: Trial | None, times: int) -> bool:
    known = Violation.objects.filter(digest=report.digest(_name(of)))
    return bool(known.update(count=F("count") + times, last_seen_at=now()))


def _first_seen(report: Report, of: Trial | None, times: int, address: str) -> None:
    allowed = limiter.hit("csp-kinds-from", neighbourhood(address), limit=NEW_FROM_ONE, per=HOUR).allowed
    if not allowed or not _room():
        report = BEYOND
        if _seen_again(report, of, times):
            return
    at = now()
    try:
        with transaction.atomic():
            Violation.objects.create(
                digest=report.digest(_name(of)),
                trial=of,
                directive=report.directive,
                page=report.page,
                blocked=report.blocked,
                by_extension=report.by_extension,
                count=times,
                first_seen_at=at,
                last_seen_at=at,
            )
    except IntegrityError:  # another request was first
        _seen_again(report, of, times)
        return
    told = {"directive": report.directive, "page": report.page, "blocked": report.blocked}
    log.warning("a new violation of the policy", extra={"fields": {**told, "policy": "on trial" if of else "enforced"}})


def _room() -> bool:
    if Violation.objects.count() < KINDS:
        return True
    deleted, _models = Violation.objects.filter(last_seen_at__lt=now() - KEPT).delete()
    return bool(deleted)


@committed
def forget(*, number: int) -> Violation:
    """An operator at the host has looked at it: it counts against no trial any more. Raises DoesNotExist."""
    violation = Violation.objects.select_for_update().get(pk=number)
    Violation.objects.filter(pk=number).delete()
    record(
        Action.VIOLATION_FORGOTTEN,
        actor=TERMINAL,
        origin=Origin(),
        target=Target("violation", str(number), str(violation)[:200]),
        success=True,
        detail={"times": violation.count, "first_seen": violation.first_seen_at.isoformat(timespec="seconds")},
    )
    return violation


def current_trial() -> Trial | None:
    tried = settings.SECURE_CSP_REPORT_ONLY
    return Trial.objects.filter(digest=policy.digest(tried)).first() if tried else None


@committed
def begin_trial() -> bool:
    """Note since when the declared policy is on trial; whether that is new."""
    tried = settings.SECURE_CSP_REPORT_ONLY
    if not tried or current_trial() is not None:
        return False
    trial = Trial.objects.create(digest=policy.digest(tried), policy=policy.told(tried))
    record(
        Action.TRIAL_BEGUN,
        actor=TERMINAL,
        origin=Origin(),
        target=Target("policy", trial.digest, settings.CSP_REPORT_ONLY[:200]),
        success=True,
        detail={"quiet_days": settings.CSP_QUIET.days},
    )
    return True


@dataclass(frozen=True)
class Standing:
    """What a trial has shown so far."""

    trial: Trial
    quiet_since: datetime  # the beginning, or when the last new kind came
    kinds: int
    people: int  # who signed in during it: without any, nobody looked

    @property
    def ready_at(self) -> datetime:
        return self.quiet_since + settings.CSP_QUIET

    @property
    def over(self) -> bool:
        return self.people > 0 and now() >= self.ready_at


def standing(trial: Trial) -> Standing:
    # What an extension of somebody's browser did says nothing about our pages.
    of_pages = Violation.objects.filter(trial=trial, by_extension=False)
    newest = of_pages.exclude(directive="").aggregate(at=Max("first_seen_at"))["at"]
    # Each one in that row may have been new.
    beyond = of_pages.filter(directive="").aggregate(at=Max("last_seen_at"))["at"]
    return Standing(
        trial=trial,
        quiet_since=max(filter(None, (trial.began_at, newest, beyond))),
        kinds=of_pages.count(),
        people=User.objects.filter(signed_in_at__gte=trial.began_at).count(),
    )


def require_quiet(text: str) -> None:
    """Raise NotYet unless that policy is enforced already, or its trial saw nothing new for long enough."""
    try:
        wanted = policy.tightened(settings.CSP_OF_THE_RELEASE, text)
    except ValueError as fault:
        raise NotYet(f"csp_enforced: {fault}. Take it out of declared.yml.") from None
    if policy.told(wanted) == policy.told(settings.SECURE_CSP):
        return
    trial = Trial.objects.filter(digest=policy.digest(wanted)).first()
    if trial is None:
        raise NotYet(
            "This policy was never on trial. Declare it as csp_report_only first, converge, and enforce it after"
            f" {settings.CSP_QUIET.days} days without a new violation."
        )
    shown = standing(trial)
    if shown.people == 0:
        raise NotYet(
            f"Nobody has signed in since the trial began on {shown.trial.began_at:%Y-%m-%d}: it shows nothing."
        )
    if not shown.over:
        raise NotYet(
            f"The last new violation of it came on {shown.quiet_since:%Y-%m-%d %H:%M} UTC, or the trial began then: it"
            f" may be enforced from {shown.ready_at:%Y-%m-%d %H:%M} UTC on, if nothing new comes"
            f" ({settings.CSP_QUIET.days} days of quiet). `casemate violations` lists what came."
        )
