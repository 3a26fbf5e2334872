"""A second factor that an operator takes away: what goes with it, and who reads of it."""

from collections.abc import Callable
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from casemate.accounts import backup_codes, services
from casemate.accounts.models import BackupCode, EnrolmentLink, TotpDevice, User
from casemate.accounts.totp import new_seed
from casemate.audit.models import Event
from casemate.audit.words import to_whom, what, who
from casemate.tenancy.models import Membership
from tests.browser import NEW, SITE, Browser, enrolled_by

SUSPENDING = "organizations.member.suspend_revealing"
Reset = Callable[[str], tuple[str, str]]
SignedIn = Callable[[str], Browser]
Trail = Callable[[], list[tuple[str, bool]]]


# What goes


def test_every_device_and_code_of_bob_goes_and_nobody_elses(world: SimpleNamespace, reset: Reset) -> None:
    TotpDevice.objects.create(user=world.bob, name="Half set up", confirmed=False, seed=new_seed())
    for person in (world.bob, world.carol):
        backup_codes.issue(person)
    before = TotpDevice.objects.exclude(user=world.bob).count()
    reset("bob")
    assert not TotpDevice.objects.filter(user=world.bob).exists()
    assert set(BackupCode.objects.values_list("user", flat=True)) == {world.carol.pk}
    assert TotpDevice.objects.count() == before


def test_sessions_links_and_the_password_go_with_it(
    world: SimpleNamespace, signed_in: SignedIn, alice: Browser, reset: Reset
) -> None:
    bob, waiting = signed_in("bob"), Browser()
    waiting.give_password(world.bob)
    _user, token = services.issue_enrolment_link(email=world.bob.email, again=True)
    reset("bob")
    assert [browser.get("/").url for browser in (bob, waiting)] == ["/sign-in/"] * 2
    assert Browser().get(f"/enrol/{token}/").status_code == 410
    assert Browser().give_password(world.bob).status_code == 200, "it opens nothing any more"
    assert alice.get("/").status_code == 200


def test_a_set_up_that_was_going_on_is_over(world: SimpleNamespace, reset: Reset) -> None:
    """Whoever has the former link has used it, and stands before the page with the key."""
    _user, token = services.issue_enrolment_link(email=world.bob.email, again=True)
    mallory = Browser()
    mallory.post(f"/enrol/{token}/", {"password": NEW, "again": NEW})
    assert mallory.get("/enrol/totp/").status_code == 200
    reset("bob")
    assert mallory.get("/enrol/totp/").url == "/sign-in/"
    assert not User.objects.get(pk=world.bob.pk).may_set_up_second_factor()


def test_the_link_alone_goes_to_stdout_and_enrols_anew(world: SimpleNamespace, reset: Reset) -> None:
    out, err = reset("bob")
    assert out.startswith(f"{SITE}/enrol/")
    assert (out.count("\n"), "/enrol/" in err) == (1, False)
    bob = enrolled_by(out, world.bob)
    assert bob.get("/").status_code == 200
    assert BackupCode.objects.filter(user=world.bob).count() == 10


def test_a_second_reset_gives_a_new_link_to_who_let_the_first_run_out(world: SimpleNamespace, reset: Reset) -> None:
    first, second = reset("bob")[0], reset("bob")[0]
    assert Browser().get(first.strip().removeprefix(SITE)).status_code == 410
    assert Browser().get(second.strip().removeprefix(SITE)).status_code == 200


def test_who_was_reset_is_listed_as_not_enrolled(world: SimpleNamespace, reset: Reset) -> None:
    """A password alone would make the list fail."""
    reset("bob")
    out = StringIO()
    call_command("second_factors", stdout=out)
    assert f"{world.bob.email}  not enrolled yet, and has no password either" in out.getvalue()


# Who reads of it


def test_the_installation_and_each_organisation_have_an_event_of_it(
    world: SimpleNamespace, signed_in: SignedIn, bob_at_globex: Membership, reset: Reset, trail: Trail
) -> None:
    signed_in("bob")
    before = len(trail())
    reset("bob")
    assert trail()[before:] == [
        ("accounts.second_factor.reset", True),
        (SUSPENDING, True),
        (SUSPENDING, True),
        ("accounts.sessions.end", True),
        ("accounts.enrolment_link.issue", True),
    ]
    own = Event.objects.get(action="accounts.second_factor.reset")
    others = list(Event.objects.filter(action=SUSPENDING))
    assert {event.stream for event in others} == {str(world.acme.pk), str(world.globex.pk)}
    assert own.stream == "installation"
    for event in (own, *others):
        assert (event.actor_kind, event.actor, event.target_id) == ("terminal", "", str(world.bob.pk))
    sentence = f"{who(others[0])} {what(others[0])} {to_whom(others[0])}"
    assert sentence == (
        f"An operator at the host reset the second factor, which suspends revealing, of {world.bob.email}"
    )


def test_alice_reads_of_it_in_her_log_and_mallory_nothing_in_hers(
    world: SimpleNamespace, signed_in: SignedIn, reset: Reset
) -> None:
    reset("bob")
    page = signed_in("alice").get("/o/acme/audit/").text
    assert "which suspends revealing" in page
    assert world.bob.email in page
    assert world.bob.email not in signed_in("mallory").get("/o/globex/audit/").text


def test_bob_reads_of_it_on_his_page_and_nobody_else_on_theirs(
    world: SimpleNamespace, signed_in: SignedIn, reset: Reset
) -> None:
    bob = enrolled_by(reset("bob")[0], world.bob)
    page = bob.get("/").text
    assert f"{world.bob.second_factor_reset_at:%H:%M} UTC" in page
    assert "by an operator at the host. If you did not ask for it, tell an operator now." in page
    assert "reveals nothing to you until" in page
    other = signed_in("alice").get("/").text
    assert "Last reset" not in other
    assert "reveals nothing to you" not in other


def test_the_command_says_who_can_confirm(world: SimpleNamespace, reset: Reset) -> None:
    assert f"  Acme: {world.alice.email}\n" in reset("bob")[1]
    assert "  Acme: nobody can, since there is no other owner; there the 24 hours have to pass\n" in reset("alice")[1]
    assert "They belong to no organisation" in reset("olga")[1]


@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        ("nobody@acme.example", "Nobody has the address 'nobody@acme.example'"),
        ("", "Nobody has the address ''"),
        ("carol@acme.example", "carol@acme.example is disabled"),
    ],
)
def test_who_is_nobody_or_disabled_gets_no_link(world: SimpleNamespace, email: str, sentence: str) -> None:
    User.objects.filter(pk=world.carol.pk).update(is_active=False)
    before = Event.objects.count(), TotpDevice.objects.count()
    with pytest.raises(CommandError, match=sentence):
        call_command("reset_second_factor", email)
    assert (Event.objects.count(), TotpDevice.objects.count()) == before
    assert not EnrolmentLink.objects.exists()


# A link that replaces a factor


def test_a_link_that_replaces_a_factor_is_a_reset_too(world: SimpleNamespace) -> None:
    _user, token = services.issue_enrolment_link(email=world.bob.email, again=True)
    assert User.objects.get(pk=world.bob.pk).second_factor_reset_at is None, "nothing changes before it is used"
    Browser().post(f"/enrol/{token}/", {"password": NEW, "again": NEW})
    assert User.objects.get(pk=world.bob.pk).second_factor_reset_at is not None
    event = Event.objects.get(action=SUSPENDING)
    assert (event.stream, event.actor, event.target_id) == (str(world.acme.pk), *[str(world.bob.pk)] * 2)
    assert f"{who(event)} {what(event)}" == (
        f"{world.bob.email} set up their second factor anew, which suspends revealing"
    )


def test_a_first_enrolment_suspends_nobody(world: SimpleNamespace) -> None:
    out = StringIO()
    call_command("add_member", "acme", "zoe@acme.example", "--role", "editor", stdout=out, stderr=StringIO())
    enrolled_by(out.getvalue(), zoe := User.objects.get(email="zoe@acme.example"))
    zoe.refresh_from_db()
    assert zoe.second_factor_reset_at is None
    assert not Event.objects.filter(action__in=[SUSPENDING, "accounts.second_factor.reset"]).exists()
