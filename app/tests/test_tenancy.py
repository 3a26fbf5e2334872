from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.test.utils import isolate_apps

from casemate.tenancy.binding import NoTenantBound, WrongTenant, bind, bound_organization_id
from casemate.tenancy.checks import examine
from casemate.tenancy.fields import SameTenant, TenantForeignKey
from casemate.tenancy.models import TenantModel
from casemate.tenancy.permissions import ROLE_PERMISSIONS, Permission, Role, allows
from tests.example.models import Folder, Note


@pytest.fixture
def rows(world: SimpleNamespace) -> SimpleNamespace:
    """A folder with a note in each organisation."""
    made = SimpleNamespace(world=world)
    for organization in (world.acme, world.globex):
        with bind(organization):
            folder = Folder.objects.create(name=f"{organization.name} folder")
            note = Note.objects.create(folder=folder, title=f"{organization.name} note")
        setattr(made, organization.slug, SimpleNamespace(organization=organization, folder=folder, note=note))
    return made


def test_nothing_is_read_while_no_organisation_is_bound(rows: SimpleNamespace) -> None:
    for attempt in (
        Note.objects.exists,
        Note.objects.count,
        lambda: list(Note.objects.all()),
        Note._base_manager.first,
        rows.acme.note.refresh_from_db,
        lambda: list(rows.acme.folder.notes.all()),
        lambda: Note.objects.raw("SELECT 1"),
        lambda: Note.objects.bulk_create([]),
    ):
        with pytest.raises(NoTenantBound):
            attempt()


def test_nothing_is_written_while_no_organisation_is_bound(rows: SimpleNamespace) -> None:
    for attempt in (rows.acme.note.save, rows.acme.note.delete, lambda: Note.objects.create(title="x")):
        with pytest.raises(NoTenantBound):
            attempt()


def test_mallory_sees_no_row_of_acme(rows: SimpleNamespace) -> None:
    with bind(rows.world.globex):
        assert [note.title for note in Note.objects.all()] == ["Globex note"]
        with pytest.raises(Note.DoesNotExist):
            Note.objects.get(pk=rows.acme.note.pk)
        with pytest.raises(Note.DoesNotExist):
            rows.acme.note.refresh_from_db()


def test_a_relation_stays_in_the_bound_organisation(rows: SimpleNamespace) -> None:
    with bind(rows.world.acme):
        note = Note.objects.get()
    with bind(rows.world.globex), pytest.raises(Folder.DoesNotExist):
        _ = note.folder


def test_a_row_of_another_organisation_is_neither_saved_nor_deleted(rows: SimpleNamespace) -> None:
    with bind(rows.world.globex):
        for attempt in (rows.acme.note.save, rows.acme.note.delete):
            with pytest.raises(WrongTenant):
                attempt()


def test_a_row_made_by_hand_with_a_strangers_id_changes_nothing(rows: SimpleNamespace) -> None:
    with bind(rows.world.globex):
        forged = Note(pk=rows.acme.note.pk, organization=rows.world.globex, title="forged")
        forged.delete()
        with pytest.raises(IntegrityError), transaction.atomic():
            forged.save()
    with bind(rows.world.acme):
        assert Note.objects.get().title == "Acme note"


@pytest.mark.parametrize("way", ["save", "update", "bulk_create", "sql"])
def test_the_database_refuses_a_reference_into_another_organisation(rows: SimpleNamespace, way: str) -> None:
    foreign = rows.acme.folder.pk
    with bind(rows.world.globex), pytest.raises(IntegrityError), transaction.atomic():
        if way == "save":
            Note.objects.create(title="x", folder_id=foreign)
        elif way == "update":
            Note.objects.update(folder_id=foreign)
        elif way == "bulk_create":
            Note.objects.bulk_create([Note(title="x", folder_id=foreign)])
        else:
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE example_note SET folder_id = %s WHERE organization_id = %s", [foreign, rows.world.globex.pk]
                )


def test_a_row_never_moves_to_another_organisation(rows: SimpleNamespace) -> None:
    with bind(rows.world.globex), pytest.raises(WrongTenant):
        Note.objects.update(organization=rows.world.acme)


def test_a_delete_takes_only_rows_of_the_bound_organisation(rows: SimpleNamespace) -> None:
    with bind(rows.world.globex):
        Folder.objects.all().delete()
        assert not Note.objects.exists()
    with bind(rows.world.acme):
        assert Note.objects.count() == 1


def test_binding_nests_and_is_undone_by_an_error(world: SimpleNamespace) -> None:
    with bind(world.acme):
        with pytest.raises(ZeroDivisionError), bind(world.globex):
            assert bound_organization_id() == world.globex.pk
            _ = 1 / 0
        assert bound_organization_id() == world.acme.pk
    with pytest.raises(NoTenantBound):
        bound_organization_id()


def test_only_an_organisation_can_be_bound() -> None:
    with pytest.raises(TypeError), bind(SimpleNamespace(pk="installation")):  # type: ignore[arg-type]
        pass


def test_the_constraint_is_in_the_migration_that_makemigrations_wrote() -> None:
    loader = MigrationLoader(None)
    state = loader.project_state().models["example", "note"]
    assert SameTenant(field="folder", name="example_note_folder_tenant") in state.options["constraints"]


@pytest.mark.django_db
def test_makemigrations_finds_nothing_to_do() -> None:
    loader = MigrationLoader(connection)
    detected = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
    assert detected.changes(graph=loader.graph) == {}


@isolate_apps("tests.example")
def test_the_check_finds_each_way_to_forget_the_tenant() -> None:
    class Parent(TenantModel):
        class Meta(TenantModel.Meta):
            app_label = "example"

    class Forgetful(TenantModel):
        plain = models.ForeignKey(Parent, on_delete=models.CASCADE, related_name="+")
        many = models.ManyToManyField(Parent, related_name="+")
        everything = models.Manager()

        class Meta:
            app_label = "example"

    class Right(TenantModel):
        parent = TenantForeignKey(Parent, on_delete=models.CASCADE, related_name="+")

        class Meta(TenantModel.Meta):
            app_label = "example"

    assert {m.id for m in examine(Forgetful)} == {"tenancy.E001", "tenancy.E002", "tenancy.E003", "tenancy.E004"}
    assert list(examine(Right)) == []


def test_only_owners_change_owners() -> None:
    assert {role for role in Role if allows(role, Permission.OWNERS_CHANGE)} == {Role.OWNER}


def test_a_viewer_changes_nothing() -> None:
    assert ROLE_PERMISSIONS[Role.VIEWER] == {Permission.ORGANIZATION_VIEW, Permission.VAULT_VIEW}


def test_who_reads_the_log_reveals_nothing() -> None:
    assert ROLE_PERMISSIONS[Role.AUDITOR] == {
        Permission.ORGANIZATION_VIEW,
        Permission.MEMBERS_VIEW,
        Permission.AUDIT_VIEW,
    }
    assert {role for role in Role if allows(role, Permission.VAULT_REVEAL)} == {
        Role.EDITOR,
        Role.ADMINISTRATOR,
        Role.OWNER,
    }


def test_each_role_has_its_permissions_and_an_unknown_one_has_none() -> None:
    assert set(ROLE_PERMISSIONS) == set(Role)
    assert not any(allows("superuser", permission) for permission in Permission)


def test_the_database_refuses_an_unknown_role(world: SimpleNamespace) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        world.bob.memberships.update(role="superuser")
