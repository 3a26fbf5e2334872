"""After a reset of their second factor people reveal nothing for a day, unless another owner confirms them."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine

from casemate.accounts.assurance import Assurance, StepUpRequired
from casemate.accounts.factors import SUSPENDED
from casemate.audit.models import Event
from casemate.organizations.access import Refused
from casemate.organizations.services import NoSuchMember, NotDone, confirm_revealing
from casemate.tenancy.binding import bind
from casemate.tenancy.models import Membership
from casemate.tenancy.permissions import Role
from casemate.vault.refusals import Suspended
from casemate.vault.reveals import SHOWN, copy, reveal, reveal_revision
from casemate.vault.services import change_password
from tests.browser import Browser, enrolled_by
from tests.vault import MARKS, REASON, TRACES, Who, at

Reset = Callable[[str], tuple[str, str]]
SignedIn = Callable[[str], Browser]
Sure = Callable[..., Assurance]
# Each way in which a plaintext can be asked for, on acme's rows.
WAYS: dict[str, Callable[[SimpleNamespace, dict[str, Any]], Any]] = {
    "reveal": lambda a, w: reveal(password_id=a.password.pk, reason=REASON, **w),
    "copy": lambda a, w: copy(password_id=a.password.pk, part="password", reason=REASON, **w),
    "revision": lambda a, w: reveal_revision(password_id=a.password.pk, number=1, reason=REASON, **w),
}


@pytest.fixture
def acme(vault: SimpleNamespace, who: Who) -> Iterator[SimpleNamespace]:
    """acme's password with a former version."""
    with bind(vault.acme.organization):
        change_password(
            password_id=vault.acme.password.pk,
            version=1,
            folder_id=vault.acme.folder.pk,
            name="router",
            parts={},
            **who("bob"),
        )
        yield vault.acme


# Revealing


@pytest.mark.parametrize("way", WAYS)
def test_the_service_shows_bob_nothing_and_the_log_tells_that_he_tried(
    world: SimpleNamespace, acme: SimpleNamespace, who: Who, reset: Reset, way: str
) -> None:
    reset("bob")
    with pytest.raises(Suspended, match=r"nothing is revealed to you until .* Another owner of Acme can confirm"):
        WAYS[way](acme, who("bob"))
    event = Event.objects.latest("pk")
    assert (event.action, event.success, event.stream) == ("vault.suspended", False, str(world.acme.pk))
    assert (event.actor_label, event.target_label) == (world.bob.email, "")
    assert not Event.objects.filter(action__in=[action.value for action in SHOWN]).exists()
    assert WAYS[way](acme, who("adam")), "others look as before"


@pytest.mark.parametrize("way", WAYS)
def test_after_24_hours_bob_reveals_again(acme: SimpleNamespace, who: Who, reset: Reset, way: str) -> None:
    reset("bob")
    began = datetime.now(UTC)
    with time_machine.travel(began + SUSPENDED - timedelta(minutes=1)), pytest.raises(Suspended):
        WAYS[way](acme, who("bob"))
    with time_machine.travel(began + SUSPENDED + timedelta(minutes=1)):
        assert WAYS[way](acme, who("bob"))


def test_a_membership_that_is_made_anew_is_suspended_like_the_one_before(
    world: SimpleNamespace, acme: SimpleNamespace, who: Who, reset: Reset
) -> None:
    reset("bob")
    world.membership["bob"].delete()
    world.membership["bob"] = Membership.objects.create(organization=world.acme, user=world.bob, role=Role.OWNER)
    with pytest.raises(Suspended):
        WAYS["reveal"](acme, who("bob"))


def test_the_pages_say_why_and_until_when(world: SimpleNamespace, vault: SimpleNamespace, reset: Reset) -> None:
    bob = enrolled_by(reset("bob")[0], world.bob)
    until = world.bob.second_factor_reset_at + SUSPENDED
    sentence = f"nothing is revealed to you until {until:%H:%M} UTC on {until:%-d %B %Y}."
    fields = {"reason": REASON, "part": "password"}
    for answer in (bob.get(at(vault.acme)), bob.get(at(vault.acme, "reveal/"))):
        assert (answer.status_code, sentence in answer.text) == (200, True)
        assert ">Reveal</button>" not in answer.text
    for tail in ("reveal/", "history/1/reveal/", "copy/"):
        answer = bob.post(at(vault.acme, tail), fields)
        assert answer.status_code == 403
        assert sentence in (json.loads(answer.content)["sentence"] if tail == "copy/" else answer.text)
        assert not any(trace in answer.text for trace in TRACES)


# An owner confirms


def confirm(world: SimpleNamespace, assurance: Sure, name: str, subject: str, **aged: Any) -> None:
    confirm_revealing(
        membership=world.membership[name],
        assurance=assurance(name, **aged),
        member_id=world.membership[subject].pk,
    )
    world.membership[subject].refresh_from_db()


def test_once_alice_confirms_bob_reveals_in_her_organisation_alone(
    world: SimpleNamespace,
    acme: SimpleNamespace,
    vault: SimpleNamespace,
    who: Who,
    assurance: Sure,
    bob_at_globex: Membership,
    reset: Reset,
) -> None:
    reset("bob")
    confirm(world, assurance, "alice", "bob")
    event = Event.objects.latest("pk")
    assert (event.stream, event.action) == (str(world.acme.pk), "organizations.member.confirm_revealing")
    assert (event.actor_label, event.target_label) == (world.alice.email, world.bob.email)
    assert WAYS["reveal"](acme, who("bob")).contents.password == MARKS["password"]
    with bind(world.globex), pytest.raises(Suspended, match="Globex"):
        reveal(
            password_id=vault.globex.password.pk,
            reason=REASON,
            membership=bob_at_globex,
            assurance=assurance("bob"),
        )


def test_the_next_reset_is_not_the_one_that_was_confirmed(
    world: SimpleNamespace, acme: SimpleNamespace, who: Who, assurance: Sure, reset: Reset
) -> None:
    reset("bob")
    confirm(world, assurance, "alice", "bob")
    reset("bob")
    with pytest.raises(Suspended):
        WAYS["reveal"](acme, who("bob"))


@pytest.mark.parametrize(
    ("name", "subject", "refusal"),
    [
        ("adam", "bob", Refused),
        ("bob", "bob", Refused),
        ("carol", "bob", Refused),
        ("arthur", "bob", Refused),
        ("mallory", "bob", NoSuchMember),
        ("alice", "mallory", NoSuchMember),
        ("alice", "alice", NotDone),
        ("alice", "carol", NotDone),
    ],
)
def test_nobody_but_another_owner_of_the_organisation_confirms(
    world: SimpleNamespace, assurance: Sure, reset: Reset, name: str, subject: str, refusal: type[Exception]
) -> None:
    """carol's factor was not reset, so that there is nothing to confirm of her."""
    for person in ("bob", "mallory"):
        reset(person)
    if name == subject == "alice":
        reset("alice")
    with pytest.raises(refusal):
        confirm(world, assurance, name, subject)
    assert not Membership.objects.exclude(confirmed_reset_at=None).exists()


def test_an_owner_whose_own_factor_was_reset_confirms_nobody(
    world: SimpleNamespace, assurance: Sure, reset: Reset
) -> None:
    """Else whoever talks an operator into two resets has a confirmation as well."""
    for person in ("alice", "bob"):
        reset(person)
    with pytest.raises(NotDone, match="Your own second factor was reset"):
        confirm(world, assurance, "alice", "bob")


def test_a_confirmation_asks_for_the_second_factor_again(world: SimpleNamespace, assurance: Sure, reset: Reset) -> None:
    reset("bob")
    with pytest.raises(StepUpRequired):
        confirm(world, assurance, "alice", "bob", age=timedelta(minutes=11))


def test_alice_confirms_on_the_members_page(
    world: SimpleNamespace, vault: SimpleNamespace, signed_in: SignedIn, reset: Reset
) -> None:
    alice, path = signed_in("alice"), f"/o/acme/members/{world.membership['bob'].pk}/"
    assert "second factor was reset" not in alice.get("/o/acme/members/").text
    assert "Nothing to confirm of Bob" in alice.get(f"{path}confirm/").text
    bob = enrolled_by(reset("bob")[0], world.bob)
    assert "second factor was reset" in alice.get("/o/acme/members/").text
    assert f'href="{path}confirm/"' in alice.get(path).text
    assert "Was it Bob who asked?" in alice.get(f"{path}confirm/").text
    assert bob.post(at(vault.acme, "reveal/"), {"reason": REASON}).status_code == 403, "the page asks and does nothing"
    assert alice.post(f"{path}confirm/").url == "/o/acme/members/"
    shown = bob.post(at(vault.acme, "reveal/"), {"reason": REASON}).text
    assert all(trace in shown for trace in TRACES)
    assert "There is nothing to confirm" in alice.post(f"{path}confirm/").text


def test_an_administrator_is_told_and_offered_nothing(
    world: SimpleNamespace, signed_in: SignedIn, reset: Reset
) -> None:
    reset("bob")
    adam, path = signed_in("adam"), f"/o/acme/members/{world.membership['bob'].pk}/"
    page = adam.get(path).text
    assert "Their second factor was reset" in page
    assert f"{path}confirm/" not in page
    assert [adam.get(f"{path}confirm/").status_code, adam.post(f"{path}confirm/").status_code] == [403, 403]
    assert not Membership.objects.exclude(confirmed_reset_at=None).exists()
