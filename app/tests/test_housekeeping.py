"""What the daily timer deletes, and what it leaves."""

from datetime import timedelta
from io import StringIO
from types import SimpleNamespace

from axes.models import AccessAttempt
from django.core.management import call_command
from django.utils.timezone import now

from casemate.accounts.models import EnrolmentLink, Session


def test_what_is_over_is_deleted_and_the_rest_stays(world: SimpleNamespace) -> None:
    for name, ago in (("over", timedelta(seconds=1)), ("going on", -timedelta(minutes=1))):
        Session.objects.create(session_key=name, session_data="", expire_date=now() - ago)
    long_ago, lately = now() - timedelta(days=31), now() - timedelta(days=29)
    kept = []
    for field in ("expires_at", "finished_at", "revoked_at"):
        for token, at in (("old", long_ago), ("new", lately)):
            link, _token = EnrolmentLink.issue(world.bob)
            EnrolmentLink.objects.filter(pk=link.pk).update(**{field: at})
            kept += [link.pk] if token == "new" else []
    waiting, _token = EnrolmentLink.issue(world.bob)
    for person, at in (("old", long_ago), ("new", lately)):
        attempt = AccessAttempt.objects.create(username=person, ip_address="192.0.2.7", failures_since_start=1)
        AccessAttempt.objects.filter(pk=attempt.pk).update(attempt_time=at)
    out = StringIO()
    call_command("sessions_clear", stdout=out)
    assert out.getvalue() == "expired sessions: 1 deleted\nenrolment links: 3 deleted\nwrong tries: 1 deleted\n"
    assert Session.objects.get().session_key == "going on"
    assert set(EnrolmentLink.objects.values_list("pk", flat=True)) == {*kept, waiting.pk}
    assert AccessAttempt.objects.get().username == "new"
    out = StringIO()
    call_command("sessions_clear", stdout=out)
    assert out.getvalue() == "expired sessions: 0 deleted\nenrolment links: 0 deleted\nwrong tries: 0 deleted\n"
