"""Making organisations at the terminal; changing roles and ending memberships on the pages."""

import threading
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from casemate.accounts.assurance import Assurance, StepUpRequired
from casemate.accounts.models import EnrolmentLink, User
from casemate.audit.chain import verify
from casemate.audit.models import ChainHead, Event
from casemate.organizations.access import Refused
from casemate.organizations.services import NoSuchMember, NotDone, change_role, end_membership
from casemate.tenancy.models import Membership, Organization
from casemate.tenancy.permissions import Role
from tests.browser import Browser

SignedIn = Callable[[str], Browser]
Sure = Callable[..., Assurance]


def command(*words: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def roles(slug: str = "acme") -> dict[str, str]:
    rows = Membership.objects.filter(organization__slug=slug).values_list("user__name", "role")
    return {name.lower(): role for name, role in rows}


# At the terminal


def test_an_organisation_comes_with_its_owner_its_log_and_a_link(db: None) -> None:
    out, err = command("create_organization", "Initech", "--slug", "initech", "--owner", "Peter@Initech.example")
    organization = Organization.objects.get(slug="initech")
    membership = organization.memberships.get()
    assert (membership.user.email, membership.role) == ("peter@initech.example", Role.OWNER)
    assert out.startswith("https://casemate.test/enrol/")
    assert "Initech is at /o/initech/" in err
    assert not membership.user.is_operator
    events = Event.objects.filter(stream=str(organization.pk)).order_by("seq")
    assert [event.action for event in events] == ["organizations.create", "organizations.member.add"]
    assert verify(str(organization.pk)).intact
    assert "/enrol/" not in err, "the link goes to stdout alone"


def test_who_is_enrolled_gets_no_new_link(world: SimpleNamespace) -> None:
    out, err = command("create_organization", "Initech", "--slug", "initech", "--owner", world.bob.email)
    assert out == ""
    assert "enrolled already" in err
    assert not EnrolmentLink.objects.exists()
    assert roles("initech") == {"bob": "owner"}


def test_the_link_of_a_member_makes_no_operator(world: SimpleNamespace, browser: Browser) -> None:
    out, _err = command("add_member", "acme", "frances@acme.example", "--role", "editor")
    frances = User.objects.get(email="frances@acme.example")
    assert (frances.is_operator, frances.has_usable_password()) == (False, False)
    assert browser.get(out.strip().removeprefix("https://casemate.test")).status_code == 200


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["create_organization", "X", "--slug", "Acme", "--owner", "a@b.example"], "cannot stand in an address"),
        (["create_organization", "X", "--slug", "a--b", "--owner", "a@b.example"], "cannot stand in an address"),
        (["create_organization", "X", "--slug", "x" * 51, "--owner", "a@b.example"], "cannot stand in an address"),
        (["create_organization", "X", "--slug", "x\n", "--owner", "a@b.example"], "cannot stand in an address"),
        (["create_organization", "X", "--slug", "acme", "--owner", "a@b.example"], "already: choose another --slug"),
        (["create_organization", "", "--slug", "x", "--owner", "a@b.example"], "1 to 120 characters"),
        (["create_organization", "x" * 121, "--slug", "x", "--owner", "a@b.example"], "1 to 120 characters"),
        (["create_organization", "a\x00b", "--slug", "x", "--owner", "a@b.example"], "1 to 120 characters"),
        (["create_organization", "X", "--slug", "x", "--owner", "nobody"], "is not an e-mail address"),
        (["add_member", "nowhere", "a@b.example", "--role", "editor"], "There is no organisation 'nowhere'"),
        (["add_member", "acme", "a@b.example", "--role", "king"], "'king' is no role: choose one of owner,"),
        (["add_member", "acme", "a", "--role", "editor"], "is not an e-mail address"),
        (["add_member", "acme", "bob@acme.example", "--role", "owner"], "a member of Acme already, as editor"),
    ],
)
def test_what_is_not_right_gets_a_sentence_and_makes_nothing(
    world: SimpleNamespace, words: list[str], sentence: str
) -> None:
    def state() -> tuple[int, ...]:
        return tuple(m.objects.count() for m in (Organization, Membership, User, EnrolmentLink, Event, ChainHead))

    before = state()
    with pytest.raises(CommandError, match=sentence):
        command(*words)
    assert state() == before


# The services


def test_an_owner_gives_another_role_and_the_log_tells_both(world: SimpleNamespace, assurance: Sure) -> None:
    membership = world.membership["alice"]
    change_role(
        membership=membership, assurance=assurance("alice"), member_id=world.membership["bob"].pk, role=Role.VIEWER
    )
    assert roles()["bob"] == "viewer"
    event = Event.objects.latest("pk")
    assert (event.stream, event.action) == (str(world.acme.pk), "organizations.member.change_role")
    assert event.detail == {"before": "editor", "role": "viewer"}
    assert (event.actor_label, event.target_label) == (world.alice.email, world.bob.email)


def test_the_same_role_again_changes_and_records_nothing(world: SimpleNamespace, assurance: Sure) -> None:
    before = Event.objects.count()
    change_role(
        membership=world.membership["alice"],
        assurance=assurance("alice"),
        member_id=world.membership["bob"].pk,
        role=Role.EDITOR,
    )
    assert Event.objects.count() == before


def attempts(world: SimpleNamespace, who: str, subject: str, sure: Assurance) -> list[Callable[[], Any]]:
    common: dict[str, Any] = {
        "membership": world.membership[who],
        "assurance": sure,
        "member_id": world.membership[subject].pk,
    }
    return [lambda: change_role(**common, role=Role.AUDITOR), lambda: end_membership(**common)]


@pytest.mark.parametrize(
    ("who", "subject", "refusal"),
    [
        ("bob", "carol", Refused),
        ("carol", "carol", Refused),
        ("arthur", "bob", Refused),
        ("adam", "alice", Refused),
        ("alice", "mallory", NoSuchMember),
        ("mallory", "alice", NoSuchMember),
        ("alice", "alice", NotDone),
    ],
)
def test_the_service_itself_refuses(
    world: SimpleNamespace, assurance: Sure, who: str, subject: str, refusal: type[Exception]
) -> None:
    before = roles(), roles("globex")
    for attempt in attempts(world, who, subject, assurance(who)):
        with pytest.raises(refusal):
            attempt()
    assert (roles(), roles("globex")) == before


def test_an_administrator_makes_no_owner(world: SimpleNamespace, assurance: Sure) -> None:
    for subject in ("adam", "bob"):
        with pytest.raises(Refused):
            change_role(
                membership=world.membership["adam"],
                assurance=assurance("adam"),
                member_id=world.membership[subject].pk,
                role=Role.OWNER,
            )
    assert list(roles().values()).count("owner") == 1


def test_a_second_factor_of_eleven_minutes_ago_is_too_old(world: SimpleNamespace, assurance: Sure) -> None:
    for age in (timedelta(minutes=10, seconds=1), timedelta(minutes=-2)):
        for attempt in attempts(world, "alice", "bob", assurance("alice", age=age)):
            with pytest.raises(StepUpRequired):
                attempt()
    for attempt in attempts(world, "alice", "bob", assurance("alice", age=timedelta(minutes=9, seconds=50))):
        attempt()


def test_a_role_that_was_taken_meanwhile_counts_no_more(world: SimpleNamespace, assurance: Sure) -> None:
    """The request began while adam was an administrator."""
    Membership.objects.filter(pk=world.membership["adam"].pk).update(role=Role.VIEWER)
    for attempt in attempts(world, "adam", "bob", assurance("adam")):
        with pytest.raises(Refused):
            attempt()


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_end_each_other_one_stays(world: SimpleNamespace, assurance: Sure) -> None:
    Membership.objects.filter(pk=world.membership["adam"].pk).update(role=Role.OWNER)
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def end(who: str, subject: str) -> None:
        start.wait()
        try:
            attempts(world, who, subject, assurance(who))[1]()
            outcomes.append("done")
        except (Refused, NotDone):
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=end, args=pair) for pair in (("alice", "adam"), ("adam", "alice"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "refused"]
    assert list(roles().values()).count("owner") == 1


# The pages


def test_alice_changes_a_role_on_the_page(signed_in: SignedIn, world: SimpleNamespace) -> None:
    browser, path = signed_in("alice"), f"/o/acme/members/{world.membership['bob'].pk}/"
    assert 'value="editor" selected' in browser.get(path).text
    assert browser.post(path, {"role": "viewer"}).status_code == 302
    assert roles()["bob"] == "viewer"


def test_an_administrator_is_offered_no_owner_and_opens_none(signed_in: SignedIn, world: SimpleNamespace) -> None:
    browser = signed_in("adam")
    assert 'value="owner"' not in browser.get(f"/o/acme/members/{world.membership['bob'].pk}/").text
    assert browser.get(f"/o/acme/members/{world.membership['alice'].pk}/").status_code == 403
    assert str(world.membership["alice"].pk) not in browser.get("/o/acme/members/").text


@pytest.mark.parametrize("role", ["", "king", "owner\x00", "<b>owner</b>", "x" * 5000, "OWNER", ["viewer", "king"]])
def test_a_role_that_is_none_gets_a_sentence(signed_in: SignedIn, world: SimpleNamespace, role: Any) -> None:
    answer = signed_in("alice").post(f"/o/acme/members/{world.membership['bob'].pk}/", {"role": role})
    assert answer.status_code == 200
    assert 'class="errorlist"' in answer.text
    assert "<b>owner" not in answer.text
    assert roles()["bob"] == "editor"


def test_the_last_owner_reads_why_they_stay(signed_in: SignedIn, world: SimpleNamespace) -> None:
    browser, path = signed_in("alice"), f"/o/acme/members/{world.membership['alice'].pk}/"
    for answer in (browser.post(path, {"role": "editor"}), browser.post(path + "end/")):
        assert "This is the only owner: make another member an owner first." in answer.text
    assert roles()["alice"] == "owner"


def test_a_membership_that_ends_opens_nothing_at_once(signed_in: SignedIn, world: SimpleNamespace) -> None:
    alice, bob = signed_in("alice"), signed_in("bob")
    assert bob.get("/o/acme/members/").status_code == 200
    path = f"/o/acme/members/{world.membership['bob'].pk}/end/"
    assert "End the membership of Bob?" in alice.get(path).text
    assert "bob" in roles(), "the page asks and changes nothing"
    assert alice.post(path).url == "/o/acme/members/"
    assert bob.get("/o/acme/members/").status_code == 404
    assert "Acme" not in bob.get("/").text
    event = Event.objects.filter(stream=str(world.acme.pk)).latest("seq")
    assert (event.action, event.target_label) == ("organizations.member.end", world.bob.email)


def test_a_second_owner_may_leave(signed_in: SignedIn, world: SimpleNamespace) -> None:
    Membership.objects.filter(pk=world.membership["adam"].pk).update(role=Role.OWNER)
    browser = signed_in("adam")
    assert browser.post(f"/o/acme/members/{world.membership['adam'].pk}/end/").url == "/"
    assert browser.get("/o/acme/").status_code == 404


def test_a_member_with_markup_in_the_name_is_shown_as_text(signed_in: SignedIn, world: SimpleNamespace) -> None:
    User.objects.filter(pk=world.bob.pk).update(name="<script>alert(1)</script>")
    browser = signed_in("alice")
    for path in ("/o/acme/members/", f"/o/acme/members/{world.membership['bob'].pk}/"):
        page = browser.get(path).text
        assert "<script>" not in page
        assert "&lt;script&gt;" in page


def test_the_profile_leads_to_each_organisation(signed_in: SignedIn) -> None:
    assert 'href="/o/acme/"' in signed_in("bob").get("/").text
