"""A person whom an operator shuts out of everything, and lets in again."""

from collections.abc import Callable
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from casemate.accounts import backup_codes, services
from casemate.accounts.assurance import Assurance
from casemate.accounts.models import Session, TotpDevice, User
from casemate.audit.models import Event
from casemate.audit.words import to_whom, what, who
from casemate.organizations.services import NotDone, change_role, end_membership
from casemate.tenancy.models import Membership
from casemate.tenancy.permissions import Role
from tests.browser import Browser

SignedIn = Callable[[str], Browser]
Trail = Callable[[], list[tuple[str, bool]]]


def command(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_whatever_bob_had_is_refused_at_once(world: SimpleNamespace, signed_in: SignedIn, alice: Browser) -> None:
    bob, waiting, half_way = signed_in("bob"), Browser(), Browser()
    half_way.give_password(world.bob)
    _user, token = services.issue_enrolment_link(email=world.bob.email, again=True)
    told = command("disable", " Bob@Acme.example ")
    assert told == (
        f"{world.bob.email} is disabled and signed in nowhere."
        f" To let them in again: casemate enable {world.bob.email}\n"
    )
    assert [browser.get("/").url for browser in (bob, half_way)] == ["/sign-in/"] * 2
    assert waiting.give_password(world.bob).status_code == 200
    assert Browser().get(f"/enrol/{token}/").status_code == 410
    assert not Session.objects.filter(user=world.bob).exists()
    assert alice.get("/").status_code == 200


def test_a_session_that_comes_to_be_all_the_same_opens_nothing(world: SimpleNamespace, browser: Browser) -> None:
    """The right password came a moment before, and its session a moment after."""
    browser.sign_in(world.bob)
    kept = list(Session.objects.filter(user=world.bob))
    command("disable", world.bob.email)
    Session.objects.bulk_create(kept)
    assert browser.get("/o/acme/vault/").url == "/sign-in/"


def test_what_bob_is_and_did_stays(world: SimpleNamespace) -> None:
    backup_codes.issue(world.bob)
    command("disable", world.bob.email)
    assert TotpDevice.objects.filter(user=world.bob, confirmed=True).exists()
    assert backup_codes.left(world.bob) == 10
    assert Membership.objects.get(pk=world.membership["bob"].pk).role == Role.EDITOR


def test_bob_comes_back_by_what_he_had_and_nothing_that_ended_begins_anew(
    world: SimpleNamespace, signed_in: SignedIn
) -> None:
    bob = signed_in("bob")
    _user, token = services.issue_enrolment_link(email=world.bob.email, again=True)
    command("disable", world.bob.email)
    assert command("enable", world.bob.email) == f"{world.bob.email} may sign in again.\n"
    assert bob.get("/").url == "/sign-in/"
    assert Browser().get(f"/enrol/{token}/").status_code == 410
    assert Browser().sign_in(world.bob, steps=1).url == "/"


def test_the_installation_and_each_organisation_have_an_event_of_both(
    world: SimpleNamespace, signed_in: SignedIn, bob_at_globex: Membership, trail: Trail
) -> None:
    signed_in("bob")
    before = len(trail())
    command("disable", world.bob.email)
    command("enable", world.bob.email)
    assert trail()[before:] == [
        ("accounts.person.disable", True),
        ("organizations.member.disable", True),
        ("organizations.member.disable", True),
        ("accounts.sessions.end", True),
        ("accounts.person.enable", True),
        ("organizations.member.enable", True),
        ("organizations.member.enable", True),
    ]
    for action, sentence in (
        ("disable", "An operator at the host disabled the account of"),
        ("enable", "An operator at the host enabled again the account of"),
    ):
        own = Event.objects.get(action=f"accounts.person.{action}")
        others = list(Event.objects.filter(action=f"organizations.member.{action}"))
        assert own.stream == "installation"
        assert {event.stream for event in others} == {str(world.acme.pk), str(world.globex.pk)}
        for event in (own, *others):
            assert (event.actor_kind, event.actor, event.target_id) == ("terminal", "", str(world.bob.pk))
        assert f"{who(others[0])} {what(others[0])} {to_whom(others[0])}" == f"{sentence} {world.bob.email}"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("disable", "nobody@acme.example"), "Nobody has the address 'nobody@acme.example'"),
        (("enable", ""), "Nobody has the address ''"),
        (("disable", "carol@acme.example"), "carol@acme.example is disabled already"),
        (("enable", "bob@acme.example"), "bob@acme.example is not disabled"),
    ],
)
def test_what_cannot_be_says_why_and_changes_nothing(
    world: SimpleNamespace, words: tuple[str, str], sentence: str
) -> None:
    User.objects.filter(pk=world.carol.pk).update(is_active=False)
    before = Event.objects.count()
    with pytest.raises(CommandError, match=sentence):
        command(*words)
    assert Event.objects.count() == before
    assert list(User.objects.filter(is_active=False)) == [world.carol]


def test_an_organisation_that_loses_its_only_owner_is_named(world: SimpleNamespace) -> None:
    assert "Acme has no owner any more who can sign in" in command("disable", world.alice.email)
    Membership.objects.filter(pk=world.membership["adam"].pk).update(role=Role.OWNER)
    command("enable", world.alice.email)
    assert "no owner" not in command("disable", world.alice.email)


def test_an_owner_who_is_disabled_is_not_the_one_who_stays(
    world: SimpleNamespace, assurance: Callable[..., Assurance]
) -> None:
    Membership.objects.filter(pk=world.membership["adam"].pk).update(role=Role.OWNER)
    command("disable", world.adam.email)
    alice = world.membership["alice"]
    with pytest.raises(NotDone, match="the only owner"):
        end_membership(membership=alice, assurance=assurance("alice"), member_id=alice.pk)
    with pytest.raises(NotDone, match="the only owner"):
        change_role(membership=alice, assurance=assurance("alice"), member_id=alice.pk, role=Role.EDITOR)


def test_alice_sees_on_the_members_page_who_is_disabled(world: SimpleNamespace, signed_in: SignedIn) -> None:
    alice = signed_in("alice")
    assert ">disabled<" not in alice.get("/o/acme/members/").text
    command("disable", world.bob.email)
    assert alice.get("/o/acme/members/").text.count(">disabled<") == 1


def test_who_is_disabled_becomes_a_member_nowhere(world: SimpleNamespace) -> None:
    command("disable", world.mallory.email)
    for words in (
        ("add_member", "acme", world.mallory.email, "--role", "viewer"),
        ("create_organization", "Initech", "--slug", "initech", "--owner", world.mallory.email),
    ):
        with pytest.raises(CommandError, match="is disabled, so nothing was made"):
            command(*words)
    assert Membership.objects.filter(user=world.mallory).count() == 1
