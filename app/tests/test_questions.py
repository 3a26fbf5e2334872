"""The questions of an incident, as an operator asks them at the host: each gives its events alone, in order of time."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import transaction

from casemate.accounts import new_passwords
from casemate.audit.actions import Action
from casemate.audit.origin import STRANGER, TERMINAL, Actor, Origin, Target
from casemate.audit.services import record
from tests.browser import ADDRESS, Browser

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def asked(*words: str) -> list[list[str]]:
    out = StringIO()
    call_command("audit_events", *words, stdout=out)
    return [line.split("  ") for line in out.getvalue().splitlines()]


def happened(stream: object, action: Action, *, at: float = 0, success: bool = True, **event: object) -> None:
    given = {"actor": TERMINAL, "origin": Origin(), "target": Target("thing", "7", "a thing"), **event}
    with time_machine.travel(NOON + timedelta(hours=at), tick=False), transaction.atomic():
        record(action, success=success, stream=str(stream), **given)  # type: ignore[arg-type]  # any field


def test_failed_sign_ins_are_those_of_the_sign_in_alone(world: SimpleNamespace) -> None:
    Browser().give_password(world.alice, "wrong")
    bob = Browser()
    bob.give_password(world.bob)
    bob.give_code("000000")
    Browser().sign_in(world.carol)
    elsewhere = {"actor": Actor.person(world.carol), "target": Target.person(world.carol), "success": False}
    for action, path in ((Action.PASSWORD_CHECKED, "/password/"), (Action.STEPPED_UP, "/step-up/")):
        with transaction.atomic():
            record(action, origin=Origin(ip=ADDRESS, path=path), **elsewhere)
    assert [line[1:4] for line in asked("failed-sign-ins")] == [
        ["the installation", ADDRESS, f"Somebody not signed in gave a wrong password for {world.alice.email}"],
        ["the installation", ADDRESS, f"{world.bob.email} gave a wrong second factor"],
    ]


def test_new_passwords_are_peoples_own_and_none_of_the_vault(world: SimpleNamespace) -> None:
    new_passwords.set_at_terminal(email=world.bob.email, password="four new herons wait")
    with transaction.atomic():
        record(
            Action.VAULT_PASSWORD_CHANGED,
            actor=Actor.person(world.bob),
            origin=Origin(),
            success=True,
            stream=str(world.acme.pk),
        )
    assert [line[1:] for line in asked("new-passwords")] == [
        ["the installation", "the host", f"An operator at the host set the password of {world.bob.email}"]
    ]


def test_what_a_person_did_is_told_of_every_place_in_order(world: SimpleNamespace) -> None:
    alice = {"actor": Actor.person(world.alice)}
    happened(world.globex.pk, Action.FOLDER_CREATED, at=3, **alice)
    happened("installation", Action.SIGNED_IN, at=1, **alice)
    happened(world.acme.pk, Action.MEMBER_ADDED, at=2, **alice)
    happened(world.acme.pk, Action.MEMBER_ADDED, at=2, actor=Actor.person(world.bob), target=Target.person(world.alice))
    happened(
        "installation", Action.PASSWORD_CHECKED, at=2, actor=STRANGER, success=False, target=Target.person(world.alice)
    )
    with time_machine.travel(NOON + timedelta(days=1)):
        found = asked("person", world.alice.email.upper())
    assert [line[:2] for line in found] == [
        ["2026-05-01 13:00:00 UTC", "the installation"],
        ["2026-05-01 14:00:00 UTC", "acme"],
        ["2026-05-01 15:00:00 UTC", "globex"],
    ]


def test_what_happened_in_an_organisation_is_told_of_no_other(world: SimpleNamespace) -> None:
    happened(world.acme.pk, Action.FOLDER_CREATED, at=2, detail={"reason_required": True, "in": ""})
    happened(world.acme.pk, Action.MEMBER_ADDED, at=1)
    happened(world.globex.pk, Action.FOLDER_CREATED)
    with time_machine.travel(NOON + timedelta(days=1)):
        found = asked("organization", "acme")
        assert asked("organization", str(world.acme.pk)) == found, "of one that is gone, its id is left"
    assert [line[0][11:16] for line in found] == ["13:00", "14:00"]
    assert found[1][3:] == ["An operator at the host made the folder a thing", "reason required: yes"]


def test_what_is_older_is_left_out(world: SimpleNamespace) -> None:
    happened(world.acme.pk, Action.FOLDER_CREATED)
    with time_machine.travel(NOON + timedelta(days=8)):
        assert asked("organization", "acme", "--days", "7") == [["No event of the last 7 days is like that."]]
        assert len(asked("organization", "acme", "--days", "9")) == 1


def test_what_a_terminal_would_obey_is_shown(world: SimpleNamespace) -> None:
    happened(
        world.acme.pk, Action.FOLDER_CREATED, target=Target("vault.folder", "7", "\x1b[2Jgone"), detail={"in": "a\nb"}
    )
    with time_machine.travel(NOON):
        [line] = asked("organization", "acme")
    assert line[3:] == [r"An operator at the host made the folder \x1b[2Jgone", r"in: a\nb"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["person"], "Say whose events"),
        (["organization"], "Say whose events"),
        (["person", "nobody@acme.example"], "No event says that nobody@acme.example did it"),
        (["organization", "no-such"], "No organisation has the slug no-such"),
        (["organization", "installation"], "No organisation has the slug"),
        (["new-passwords", "acme"], "is asked of everybody"),
        (["failed-sign-ins", "--days", "0"], "--days is 0"),
        (["everything"], "invalid choice"),
    ],
)
def test_a_question_without_an_answer_says_why(world: SimpleNamespace, words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        asked(*words)
