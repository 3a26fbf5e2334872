"""The list by which an operator shows that everybody has a second factor."""

from datetime import UTC, datetime
from io import StringIO
from types import SimpleNamespace

import pytest
import time_machine
from django.core.management import CommandError, call_command

from casemate.accounts import backup_codes
from casemate.accounts.models import TotpDevice, User
from casemate.accounts.totp import new_seed


def listed() -> list[str]:
    out = StringIO()
    call_command("second_factors", stdout=out)
    return out.getvalue().splitlines()


def test_each_active_person_stands_with_kind_and_age(world: SimpleNamespace) -> None:
    User.objects.exclude(pk__in=[world.alice.pk, world.bob.pk]).update(is_active=False)
    TotpDevice.objects.filter(user=world.bob).delete()
    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC)):
        TotpDevice.objects.create(user=world.bob, name="Authenticator app", confirmed=True, seed=new_seed())
    backup_codes.issue(world.bob)
    lines = listed()
    assert lines[1] == f"{world.bob.email}  Authenticator app since 2026-03-01, 10 backup codes left"
    assert [line.split("  ")[0] for line in lines] == [world.alice.email, world.bob.email]


def test_it_fails_while_somebody_has_a_password_alone(
    world: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    TotpDevice.objects.filter(user=world.carol).update(confirmed=False)
    with pytest.raises(CommandError, match="1 of them can have no more than a password"):
        call_command("second_factors")
    assert f"{world.carol.email}  NO SECOND FACTOR" in capsys.readouterr().out


def test_who_was_invited_and_has_not_come_yet_is_told_apart(world: SimpleNamespace) -> None:
    invited = User(email="zoe@acme.example", must_change_password=True)
    invited.set_unusable_password()
    invited.save()
    assert listed()[-1] == "zoe@acme.example  not enrolled yet, and has no password either"
