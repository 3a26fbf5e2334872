from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count

from casemate.accounts.models import BackupCode, TotpDevice, User


class Command(BaseCommand):
    help = "List each active person with their second factor; fail while somebody has a password and no second factor."

    def handle(self, *_args: Any, **_options: Any) -> None:
        devices = {device.user_id: device for device in TotpDevice.objects.filter(confirmed=True)}
        unused = BackupCode.objects.filter(used_at=None).values_list("user_id").annotate(Count("pk")).order_by()
        codes = dict(unused)
        without = 0
        for person in User.objects.filter(is_active=True).order_by("email"):
            device = devices.get(person.pk)
            if device is not None:
                has = f"{device.name} since {device.created_at:%Y-%m-%d}, {codes.get(person.pk, 0)} backup codes left"
            elif person.has_usable_password():
                has = "NO SECOND FACTOR"
                without += 1
            else:
                has = "not enrolled yet, and has no password either"
            self.stdout.write(f"{person.email}  {has}")
        if without:
            raise CommandError(
                f"{without} of them can have no more than a password: until each has set up a second factor by their "
                "enrolment link, or by a new one, they reach no page but that."
            )
