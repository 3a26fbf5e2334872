"""No plaintext leaves without a committed event. Real transactions are used where the order of commits counts."""

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from casemate import limiter
from casemate.accounts.assurance import StepUpRequired
from casemate.audit.models import Event
from casemate.keyring import cipher
from casemate.keyring.models import ScopeKey
from casemate.organizations.access import Refused
from casemate.tenancy.binding import WrongTenant, bind
from casemate.tenancy.models import Membership
from casemate.vault import reveals
from casemate.vault.refusals import InTrash, SlowDown, Tampered, Unknown, VaultRefusal
from casemate.vault.reveals import copy, reveal, reveal_revision
from casemate.vault.services import change_password, trash_password
from tests.vault import MARKS, REASON, Who, flip


@pytest.fixture
def acme(vault: SimpleNamespace) -> Iterator[SimpleNamespace]:
    with bind(vault.acme.organization):
        yield vault.acme


def last_event() -> Event:
    return Event.objects.latest("pk")


def last_pk() -> int:
    return last_event().pk


# Each way in which a plaintext can be asked for, on acme's rows.
WAYS: dict[str, Callable[[SimpleNamespace, dict[str, Any], str], Any]] = {
    "reveal": lambda a, w, reason: reveal(password_id=a.password.pk, reason=reason, **w),
    "copy": lambda a, w, reason: copy(password_id=a.password.pk, part="password", reason=reason, **w),
    "revision": lambda a, w, reason: reveal_revision(password_id=a.password.pk, number=1, reason=reason, **w),
}


@pytest.fixture
def changed(acme: SimpleNamespace, who: Who) -> SimpleNamespace:
    """acme's password with a former version, of the same values."""
    row = change_password(
        password_id=acme.password.pk, version=1, folder_id=acme.folder.pk, name="router", parts={}, **who("bob")
    )
    assert row.version == 2
    return acme


# What is shown, and what is written about it


def test_a_reveal_shows_all_and_says_who_and_why(changed: SimpleNamespace, who: Who) -> None:
    revealed = reveal(password_id=changed.password.pk, reason=f" {REASON} ", **who("bob"))
    assert (revealed.contents.password, revealed.number) == (MARKS["password"], 2)
    event = last_event()
    assert (event.action, event.success, event.stream) == ("vault.password.reveal", True, str(changed.organization.pk))
    assert (event.actor_label, event.target_label) == ("bob@acme.example", "router")
    assert (event.target_type, event.target_id) == ("vault.password", str(changed.password.pk))
    assert event.detail == {"version": 2, "reason": REASON}


@pytest.mark.parametrize("part", MARKS)
def test_a_copy_is_an_event_of_its_own_and_gives_one_part(changed: SimpleNamespace, who: Who, part: str) -> None:
    assert copy(password_id=changed.password.pk, part=part, reason=REASON, **who("bob")) == MARKS[part]
    assert (last_event().action, last_event().detail) == (
        "vault.password.copy",
        {"version": 2, "part": part, "reason": REASON},
    )


def test_a_former_version_is_an_event_of_its_own(changed: SimpleNamespace, who: Who) -> None:
    revealed = reveal_revision(password_id=changed.password.pk, number=1, reason=REASON, **who("bob"))
    assert (revealed.contents.password, revealed.number) == (MARKS["password"], 1)
    assert (last_event().action, last_event().detail) == ("vault.revision.reveal", {"version": 1, "reason": REASON})


def test_where_the_folder_asks_for_none_no_reason_is_needed(acme: SimpleNamespace, who: Who) -> None:
    assert reveal(password_id=acme.other.pk, reason="", **who("bob")).contents.password == "x"
    assert last_event().detail == {"version": 1}


# The invariant


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commits and the openings, in the order in which they happen."""
    happened: list[str] = []
    commit, unseal = BaseDatabaseWrapper._commit, cipher.unseal  # type: ignore[attr-defined]

    def noted_commit(self: Any) -> Any:
        result = commit(self)
        happened.append("commit")
        return result

    def noted_unseal(*args: Any, place: cipher.Place, **kwargs: Any) -> str:
        if place.purpose.startswith("vault-"):
            happened.append("open")
        return unseal(*args, place=place, **kwargs)

    monkeypatch.setattr(BaseDatabaseWrapper, "_commit", noted_commit)
    monkeypatch.setattr(cipher, "unseal", noted_unseal)
    return happened


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", WAYS)
def test_the_event_is_on_disk_before_anything_is_opened(
    changed: SimpleNamespace, who: Who, order: list[str], way: str
) -> None:
    w = who("bob")
    order.clear()
    WAYS[way](changed, w, REASON)
    assert order == ["commit", "open"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", WAYS)
def test_a_commit_that_fails_opens_nothing(
    changed: SimpleNamespace, who: Who, order: list[str], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    before, w = last_pk(), who("bob")

    def lost(_self: Any) -> None:
        raise OperationalError(2013, "Lost connection to server during query")

    monkeypatch.setattr(BaseDatabaseWrapper, "_commit", lost)
    order.clear()
    with pytest.raises(OperationalError, match="Lost connection"):
        WAYS[way](changed, w, REASON)
    assert order == []
    assert last_pk() == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", WAYS)
def test_a_log_that_cannot_be_written_opens_nothing(
    changed: SimpleNamespace, who: Who, order: list[str], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    def broken(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError(1114, "The table is full")

    monkeypatch.setattr(reveals, "record", broken)
    order.clear()
    with pytest.raises(OperationalError, match="full"):
        WAYS[way](changed, who("bob"), REASON)
    assert order == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_opened_inside_somebodys_transaction(
    changed: SimpleNamespace, who: Who, order: list[str], way: str
) -> None:
    """Its event would not be on disk yet when the plaintext is."""
    w = who("bob")
    order.clear()
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        WAYS[way](changed, w, REASON)
    assert "open" not in order


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", WAYS)
def test_a_value_that_was_changed_is_audited_and_not_shown(changed: SimpleNamespace, who: Who, way: str) -> None:
    before = last_pk()
    flip("vault_password", changed.organization)
    flip("vault_passwordrevision", changed.organization)
    with pytest.raises(Tampered, match="not what was saved"):
        WAYS[way](changed, who("bob"), REASON)
    told, found = Event.objects.filter(pk__gt=before).order_by("pk")
    assert told.success, "that somebody asked stands in the log"
    assert (found.action, found.success) == ("vault.tampered", False)
    assert found.detail == {"version": 1 if way == "revision" else 2}


def test_a_value_without_its_key_is_audited_and_not_shown(acme: SimpleNamespace, who: Who) -> None:
    ScopeKey.objects.filter(scope=f"organization:{acme.organization.pk}").delete()
    with pytest.raises(Tampered):
        reveal(password_id=acme.password.pk, reason=REASON, **who("bob"))
    assert last_event().action == "vault.tampered"


def test_a_value_of_another_row_does_not_open(vault: SimpleNamespace, who: Who) -> None:
    """A password of globex, put into a row of acme by somebody with the database, opens for nobody."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE vault_password a, vault_password g SET a.contents = g.contents WHERE a.id = %s AND g.id = %s",
            [vault.acme.password.pk.hex, vault.globex.password.pk.hex],
        )
    with bind(vault.acme.organization), pytest.raises(Tampered):
        reveal(password_id=vault.acme.password.pk, reason=REASON, **who("bob"))


# Who may not, and what is asked


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["carol", "arthur"])
def test_who_has_not_the_right_sees_nothing(changed: SimpleNamespace, who: Who, way: str, name: str) -> None:
    with pytest.raises(Refused):
        WAYS[way](changed, who(name), REASON)


@pytest.mark.parametrize("way", WAYS)
def test_mallory_sees_nothing(vault: SimpleNamespace, who: Who, way: str) -> None:
    with bind(vault.globex.organization), pytest.raises(Unknown):
        WAYS[way](vault.acme, who("mallory"), REASON)
    with bind(vault.acme.organization), pytest.raises(WrongTenant):
        WAYS[way](vault.acme, who("mallory"), REASON)


@pytest.mark.parametrize("way", WAYS)
def test_the_second_factor_must_be_fresh(changed: SimpleNamespace, who: Who, way: str) -> None:
    before = last_pk()
    with pytest.raises(StepUpRequired):
        WAYS[way](changed, who("bob", age=timedelta(minutes=11)), REASON)
    assert last_pk() == before


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("reason", "sentence"), [("", "asks why"), ("x" * 201, "200 are the most"), ("a\x00", "invis")]
)
def test_the_reason_must_be_one(
    changed: SimpleNamespace, who: Who, order: list[str], way: str, reason: str, sentence: str
) -> None:
    before, w = last_pk(), who("bob")
    order.clear()
    with pytest.raises(VaultRefusal, match=sentence) as refused:
        WAYS[way](changed, w, reason)
    assert refused.value.field == "reason"
    assert (last_pk(), order) == (before, [])


@pytest.mark.parametrize("way", WAYS)
def test_nothing_in_the_trash_is_shown(changed: SimpleNamespace, who: Who, way: str) -> None:
    trash_password(password_id=changed.password.pk, **who("bob"))
    with pytest.raises(InTrash):
        WAYS[way](changed, who("bob"), REASON)


def test_what_is_not_there_is_unknown(acme: SimpleNamespace, who: Who) -> None:
    with pytest.raises(Unknown):
        reveal(password_id=uuid.uuid4(), reason=REASON, **who("bob"))
    with pytest.raises(Unknown, match="no such version"):
        reveal_revision(password_id=acme.password.pk, number=1, reason=REASON, **who("bob"))
    with pytest.raises(VaultRefusal, match="which part"):
        copy(password_id=acme.password.pk, part="organization_id", reason=REASON, **who("bob"))


# Many in a short time


def test_who_looks_at_many_is_slowed_down_and_noted_once(
    acme: SimpleNamespace, who: Who, order: list[str], two_each: None
) -> None:
    for _ in range(2):
        reveal(password_id=acme.password.pk, reason=REASON, **who("bob"))
    before = last_pk()
    order.clear()
    for _ in range(3):
        with pytest.raises(SlowDown, match=r"looked at 2 passwords .* Wait 1 min"):
            reveal(password_id=acme.password.pk, reason=REASON, **who("bob"))
    assert [e.action for e in Event.objects.filter(pk__gt=before)] == ["vault.slow_down"]
    assert "open" not in order
    assert reveal(password_id=acme.password.pk, reason=REASON, **who("adam")), "adam has a measure of his own"


def test_a_measure_is_one_of_an_organisation(
    vault: SimpleNamespace, world: SimpleNamespace, who: Who, two_each: None
) -> None:
    world.membership["bob at globex"] = Membership.objects.create(
        organization=world.globex, user=world.bob, role="editor"
    )
    with bind(world.acme):
        for _ in range(2):
            reveal(password_id=vault.acme.password.pk, reason=REASON, **who("bob"))
    at_globex = {**who("bob"), "membership": world.membership["bob at globex"]}
    with bind(world.globex):
        assert reveal(password_id=vault.globex.password.pk, reason=REASON, **at_globex)


def test_while_the_limiter_is_down_nothing_is_shown(
    acme: SimpleNamespace, who: Who, order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_args: Any, **_kwargs: Any) -> None:
        raise limiter.LimiterDown

    monkeypatch.setattr(limiter, "hit", down)
    before, w = last_pk(), who("bob")
    order.clear()
    with pytest.raises(limiter.LimiterDown):
        reveal(password_id=acme.password.pk, reason=REASON, **w)
    assert (last_pk(), order) == (before, [])
