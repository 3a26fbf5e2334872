"""Daily, by casemate-sessions.timer: what is over is deleted, so that no table grows for ever."""

from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from django.core.management.base import BaseCommand
from django.db.models import Q
from django.utils import timezone

from casemate.accounts.models import EnrolmentLink, Session

KEPT = timedelta(days=30)  # links and wrong tries; the audit log tells of them for as long as it lasts


class Command(BaseCommand):
    help = "Delete expired sessions, and enrolment links and wrong tries that were over 30 days ago; print how many."

    def handle(self, *_args: Any, **_options: Any) -> None:
        now = timezone.now()
        old = now - KEPT
        over = Q(expires_at__lt=old) | Q(finished_at__lt=old) | Q(revoked_at__lt=old)
        for what, rows in (
            ("expired sessions", Session.objects.filter(expire_date__lt=now)),
            ("enrolment links", EnrolmentLink.objects.filter(over)),
            ("wrong tries", AccessAttempt.objects.filter(attempt_time__lt=old)),
        ):
            deleted, _models = rows.delete()
            self.stdout.write(f"{what}: {deleted} deleted")
