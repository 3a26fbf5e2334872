"""The vault's verbs: what they do, what they refuse, and that the database would refuse it too."""

import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casemate.audit.models import Event
from casemate.organizations.access import Refused
from casemate.tenancy.binding import NoTenantBound, WrongTenant, bind
from casemate.vault import folders, rules, services
from casemate.vault.contents import Contents
from casemate.vault.folders import DEEPEST, Tree, change_folder, create_folder
from casemate.vault.models import Folder, Password, PasswordRevision
from casemate.vault.refusals import InTrash, Outdated, Tampered, Unknown, VaultRefusal
from casemate.vault.services import change_password, create_password, restore_password, trash_password
from tests.vault import MARKS, TRACES, Who


@pytest.fixture
def acme(vault: SimpleNamespace) -> Iterator[SimpleNamespace]:
    """acme's rows, with acme bound."""
    with bind(vault.acme.organization):
        yield vault.acme


def events(organization: Any, since: int = 0) -> list[tuple[str, dict[str, Any]]]:
    rows = Event.objects.filter(stream=str(organization.pk), pk__gt=since).order_by("seq")
    return [(event.action, event.detail) for event in rows]


def opened(password: Password) -> Contents:
    return Contents.open(Password.objects.get(pk=password.pk).contents)


def change(acme: SimpleNamespace, who: Who, name: str = "bob", **changes: Any) -> Password:
    """Change acme's password, as bob saw it, in what is named."""
    row = Password.objects.get(pk=acme.password.pk)
    arguments: dict[str, Any] = {"version": row.version, "folder_id": row.folder_id, "name": row.name, "parts": {}}
    return change_password(password_id=row.pk, **{**arguments, **changes}, **who(name))


# Sealing


def test_a_password_is_kept_whole_and_sealed(acme: SimpleNamespace) -> None:
    assert opened(acme.password) == Contents(**MARKS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM vault_password WHERE organization_id = %s", [acme.organization.pk])
        raw = repr(cursor.fetchall())
    assert "acme router" in raw
    assert not any(trace in raw for trace in TRACES)


def test_the_column_does_not_tell_which_parts_are_filled_in(acme: SimpleNamespace, who: Who) -> None:
    made = [
        create_password(folder_id=acme.folder.pk, name="a", parts=parts, **who("bob"))
        for parts in ({"password": "x" * 8}, {"password": "x", "user_name": "y" * 7}, {"notes": "z" * 8})
    ]
    lengths = {len(bytes(Password.objects.get(pk=row.pk).__dict__["contents"])) for row in made}
    assert len(lengths) == 1


def test_nothing_of_the_contents_is_ever_printed() -> None:
    contents = Contents(**MARKS)
    assert not any(trace in f"{contents!r} {contents}" for trace in TRACES)


TEXT = st.text(st.characters(blacklist_categories=["C", "Z"]), max_size=200)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(password=TEXT.filter(bool), user_name=TEXT, notes=TEXT)
def test_what_goes_in_comes_out(acme: SimpleNamespace, who: Who, password: str, user_name: str, notes: str) -> None:
    parts = {"password": password, "user_name": user_name, "notes": notes}
    row = create_password(folder_id=acme.folder.pk, name="any", parts=parts, **who("bob"))
    assert opened(row) == Contents(**parts)


# Changing, and the history


def test_a_change_keeps_the_former_values_sealed(acme: SimpleNamespace, who: Who) -> None:
    before = acme.password.changed_at
    row = change(acme, who, parts={"password": "new one"})
    assert row.version == 2
    assert opened(row) == Contents(**{**MARKS, "password": "new one"})
    revision = PasswordRevision.objects.get()
    assert Contents.open(revision.contents) == Contents(**MARKS)
    assert (revision.number, revision.name, revision.written_at) == (1, "acme router", before)
    assert revision.written_by.name == "Alice"
    assert revision.replaced_by.name == "Bob"
    assert events(acme.organization)[-1] == (
        "vault.password.change",
        {"folder": "acme servers", "version": 2, "changed": "password"},
    )


def test_a_change_of_nothing_changes_nothing(acme: SimpleNamespace, who: Who) -> None:
    since = Event.objects.latest("pk").pk
    assert change(acme, who, parts={"password": MARKS["password"]}).version == 1
    assert not PasswordRevision.objects.exists()
    assert events(acme.organization, since) == []


def test_the_second_editor_is_told_and_loses_nothing(acme: SimpleNamespace, who: Who) -> None:
    change(acme, who, parts={"password": "first"})
    with pytest.raises(Outdated, match=r"Bob saved version 2 at \d\d:\d\d UTC on .* nothing was saved") as refused:
        change(acme, who, "adam", version=1, parts={"password": "second"})
    assert refused.value.version == 2
    assert opened(acme.password).password == "first"
    change(acme, who, "adam", version=refused.value.version, parts={"password": "second"})
    kept = [Contents.open(r.contents).password for r in PasswordRevision.objects.order_by("number")]
    assert kept == [MARKS["password"], "first"]


def test_a_revision_is_sealed_for_its_own_row(acme: SimpleNamespace, who: Who) -> None:
    """Nobody puts a former value back by copying its bytes."""
    change(acme, who, parts={"password": "new one"})
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE vault_password p JOIN vault_passwordrevision r ON r.password_id = p.id SET p.contents = r.contents"
            " WHERE p.organization_id = %s",
            [acme.organization.pk],
        )
    with pytest.raises(Tampered, match="not what was saved"):
        change(acme, who, parts={"password": "third"})
    assert events(acme.organization)[-1] == ("vault.tampered", {"version": 2})
    assert Password.objects.get(pk=acme.password.pk).version == 2


def test_a_part_can_be_removed_but_not_all_of_it(acme: SimpleNamespace, who: Who) -> None:
    assert opened(change(acme, who, parts={"url": "", "notes": ""})).notes == ""
    with pytest.raises(VaultRefusal, match="nothing to keep"):
        change(acme, who, parts={"password": ""})


def test_an_editor_cannot_move_a_password_to_where_nobody_asks_why(acme: SimpleNamespace, who: Who) -> None:
    with pytest.raises(Refused):
        change(acme, who, "bob", folder_id=acme.open.pk)
    assert change(acme, who, "adam", folder_id=acme.open.pk).folder_id == acme.open.pk


# The trash


def test_the_trash_keeps_and_gives_back(acme: SimpleNamespace, who: Who) -> None:
    trash_password(password_id=acme.password.pk, **who("bob"))
    with pytest.raises(InTrash, match="restore it first"):
        change(acme, who, parts={"password": "x"})
    with pytest.raises(InTrash):
        trash_password(password_id=acme.password.pk, **who("bob"))
    restored = restore_password(password_id=acme.password.pk, **who("bob"))
    assert (restored.deleted_at, opened(restored)) == (None, Contents(**MARKS))
    since = Event.objects.latest("pk").pk
    restore_password(password_id=acme.password.pk, **who("bob"))
    assert events(acme.organization, since) == [], "what is not in the trash stays as it is"


# Folders


def test_a_name_stands_once_in_a_place(acme: SimpleNamespace, who: Who) -> None:
    for name in ("acme servers", "ACME SERVERS", " acme servers "):
        with pytest.raises(VaultRefusal, match="already a folder of that name in the top") as refused:
            create_folder(name=name, parent_id=None, reason_required=True, **who("adam"))
        assert refused.value.field == "name"
    assert create_folder(name="acme servers", parent_id=acme.folder.pk, reason_required=True, **who("adam"))


def test_the_database_itself_refuses_the_second_name(acme: SimpleNamespace) -> None:
    with pytest.raises(IntegrityError, match="one_folder_of_a_name"), transaction.atomic():
        Folder.objects.bulk_create([Folder(name="acme servers")])


def test_a_folder_cannot_lie_in_itself(acme: SimpleNamespace, who: Who) -> None:
    fields = {"name": "x", "reason_required": True}
    for parent in (acme.folder.pk, acme.open.pk):
        with pytest.raises(VaultRefusal, match="in itself") as refused:
            change_folder(folder_id=acme.folder.pk, parent_id=parent, **fields, **who("adam"))
        assert refused.value.field == "parent"


def test_folders_have_a_depth(acme: SimpleNamespace, who: Who) -> None:
    parent = acme.open.pk
    for level in range(3, DEEPEST + 1):
        parent = create_folder(name=f"level {level}", parent_id=parent, reason_required=True, **who("adam")).pk
    with pytest.raises(VaultRefusal, match="at most 5 deep"):
        create_folder(name="too deep", parent_id=parent, reason_required=True, **who("adam"))
    top = create_folder(name="top", parent_id=None, reason_required=True, **who("adam")).pk
    with pytest.raises(VaultRefusal, match="at most 5 deep"):
        change_folder(folder_id=acme.folder.pk, name="x", parent_id=top, reason_required=True, **who("adam"))


def test_folders_have_a_number(acme: SimpleNamespace, who: Who, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST", 2)
    with pytest.raises(VaultRefusal, match="holds 2 folders"):
        create_folder(name="third", parent_id=None, reason_required=True, **who("adam"))


def test_a_change_of_a_folder_tells_what_it_was(acme: SimpleNamespace, who: Who) -> None:
    change_folder(folder_id=acme.open.pk, name="guests", parent_id=None, reason_required=True, **who("adam"))
    assert events(acme.organization)[-1] == (
        "vault.folder.change",
        {"was": "acme wifi", "reason_required": True, "in": ""},
    )
    assert [node.path for node in Tree.load().nodes] == ["acme servers", "guests"]


# Who may, and where


VERBS: dict[str, Callable[[SimpleNamespace, dict[str, Any]], Any]] = {
    "create": lambda a, w: create_password(folder_id=a.folder.pk, name="x", parts={"password": "x"}, **w),
    "change": lambda a, w: change_password(
        password_id=a.password.pk, version=1, folder_id=a.folder.pk, name="x", parts={}, **w
    ),
    "trash": lambda a, w: trash_password(password_id=a.password.pk, **w),
    "restore": lambda a, w: restore_password(password_id=a.password.pk, **w),
    "new folder": lambda a, w: create_folder(name="x", parent_id=None, reason_required=False, **w),
    "folder": lambda a, w: change_folder(folder_id=a.folder.pk, name="x", parent_id=None, reason_required=False, **w),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", ["carol", "arthur"])
def test_who_has_not_the_right_does_not(acme: SimpleNamespace, who: Who, verb: str, name: str) -> None:
    with pytest.raises(Refused):
        VERBS[verb](acme, who(name))


@pytest.mark.parametrize("verb", VERBS)
def test_mallory_acts_on_nothing_of_acme(vault: SimpleNamespace, who: Who, verb: str) -> None:
    """With her own organisation bound, acme's ids are unknown; with acme bound, her membership is another's."""
    if verb != "new folder":
        with bind(vault.globex.organization), pytest.raises(Unknown):
            VERBS[verb](vault.acme, who("mallory"))
    with bind(vault.acme.organization), pytest.raises(WrongTenant):
        VERBS[verb](vault.acme, who("mallory"))
    with pytest.raises(NoTenantBound):
        VERBS[verb](vault.acme, who("mallory"))


def test_a_membership_acts_for_its_own_person_alone(acme: SimpleNamespace, who: Who) -> None:
    mixed = {"membership": who("adam")["membership"], "assurance": who("carol")["assurance"]}
    with pytest.raises(Refused):
        trash_password(password_id=acme.password.pk, **mixed)


def test_a_folder_of_another_organisation_is_unknown(vault: SimpleNamespace, who: Who) -> None:
    foreign = vault.acme.folder.pk
    with bind(vault.globex.organization):
        for attempt in (
            lambda: create_password(folder_id=foreign, name="x", parts={"password": "x"}, **who("mallory")),
            lambda: change_password(
                password_id=vault.globex.password.pk,
                version=1,
                folder_id=foreign,
                name="x",
                parts={},
                **who("mallory"),
            ),
            lambda: create_folder(name="x", parent_id=foreign, reason_required=True, **who("mallory")),
        ):
            with pytest.raises(Unknown, match="no such folder"):
                attempt()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE vault_password SET folder_id = %s WHERE organization_id = %s",
        "UPDATE vault_folder SET parent_id = %s WHERE organization_id = %s",
    ],
)
def test_the_database_refuses_a_reference_into_another_organisation(vault: SimpleNamespace, sql: str) -> None:
    with pytest.raises(DatabaseError, match="foreign key"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, [vault.acme.folder.pk.hex, vault.globex.organization.pk.hex])


# What is typed


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("x" * 121, "121 characters: 120 are the most"),
        ("a\x00b", "invisible character"),
        ("a\nb", "invisible character"),
        ("pay\u202egnp", "invisible character"),
        ("caf\ufffd", "not sent as UTF-8"),
        ("a\u200bb", "invisible character"),
    ],
)
def test_a_name_is_one_line_that_can_be_seen(acme: SimpleNamespace, who: Who, text: str, sentence: str) -> None:
    since = Event.objects.latest("pk").pk
    with pytest.raises(VaultRefusal, match=sentence) as refused:
        create_password(folder_id=acme.folder.pk, name=text, parts={"password": "x"}, **who("bob"))
    assert refused.value.field == "name"
    assert events(acme.organization, since) == []
    assert Password.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("password", "x" * 1001, "1000 are the most"),
        ("password", "a\x00", "invisible character"),
        ("user_name", "a\r\nb", "invisible character"),
        ("url", "x" * 2001, "2000 are the most"),
        ("notes", "x" * 5001, "5000 are the most"),
        ("notes", "a\x00b", "null characters"),
        ("notes", "a\ufffdb", "not UTF-8"),
        ("password", "a\ufffdb", "not sent as UTF-8"),
    ],
)
def test_a_part_has_its_bounds(acme: SimpleNamespace, who: Who, field: str, text: str, sentence: str) -> None:
    with pytest.raises(VaultRefusal, match=sentence) as refused:
        change(acme, who, parts={field: text})
    assert refused.value.field == field
    assert opened(acme.password) == Contents(**MARKS)


def test_a_password_keeps_its_spaces(acme: SimpleNamespace, who: Who) -> None:
    assert opened(change(acme, who, parts={"password": " a b  "})).password == " a b  "


def test_an_unknown_part_is_a_mistake_of_ours(acme: SimpleNamespace, who: Who) -> None:
    with pytest.raises(KeyError):
        change(acme, who, parts={"passwort": "x"})


@pytest.mark.parametrize("text", ["", " ", "\u202e", "...", "-"])
def test_a_reason_says_something(text: str) -> None:
    with pytest.raises(VaultRefusal, match="asks why"):
        rules.reason(text, required=True)


def test_where_none_is_asked_a_reason_is_still_bounded() -> None:
    assert rules.reason(" ", required=False) == ""
    for text, sentence in (("x" * 201, "200 are the most"), ("a\nb", "invisible character")):
        with pytest.raises(VaultRefusal, match=sentence):
            rules.reason(text, required=False)


def test_an_unknown_password_is_unknown(acme: SimpleNamespace, who: Who) -> None:
    with pytest.raises(Unknown):
        services.trash_password(password_id=uuid.uuid4(), **who("bob"))
