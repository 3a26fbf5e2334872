"""How a command shows an enrolment link: at the terminal, and nowhere else."""

from django.conf import settings
from django.core.management.base import BaseCommand
from django.urls import reverse

from casemate.accounts.models import LINK_AGE


def tell_link(command: BaseCommand, email: str, token: str | None) -> None:
    """The link alone goes to stdout, so that it can be piped; the words about it go to stderr."""
    if token is None:
        command.stderr.write(f"{email} is enrolled already and signs in as before.")
        return
    hours = int(LINK_AGE.total_seconds() // 3600)
    command.stderr.write(f"For {email}, once, within {hours} hours; it is shown only here:")
    command.stdout.write(f"https://{settings.SITE_NAME}{reverse('enrol', args=[token])}")
